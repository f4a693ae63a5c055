"""Search over CRM objects: filter groups, one sort, and a hard end at 10,000 results."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from integrations_pipeline.sandbox.hubspot.errors import validation
from integrations_pipeline.sandbox.hubspot.objects import (
    HubSpotCall,
    body_of,
    object_type,
    present,
)
from integrations_pipeline.sandbox.hubspot.properties import Property
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.tables import Record

RESULT_CAP = 10_000
_LIMIT = 200
_GROUPS = 5
_FILTERS_IN_GROUP = 6
_FILTERS_IN_ALL = 18
_QUERY_LENGTH = 3_000

Comparable = float | str
Test = Callable[[Record], bool]


def search(call: HubSpotCall) -> Reply:
    """One page of the live records that match, as the search index knows them."""
    resource = object_type(call)
    body = body_of(call)
    limit, after = _window(body)
    definitions = call.data.definitions(resource)
    matches = _group_tests(body, definitions)
    needle = _needle(body)
    moment = call.now - call.config.hubspot_search_lag_seconds
    rows = [
        record
        for record in call.data.as_of(resource, moment)
        if matches(record) and (not needle or _mentions(record, needle))
    ]
    rows = _sorted(rows, body, definitions)
    page = rows[:RESULT_CAP][after : after + limit]
    names = [str(name) for name in body.get("properties") or []]
    answer: Record = {
        "total": len(rows),
        "results": [present(call.data, resource, record, names) for record in page],
    }
    if page and after + limit < len(rows):
        answer["paging"] = {"next": {"after": str(after + limit)}}
    return Reply(answer)


def _window(body: Mapping[str, Any]) -> tuple[int, int]:
    limit, after = body.get("limit", 10), str(body.get("after") or "0")
    if not isinstance(limit, int) or not 1 <= limit <= _LIMIT:
        raise validation(f"limit must be between 1 and {_LIMIT}")
    if not after.isdecimal():
        raise validation(f"Invalid paging cursor: {after}")
    if int(after) > RESULT_CAP:
        raise validation(f"The paging cursor may not pass {RESULT_CAP} results")
    return limit, int(after)


def _needle(body: Mapping[str, Any]) -> str:
    text = str(body.get("query") or "")
    if len(text) > _QUERY_LENGTH:
        raise validation(f"The query is longer than {_QUERY_LENGTH} characters")
    return text.casefold()


def _mentions(record: Record, needle: str) -> bool:
    return any(needle in value.casefold() for value in record["properties"].values() if value)


def _group_tests(body: Mapping[str, Any], definitions: Mapping[str, Property]) -> Test:
    """Groups are OR-ed, the filters of a group AND-ed."""
    groups = [_objects(group, "filters") for group in _objects(body, "filterGroups")]
    if len(groups) > _GROUPS:
        raise validation(f"A search has at most {_GROUPS} filterGroups")
    if any(len(filters) > _FILTERS_IN_GROUP for filters in groups):
        raise validation(f"A filter group has at most {_FILTERS_IN_GROUP} filters")
    if sum(map(len, groups)) > _FILTERS_IN_ALL:
        raise validation(f"A search has at most {_FILTERS_IN_ALL} filters")
    tests = [[_filter_test(entry, definitions) for entry in filters] for filters in groups]
    return lambda record: not tests or any(all(t(record) for t in group) for group in tests)


def _objects(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A list of objects in the body, empty when it is not given."""
    entries = body.get(name) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise validation(f"{name} must be a list of objects")
    return entries


def _filter_test(entry: Mapping[str, Any], definitions: Mapping[str, Property]) -> Test:
    name = str(entry.get("propertyName"))
    if name not in definitions:
        raise validation(f"Property {name} does not exist")
    kind = definitions[name].type
    holds = _condition(entry, kind)
    return lambda record: holds(record["properties"].get(name) or None)


def _condition(entry: Mapping[str, Any], kind: str) -> Callable[[str | None], bool]:
    """The test of one filter on a property's text; null stands for a property without value."""
    operator = entry.get("operator")
    match operator:
        case "HAS_PROPERTY":
            return lambda text: text is not None
        case "NOT_HAS_PROPERTY":
            return lambda text: text is None
        case "CONTAINS_TOKEN" | "NOT_CONTAINS_TOKEN":
            wanted = _tokens(str(_given(entry, "value")))
            expected = operator == "CONTAINS_TOKEN"
            return lambda text: _contains(text, wanted) == expected
        case "IN" | "NOT_IN":
            values = _given(entry, "values")
            if not isinstance(values, list):
                raise validation("values must be a list")
            options = {operand(value, kind) for value in values}
            return lambda text: _among(text, kind, options) == (operator == "IN")
        case "BETWEEN":
            low, high = (operand(_given(entry, name), kind) for name in ("value", "highValue"))
            return lambda text: text is not None and _between(low, comparable(text, kind), high)
        case _:
            return _comparison(str(operator), operand(_given(entry, "value"), kind), kind)


def _comparison(operator: str, wanted: Comparable, kind: str) -> Callable[[str | None], bool]:
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "EQ": lambda left, right: left == right,
        "LT": lambda left, right: left < right,
        "LTE": lambda left, right: left <= right,
        "GT": lambda left, right: left > right,
        "GTE": lambda left, right: left >= right,
    }
    if operator == "NEQ":
        return lambda text: text is None or comparable(text, kind) != wanted
    if operator not in tests:
        raise validation(f"Unknown operator: {operator}")
    test = tests[operator]
    return lambda text: text is not None and test(comparable(text, kind), wanted)


def _given(entry: Mapping[str, Any], name: str) -> Any:
    if entry.get(name) is None:
        raise validation(f"The operator {entry.get('operator')} needs {name}")
    return entry[name]


def operand(value: Any, kind: str) -> Comparable:
    """A filter's value: dates are epoch milliseconds."""
    if kind not in {"datetime", "date", "number"}:
        return str(value).casefold()
    try:
        return float(value) if kind == "number" else float(int(value))
    except (TypeError, ValueError) as error:
        raise validation(f"{value} was not a valid long.") from error


@lru_cache(maxsize=200_000)
def comparable(text: str, kind: str) -> Comparable:
    """A property's text as something that compares: number, epoch milliseconds or text."""
    try:
        if kind == "number":
            return float(text)
        if kind in {"datetime", "date"}:
            moment = datetime.fromisoformat(text)
            return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
    except ValueError:
        return float("nan")
    return text.casefold()


def _among(text: str | None, kind: str, options: set[Comparable]) -> bool:
    return text is not None and comparable(text, kind) in options


def _between(low: Any, value: Any, high: Any) -> bool:
    return bool(low <= value <= high)


def _tokens(text: str) -> list[str]:
    return re.findall(r"[\w*]+", text.casefold())


def _contains(text: str | None, wanted: list[str]) -> bool:
    tokens = _tokens(text or "")
    return all(any(fnmatchcase(token, pattern) for token in tokens) for pattern in wanted)


def _sorted(
    rows: list[Record], body: Mapping[str, Any], definitions: Mapping[str, Property]
) -> list[Record]:
    """By one property, rows without it at the end; rows are in id order to begin with."""
    sorts = body.get("sorts") or []
    if not isinstance(sorts, list) or len(sorts) > 1:
        raise validation("A search has at most one sort")
    if not sorts:
        return rows
    name, descending = _sort(sorts[0])
    if name not in definitions:
        raise validation(f"Property {name} does not exist")
    kind = definitions[name].type
    filled = [record for record in rows if record["properties"].get(name)]
    empty = [record for record in rows if not record["properties"].get(name)]

    def key(record: Record) -> Any:
        return comparable(record["properties"][name], kind)

    return sorted(filled, key=key, reverse=descending) + empty


def _sort(entry: Any) -> tuple[str, bool]:
    """The SDKs send a sort as text, -name for descending, or as an object."""
    if isinstance(entry, str):
        return entry.removeprefix("-"), entry.startswith("-")
    if not isinstance(entry, dict):
        raise validation("A sort is a name or an object")
    return str(entry.get("propertyName")), entry.get("direction") == "DESCENDING"
