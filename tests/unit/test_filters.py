"""Columns and filters: which value a record has, and whether it fulfils a condition."""

from typing import Any

import pytest

from integrations_pipeline.connectors.base import Listing, Resource
from integrations_pipeline.connectors.columns import (
    Column,
    TimeFormat,
    boolean,
    integer,
    json,
    number,
    text,
    timestamp,
)
from integrations_pipeline.connectors.paging import CursorPages
from integrations_pipeline.errors import RequestError
from integrations_pipeline.sync.filters import matches, parse_filters, typed

PEOPLE = Resource(
    name="people",
    description="",
    docs_url="",
    listing=Listing(path="/people", records_at="data", paginator=CursorPages("a", "b")),
    columns=(
        text("name"),
        integer("age"),
        number("amount", "properties.amount"),
        boolean("active"),
        timestamp("created_at"),
        timestamp("seen_at", "seen", TimeFormat.SECONDS),
        timestamp("left_at", "left", TimeFormat.MILLISECONDS),
        json("tags"),
    ),
)

VALUES = [
    ("", {"x": 1}, 1),
    ("a.b", {"a": {"b": 2}}, 2),
    ("a|b", {"a": 1, "b": 2}, 1),
    ("a|b", {"a": None, "b": 2}, 2),
    ("a.0.c|b", {"a": [], "b": 2}, 2),
    ("a|b", {"a": False, "b": True}, False),
    ("a|b", {"a": 0, "b": 5}, 0),
    ("a|b", {"a": "", "b": "x"}, ""),
    ("a|b", {}, None),
]


@pytest.mark.parametrize(("source", "record", "value"), VALUES)
def test_a_column_takes_the_best_path(source, record, value) -> None:
    assert Column("x", source=source).value(record) == value


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"nope": 1}, "people can't be filtered by 'nope'"),
    ({"tags": "a"}, "'tags'"),
    ({"name": {"like": "x"}}, "people.name: unknown operator 'like'"),
    ({"age": "old"}, "people.age holds integer"),
    ({"age": True}, "people.age"),
    ({"age": None}, "people.age"),
    ({"name": ""}, "people.name"),
    ({"amount": {"gt": "1,5"}}, "people.amount"),
    ({"amount": {"gt": "NaN"}}, "people.amount"),
    ({"active": "yes"}, "people.active"),
    ({"created_at": {"gte": "yesterday"}}, "people.created_at"),
    ({"name": {"in": "a"}}, "people.name"),
    ({"age": {"in": [1, "x"]}}, "people.age"),
]


@pytest.mark.parametrize(("filters", "told"), REFUSED)
def test_senseless_filters_are_refused_by_name(filters, told) -> None:
    with pytest.raises(RequestError, match="people") as refused:
        parse_filters(PEOPLE, filters)

    assert told in str(refused.value)


RECORD = {
    "name": "Ada",
    "age": 36,
    "properties": {"amount": "10.50"},
    "active": "true",
    "created_at": "2024-03-10T12:00:00Z",
    "seen": 1_710_072_000,
    "left": 1_710_072_000_000,
}
NOON = "2024-03-10T13:00:00+01:00"
TERMS: list[tuple[str, str, Any, bool]] = [
    ("name", "eq", "Ada", True),
    ("name", "eq", "ada", False),
    ("name", "ne", "Bob", True),
    ("name", "gt", "Abe", True),
    ("name", "in", ["Bob", "Ada"], True),
    ("name", "in", ["Bob"], False),
    ("name", "in", [], False),
    ("age", "eq", 36, True),
    ("age", "eq", "36.0", True),
    ("age", "gt", 9, True),  # numbers, not text: "36" < "9"
    ("age", "gt", 36, False),
    ("age", "gte", 36, True),
    ("age", "lt", 37, True),
    ("age", "lte", 35, False),
    ("age", "ne", 36, False),
    ("age", "in", ["36"], True),
    ("amount", "eq", 10.5, True),
    ("amount", "lt", "10.51", True),
    ("active", "eq", True, True),
    ("active", "eq", "TRUE", True),
    ("active", "ne", False, True),
    ("created_at", "eq", NOON, True),
    ("created_at", "lt", "2024-03-11", True),
    ("created_at", "gte", "2024-03-10T12:00:01Z", False),
    ("seen_at", "eq", NOON, True),
    ("seen_at", "gt", 1_710_071_999, True),
    ("left_at", "eq", NOON, True),
    ("left_at", "lte", 1_710_071_999_999, False),
]


@pytest.mark.parametrize(("column", "op", "wanted", "fulfilled"), TERMS)
def test_operators(column, op, wanted, fulfilled) -> None:
    terms = parse_filters(PEOPLE, {column: {op: wanted}})

    assert matches(RECORD, terms) is fulfilled


@pytest.mark.parametrize("column", ["name", "age", "amount", "active", "created_at", "seen_at"])
@pytest.mark.parametrize("op", ["eq", "ne", "gt", "gte", "lt", "lte", "in"])
def test_a_missing_value_fulfils_only_ne(column, op) -> None:
    wanted: Any = {"name": "x", "active": True, "created_at": NOON, "seen_at": 5}.get(column, 1)
    terms = parse_filters(PEOPLE, {column: {op: [wanted] if op == "in" else wanted}})

    for record in ({}, {column: None, "properties": None}, {column: ""}):
        assert matches(record, terms) is (op == "ne")


@pytest.mark.parametrize("conditions", [{"gt": 30, "lt": 40}, {"gt": 30, "lt": 36}])
def test_all_conditions_must_hold(conditions) -> None:
    terms = parse_filters(PEOPLE, {"age": conditions, "name": "Ada"})

    assert len(terms) == 3
    assert matches(RECORD, terms) is (conditions["lt"] == 40)


def test_a_plain_value_means_eq() -> None:
    assert parse_filters(PEOPLE, {"name": "x"}) == parse_filters(PEOPLE, {"name": {"eq": "x"}})


ODD: list[tuple[str, Any]] = [
    ("age", "NaN"),
    ("age", "sNaN"),
    ("age", [1]),
    ("age", {"a": 1}),
    ("age", True),
    ("amount", "1e999999999999999999999"),
    ("active", 2),
    ("active", []),
    ("created_at", "0000-00-00"),
    ("created_at", "2024-13-01"),
    ("created_at", {"a": 1}),
    ("seen_at", 1e17),
    ("seen_at", 1e300),
    ("seen_at", -1e17),
    ("seen_at", float("nan")),
    ("left_at", 1e20),
]


@pytest.mark.parametrize(("column", "value"), ODD)
def test_an_odd_value_is_no_value(column, value) -> None:
    assert typed(PEOPLE.column(column), value) is None


@pytest.mark.parametrize(("column", "value"), ODD)
@pytest.mark.parametrize("op", ["eq", "gt"])
def test_an_odd_value_in_a_record_does_not_stop_a_sync(column, value, op) -> None:
    wanted = {"active": True, "created_at": NOON}.get(column, 1)
    record = {column: value, "properties": {"amount": value}, "seen": value, "left": value}

    assert matches(record, parse_filters(PEOPLE, {column: {op: wanted}})) is False
