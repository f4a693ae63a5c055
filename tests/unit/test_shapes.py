"""Watching the fields of records while they pass, and comparing them with what was known."""

from dataclasses import replace
from typing import Any

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.columns import json, text
from integrations_pipeline.sync.batches import Batch
from integrations_pipeline.sync.drift import gone_fields, schema_changes
from integrations_pipeline.sync.shapes import MAP, MOST_FIELDS, MOST_NESTED, FieldWatch, Known

CONTACTS = CONNECTORS["hubspot"].resource("contacts")
PLAIN = replace(
    CONNECTORS["stripe"].resource("products"),
    columns=(text("name"), text("city", "address.city|place"), json("metadata")),
)
USUAL = {"id": "1", "name": "n", "address": {"city": "c"}, "metadata": {"a": 1}}


def watched(*records: dict[str, Any], known: dict[str, Known] | None = None) -> FieldWatch:
    watch = FieldWatch(PLAIN, known)
    watch.see(records)
    return watch


def known_from(watch: FieldWatch) -> dict[str, Known]:
    return {"": Known(frozenset({"object"}))} | {
        path: Known(types) for path, types in watch.fields().items()
    }


def told(*records: dict[str, Any], known: dict[str, Known], whole: bool = False) -> list[str]:
    watch = watched(*records, known=known)
    seen = watch.fields()
    gone = gone_fields(watch, seen, whole=whole)
    return [str(change) for change in schema_changes(watch, seen, gone)]


KNOWN = known_from(watched(USUAL))


def test_types_are_those_of_json_and_a_null_tells_none() -> None:
    watch = watched(
        {"t": "x", "i": 1, "f": 1.5, "b": True, "o": {"k": 1}, "l": [1], "n": None},
    )

    assert watch.fields() == {
        "t": {"text"},
        "i": {"number"},
        "f": {"number"},
        "b": {"boolean"},
        "o": {"object"},
        "o.k": {"number"},
        "l": {"list"},
        "n": set(),
    }


def test_a_name_in_any_record_is_met_also_inside_objects() -> None:
    records = [{"id": n, "o": {"a": 1}} for n in range(500)]
    records[333] = {"id": 333, "o": {"a": 1, "deep": "x"}}
    records[451] = {"id": 451, "late": True}

    fields = watched(*records).fields()

    assert fields["o.deep"] == {"text"}
    assert fields["late"] == {"boolean"}


def test_the_service_s_container_of_fields_is_looked_into_whatever_its_size() -> None:
    watch = FieldWatch(CONTACTS)

    watch.see([{"id": "1", "properties": {f"p{n}": "x" for n in range(MOST_NESTED + 50)}}])

    assert len([path for path in watch.fields() if path.startswith("properties.")]) == 150


@pytest.mark.parametrize(
    "keys",
    [
        [f"cus_{n}" for n in range(MOST_NESTED)],
        ["12345"],
        ["ada@example.com"],
        ["a", "x" * 101],
    ],
    ids=["many", "number", "address", "long"],
)
def test_a_map_is_one_field(keys) -> None:
    fields = watched({"id": "1", "by_id": dict.fromkeys(keys, "x")}).fields()

    assert fields == {"id": {"text"}, "by_id": {"object", MAP}}


def test_a_map_is_known_by_what_earlier_reads_met_as_well() -> None:
    half = MOST_NESTED // 2
    first = watched({"by_id": {f"cus_{n}": 1 for n in range(half)}})
    more = {"by_id": {f"cus_{n}": 1 for n in range(half, MOST_NESTED)}}

    watch = watched(more, known=known_from(first))

    assert watch.fields() == {"by_id": {"object", MAP}}
    assert told(more, known=known_from(first)) == []
    assert told({"by_id": {"cus_x": 1}}, known=known_from(watch)) == []


def test_keys_of_a_declared_json_column_are_data() -> None:
    assert "metadata.a" not in watched(USUAL).fields()
    assert told({**USUAL, "metadata": {"b": 1}}, known=KNOWN) == []


def test_the_number_of_fields_is_bounded() -> None:
    watch = watched(*({f"f{n}": 1} for n in range(MOST_FIELDS * 2)))

    assert len(watch.fields()) == MOST_FIELDS


def test_a_name_at_the_top_that_is_none_is_left_out() -> None:
    assert watched({"ada@example.com": 1, "id": 2}).fields() == {"id": {"number"}}


CHANGED = [
    (USUAL, []),
    ({**USUAL, "vip": True}, ["New field vip (boolean)."]),
    ({**USUAL, "vip": None}, ["New field vip (no value yet)."]),
    ({**USUAL, "vip": {"since": 1}}, ["New field vip (object)."]),
    (
        {**USUAL, "address": {"city": "c", "zip": "1"}},
        ["New field address.zip (text)."],
    ),
    ({**USUAL, "name": 7}, ["Field name holds number now; it held text."]),
    ({**USUAL, "name": None}, []),
    ({**USUAL, "address": ["c"]}, ["Field address holds list now; it held object."]),
    ({"id": "1"}, []),
]


@pytest.mark.parametrize(("record", "changes"), CHANGED, ids=range(len(CHANGED)))
def test_what_is_new_or_other_is_told(record, changes) -> None:
    assert told(record, known=KNOWN) == changes


def test_the_first_value_and_the_inside_of_a_field_that_was_null_are_no_news() -> None:
    known = known_from(watched({**USUAL, "plan": None}))

    assert told({**USUAL, "plan": {"tier": "gold"}}, known=known) == []
    assert told({**USUAL, "plan": "gold"}, known=known) == []


def test_a_field_that_was_gone_and_comes_back_is_new() -> None:
    known = {**KNOWN, "old": Known(frozenset({"text"}), is_gone=True)}

    assert told(USUAL, known=known, whole=True) == []
    assert told({**USUAL, "old": "x"}, known=known) == ["New field old (text)."]


def without(*names: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in USUAL.items() if k not in names} for _ in range(20)]


def test_a_field_that_no_record_of_a_whole_read_has_is_gone() -> None:
    column = "is now always empty: its source is gone."

    assert told(*without("name"), known=KNOWN) == []
    assert told(*without("name"), known=KNOWN, whole=True) == [
        "Field name is gone.",
        f"Column name {column}",
    ]
    assert told(*without("address"), known=KNOWN, whole=True) == [
        "Field address is gone.",
        f"Column city {column}",
    ]
    assert told(*without("metadata"), known=KNOWN, whole=True)[1] == f"Column metadata {column}"


def test_of_too_few_records_nothing_is_concluded() -> None:
    assert told(*without("name")[:9], known=KNOWN, whole=True) == []


def test_a_field_inside_an_object_is_gone_only_where_objects_were_met() -> None:
    empty = [{**USUAL, "address": {}}] * 20
    null = [{**USUAL, "address": None}] * 20

    assert told(*empty, known=KNOWN, whole=True)[0] == "Field address.city is gone."
    assert told(*null, known=KNOWN, whole=True) == []


def test_a_column_with_another_source_left_is_not_empty() -> None:
    records = [{**one, "place": "c"} for one in without("address")]

    assert told(*records, known=KNOWN, whole=True) == [
        "New field place (text).",
        "Field address is gone.",
    ]


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([Batch(begins=True), Batch(complete=True)], (True, True)),
        ([Batch(begins=False), Batch(complete=True)], (True, False)),
        ([Batch(begins=True), Batch()], (False, False)),
        ([Batch()], (False, False)),
    ],
    ids=["whole", "resumed", "cut", "incremental"],
)
def test_batches_tell_whether_all_was_met(batches, expected) -> None:
    watch = FieldWatch(PLAIN)

    for batch in batches:
        watch.follow(batch)

    assert (watch.ended, watch.met_all) == expected


ASKED = {"id": "1", "properties": {"email": "a", "jobtitle": "b"}}
LESS = {"id": "1", "properties": {"email": "a"}}


def narrowed(
    record: dict[str, Any], known: dict[str, Known], *fields: str, listed: tuple[str, ...] = ()
) -> list[str]:
    """What a whole read tells that asked for these fields by name."""
    watch = FieldWatch(CONTACTS, known)
    watch.narrow(fields)
    watch.see([record] * 20)
    watch.listed = frozenset(listed) if listed else None
    seen = watch.fields()
    gone = gone_fields(watch, seen, whole=True)
    return [str(change) for change in schema_changes(watch, seen, gone)]


def known_contacts(record: dict[str, Any]) -> dict[str, Known]:
    watch = FieldWatch(CONTACTS)
    watch.see([record])
    return known_from(watch)


def test_a_field_that_is_only_asked_for_now_or_no_more_is_no_news() -> None:
    assert narrowed(ASKED, known_contacts(LESS), "email", "jobtitle") == []
    assert narrowed(LESS, known_contacts(ASKED), "email") == []


def test_a_field_that_is_asked_for_and_gone_is_told() -> None:
    told = narrowed(LESS, known_contacts(ASKED), "email", "jobtitle")

    assert told == ["Field properties.jobtitle is gone."]


def test_a_declared_field_that_comes_is_told() -> None:
    told = narrowed(ASKED, known_contacts({"id": "1", "properties": {"jobtitle": "b"}}), "email")

    assert told == ["New field properties.email (text)."]


def test_a_service_without_narrowing_is_watched_whole() -> None:
    watch = FieldWatch(PLAIN)
    watch.narrow(("name",))

    assert (watch.is_asked("place"), watch.is_extra("place")) == (True, False)
