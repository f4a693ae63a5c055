"""Filters: one small syntax, checked against the columns, applied here to every record.

`{"status": "open", "amount": {"gte": 1000}, "stage": {"in": ["a", "b"]}}`: all must hold.
Services that can filter get the terms as well, so that less is sent.
"""

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from integrations_pipeline.connectors.base import FilterTerm, Resource
from integrations_pipeline.connectors.columns import Column, ColumnType, Record, TimeFormat
from integrations_pipeline.errors import RequestError

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda value, wanted: value in wanted,
}


def parse_filters(resource: Resource, filters: Mapping[str, Any]) -> tuple[FilterTerm, ...]:
    """The terms that the filters mean for a resource.

    Raises:
        RequestError: unknown column or operator, or a value that the column can't hold.
    """
    return tuple(
        term for name, wanted in filters.items() for term in _terms(resource, name, wanted)
    )


def matches(record: Record, terms: tuple[FilterTerm, ...]) -> bool:
    """Whether the record fulfils every term; a missing value fulfils only `ne`."""
    return all(_fulfils(record, term) for term in terms)


def typed(column: Column, value: Any) -> Any:
    """The value as a comparable one of the column's type, or None where it is none."""
    if value is None or value == "":
        return None
    try:
        return _TYPES[column.type](column, value)
    except (ValueError, TypeError, KeyError, ArithmeticError, OSError):
        return None


def _terms(resource: Resource, name: str, wanted: Any) -> list[FilterTerm]:
    column = resource.column(name)
    if column is None or column.type is ColumnType.JSON:
        known = ", ".join(c.name for c in resource.columns if c.type is not ColumnType.JSON)
        raise RequestError(
            f"{resource.name} can't be filtered by {name!r}.", action=f"Possible: {known}."
        )
    conditions = wanted if isinstance(wanted, Mapping) else {"eq": wanted}
    return [_term(resource, column, op, value) for op, value in conditions.items()]


def _term(resource: Resource, column: Column, op: str, value: Any) -> FilterTerm:
    if op not in _COMPARE:
        raise RequestError(
            f"{resource.name}.{column.name}: unknown operator {op!r}.",
            action=f"Possible: {', '.join(_COMPARE)}.",
        )
    values = value if op == "in" else [value]
    if not isinstance(values, list) or any(typed(column, one) is None for one in values):
        raise RequestError(
            f"{resource.name}.{column.name} holds {column.type.name.lower()}: "
            f"the value for {op!r} does not fit."
        )
    typed_values = [typed(column, one) for one in values]
    return FilterTerm(column, op, typed_values if op == "in" else typed_values[0])


def _fulfils(record: Record, term: FilterTerm) -> bool:
    value = typed(term.column, term.column.value(record))
    if value is None:
        return term.operator == "ne"
    return _COMPARE[term.operator](value, term.value)


def _number(_: Column, value: Any) -> Decimal:
    if isinstance(value, bool):
        raise TypeError
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError
    return number


def _boolean(_: Column, value: Any) -> bool:
    return {"true": True, "false": False}[str(value).lower()]


def _moment(column: Column, value: Any) -> datetime:
    if isinstance(value, int | float) and column.time_format is not TimeFormat.ISO:
        divisor = 1000 if column.time_format is TimeFormat.MILLISECONDS else 1
        return datetime.fromtimestamp(value / divisor, UTC)
    moment = datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(_: Column, value: Any) -> str:
    return str(value)


_TYPES: dict[ColumnType, Callable[[Column, Any], Any]] = {
    ColumnType.TEXT: _text,
    ColumnType.INTEGER: _number,
    ColumnType.NUMBER: _number,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.TIMESTAMP: _moment,
}
