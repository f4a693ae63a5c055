"""Typed columns: where a value stands in a record, and what it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from integrations_pipeline.connectors.paging import dig

Record = Mapping[str, Any]


class ColumnType(StrEnum):
    """What a column holds; the value is the SQL type in Postgres."""

    TEXT = "text"
    INTEGER = "bigint"
    NUMBER = "numeric"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamptz"
    JSON = "jsonb"


class TimeFormat(StrEnum):
    """How a service writes a point in time."""

    ISO = "iso"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"


@dataclass(frozen=True, slots=True)
class Column:
    """A typed column filled from `source`, a dotted path into the record (default: its name).

    Several paths, best first, are joined by `|`; a number in a path is a place in a list.
    """

    name: str
    type: ColumnType = ColumnType.TEXT
    source: str = ""
    personal: bool = False
    """True where the value tells something about a person: masked in previews."""
    time_format: TimeFormat = TimeFormat.ISO

    @property
    def paths(self) -> tuple[str, ...]:
        """The dotted paths that may hold the value, best first."""
        return tuple((self.source or self.name).split("|"))

    def value(self, record: Record) -> Any:
        """The value as the service gives it, or None."""
        found = (dig(record, path) for path in self.paths)
        return next((value for value in found if value is not None), None)


def text(name: str, source: str = "", *, personal: bool = False) -> Column:
    """A text column."""
    return Column(name, ColumnType.TEXT, source, personal)


def integer(name: str, source: str = "") -> Column:
    """A whole number of up to 64 bits; amounts in minor units are such."""
    return Column(name, ColumnType.INTEGER, source)


def number(name: str, source: str = "") -> Column:
    """A decimal number, exact."""
    return Column(name, ColumnType.NUMBER, source)


def boolean(name: str, source: str = "") -> Column:
    """True or false."""
    return Column(name, ColumnType.BOOLEAN, source)


def json(name: str, source: str = "", *, personal: bool = False) -> Column:
    """A list or an object, as the service gives it."""
    return Column(name, ColumnType.JSON, source, personal)


def timestamp(name: str, source: str = "", fmt: TimeFormat = TimeFormat.ISO) -> Column:
    """A point in time, stored with its zone."""
    return Column(name, ColumnType.TIMESTAMP, source, time_format=fmt)
