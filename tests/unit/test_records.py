"""From rows to changes: keys, versions, tombstones, merged ids, narrowed fields."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from integrations_pipeline.connectors.base import Deleted, Listing, Resource
from integrations_pipeline.connectors.columns import TimeFormat, text
from integrations_pipeline.connectors.hubspot import HUBSPOT
from integrations_pipeline.connectors.paging import CursorPages
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.sync.filters import parse_filters
from integrations_pipeline.sync.records import Change, Reader

THINGS = Resource(
    name="things",
    description="",
    docs_url="",
    listing=Listing(path="/things", records_at="data", paginator=CursorPages("a", "b")),
    columns=(text("name"), text("city", "address.city|town"), text("status")),
    version="updated",
    deleted=Deleted("status", "deleted"),
    merged_at="merged",
)


def changes(rows: list, resource: Resource = THINGS, record_at: str = "", **options) -> list:
    return list(Reader(resource, **options).changes(rows, record_at))


def raw(change: Change) -> dict:
    return orjson.loads(change.raw)


NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
VERSIONS = [
    (TimeFormat.ISO, "2024-03-10T12:00:00Z", NOON),
    (TimeFormat.ISO, "2024-03-10T13:00:00+01:00", NOON),
    (TimeFormat.ISO, "2024-03-10T12:00:00", NOON),
    (TimeFormat.SECONDS, 1_710_072_000, NOON),
    (TimeFormat.MILLISECONDS, 1_710_072_000_000, NOON),
    (TimeFormat.ISO, "soon", None),
    (TimeFormat.ISO, None, None),
    (TimeFormat.ISO, {"a": 1}, None),
    (TimeFormat.SECONDS, 1e17, None),
    (TimeFormat.SECONDS, 1e300, None),
]


@pytest.mark.parametrize(("fmt", "stamp", "version"), VERSIONS)
def test_versions(fmt, stamp, version) -> None:
    resource = replace(THINGS, version_format=fmt)

    (change,) = changes([{"id": 1, "updated": stamp}], resource)

    assert change.version == version


def test_a_resource_without_a_stamp_has_no_version() -> None:
    (change,) = changes([{"id": 1, "": "2024-03-10T12:00:00Z"}], replace(THINGS, version=""))

    assert change.version is None


@pytest.mark.parametrize("row", ["text", 5, None, ["list"], True])
def test_a_row_must_be_an_object(row) -> None:
    for read, rows in ((Reader(THINGS).changes, 11), (Reader(THINGS).gone, 1)):
        with pytest.raises(AnswerError, match="instead of an object"):
            list(read([row] * rows))


@pytest.mark.parametrize("key", [None, "", {}, [], True, False])
def test_a_record_needs_a_usable_key(key) -> None:
    for read, rows in ((Reader(THINGS).changes, 11), (Reader(THINGS).gone, 1)):
        with pytest.raises(AnswerError, match="'id'"):
            list(read([{"id": key}] * rows))


@pytest.mark.parametrize(("key", "text_key"), [(5, "5"), (0, "0"), ("a", "a"), (2**60, str(2**60))])
def test_keys_are_text(key, text_key) -> None:
    assert [change.key for change in changes([{"id": key}])] == [text_key]


def test_a_key_that_postgres_cannot_hold_is_refused() -> None:
    with pytest.raises(AnswerError):
        changes([{"id": "a\x00b"}] * 11)


def test_a_short_page_of_broken_records_is_set_aside() -> None:
    rows = [{"id": None}, "text"]

    faults = [change.fault for change in changes(rows)]

    assert faults == ["A record has no usable 'id'.", "A record is a str instead of an object."]


STRINGS = [
    ("a\x00b", "a\ufffdb"),
    ("\x00", "\ufffd"),
    ("plain", "plain"),
    (r"a\u0000b", r"a\u0000b"),  # a backslash and five characters: text about NUL, not NUL
    (r"C:\\u0000", r"C:\\u0000"),
    ("\\\x00", "\\\ufffd"),
]


@pytest.mark.parametrize(("sent", "kept"), STRINGS)
def test_only_nul_is_replaced(sent, kept) -> None:
    (change,) = changes([{"id": "1", "name": sent, "nested": [{"x": sent}]}])

    assert raw(change) == {"id": "1", "name": kept, "nested": [{"x": kept}]}


def test_the_digest_knows_the_content_and_not_the_order() -> None:
    one, same, other = changes(
        [{"id": "1", "name": "a"}, {"name": "a", "id": "1"}, {"id": "1", "name": "b"}]
    )

    assert one.digest == same.digest != other.digest


DELETED = [
    (Deleted("status", "deleted"), {"id": 1, "status": "deleted"}, True),
    (Deleted("status", "deleted"), {"id": 1, "status": "open"}, False),
    (Deleted("active", value=False), {"id": 1, "active": False}, True),
    (Deleted("active", value=False), {"id": 1, "active": True}, False),
    (Deleted("active", value=False), {"id": 1}, False),
    (Deleted("deleted_at"), {"id": 1, "deleted_at": "2024-01-01"}, True),
    (Deleted("deleted_at"), {"id": 1, "deleted_at": None}, False),
    (None, {"id": 1, "deleted": True}, False),
]


@pytest.mark.parametrize(("sign", "row", "gone"), DELETED)
def test_deleted_rows(sign, row, gone) -> None:
    (change,) = changes([row], replace(THINGS, deleted=sign))

    assert (change.raw is None) is gone


def test_a_deleted_carrier_without_its_record_gives_its_own_id() -> None:
    resource = replace(THINGS, key="ticket_id", merged_at="")
    rows = [
        {"id": 7, "status": "deleted", "metric": None},
        {"id": 8, "status": "open", "metric": None},
        {"id": 9, "status": "open", "metric": {"ticket_id": 9, "id": 90}},
    ]

    found = changes(rows, resource, "metric")

    assert [(change.key, change.raw is None) for change in found] == [("7", True), ("9", False)]


MERGED = [
    ("2;3", ["2", "3", "1"]),
    (" 2 ; ;3;", ["2", "3", "1"]),
    ("1;2", ["2", "1"]),  # it is not merged into itself
    (2, ["2", "1"]),
    ("", ["1"]),
    (None, ["1"]),
]


@pytest.mark.parametrize(("merged", "keys"), MERGED)
def test_merged_records_are_gone(merged, keys) -> None:
    found = changes([{"id": 1, "merged": merged}])

    assert [change.key for change in found] == keys
    assert [change.raw is None for change in found] == [True] * (len(keys) - 1) + [False]


ADDRESS = {"city": "Rome", "zip": "0"}
FULL = {"id": 1, "name": "a", "address": ADDRESS, "town": "T", "updated": "2024-01-01", "x": 1}
NARROWED = [
    ((), set(FULL)),
    (("name",), {"id", "updated", "name"}),
    (("city",), {"id", "updated", "address", "town"}),
    (("x",), {"id", "updated", "x"}),
]


@pytest.mark.parametrize(("fields", "kept"), NARROWED)
def test_fields_narrow_what_is_kept(fields, kept) -> None:
    (change,) = changes([FULL], fields=fields)

    assert set(raw(change)) == kept
    assert change.version == datetime(2024, 1, 1, tzinfo=UTC)


def test_a_service_that_narrows_by_itself_is_left_alone() -> None:
    contacts = HUBSPOT.resource("contacts")
    row = {"id": "1", "properties": {"email": "a@b.c"}, "url": "u"}

    (change,) = changes([row], contacts, fields=("email",))

    assert raw(change) == row


def test_filters_leave_records_out_but_never_tombstones() -> None:
    terms = parse_filters(THINGS, {"name": "b"})
    rows = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "status": "deleted"}]

    assert [change.key for change in changes(rows, terms=terms)] == ["2", "3"]


def test_a_listing_of_deleted_records_gives_tombstones_only() -> None:
    found = list(Reader(THINGS).gone([{"id": 1, "name": "x"}, {"id": "b"}]))

    assert found == [Change("1"), Change("b")]
