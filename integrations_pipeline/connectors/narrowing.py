"""How less than all of a resource is asked for: by filters, and by a span of time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from integrations_pipeline.connectors.columns import TimeFormat

BELOW = {"gt": "[gt]", "gte": "[gte]", "lt": "[lt]", "lte": "[lte]"}


@dataclass(frozen=True, slots=True)
class FilterParam:
    """Parameters of a listing that filter by a column: which one for which operator.

    What the service leaves out must be what the filter leaves out, or less: records are filtered
    here as well, so a bound may be wider, never narrower.
    """

    names: Mapping[str, str]
    """By operator: eq, gt, gte, lt or lte."""
    time_format: TimeFormat = TimeFormat.ISO

    def asked(self, operator: str, value: Any) -> dict[str, str]:
        """The parameter for one condition, or none."""
        name = self.names.get(operator)
        written = self._written(operator, value)
        return {name: written} if name and written is not None else {}

    def _written(self, operator: str, value: Any) -> str | None:
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, datetime) or self.time_format is TimeFormat.ISO:
            return value.isoformat() if isinstance(value, datetime) else str(value)
        units = 1000 if self.time_format is TimeFormat.MILLISECONDS else 1
        exact = value.timestamp() * units
        if operator == "eq" and exact != int(exact):
            return None  # no record is stamped so; the filter here says it
        return str(outward(operator, exact))


def equals(name: str) -> FilterParam:
    """A parameter that takes the value itself."""
    return FilterParam({"eq": name})


def bounds(name: str, time_format: TimeFormat = TimeFormat.SECONDS) -> FilterParam:
    """Parameters such as `created`, `created[gte]`, `created[lt]`."""
    return FilterParam({"eq": name, **{op: name + end for op, end in BELOW.items()}}, time_format)


def outward(operator: str, exact: float) -> int:
    """A bound as a whole number that leaves out no record which the exact one lets in."""
    return math.ceil(exact) if operator in {"lt", "lte"} else math.floor(exact)


class By(StrEnum):
    """Which time of a record decides whether it belongs to a span."""

    CREATION = "creation"
    CHANGE = "last change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """How the records of a span of time are asked for.

    With `since_param` the listing takes bounds in unix seconds; with `field` the resource's search
    takes them. With neither, the listing is an export in the order of the stamp: it begins at any
    time, and is left when it has passed the end of the span.
    """

    by: By
    column: str
    """Our column that holds that time."""
    page_size: int
    stamp: str = ""
    """Path of that time in a row; empty where it is not known which one the service goes by."""
    stamp_format: TimeFormat = TimeFormat.ISO
    since_param: str = ""
    """Takes the first second."""
    until_param: str = ""
    """Takes the second behind the last one; the last one may come along."""
    field: str = ""
    newest_first: bool = False
    """Whether the listing is in the order of the stamp, which never changes: a long one is then
    read in slices of time, several at once."""
    total: "Total | None" = None
    """A call that counts all records of the resource."""


@dataclass(frozen=True, slots=True)
class Total:
    """A call that counts records, and where its answer says how many there are."""

    path: str
    count_at: str
