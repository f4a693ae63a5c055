"""Stripe's query parameters: plain, lists as types[] or types[0], and ranges as created[gte]."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from integrations_pipeline.sandbox.stripe.errors import invalid, unknown_parameter
from integrations_pipeline.sandbox.tables import Record

_BRACKETS = re.compile(r"(\w+)\[(\w*)\]")
_RANGES = frozenset({"created", "due_date", "current_period_start", "current_period_end"})
_LISTS = frozenset({"expand", "ids", "types"})
_BOUNDS = ("gt", "gte", "lt", "lte")


@dataclass
class Parameters:
    """The parameters of one request, sorted by form."""

    plain: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    ranges: dict[str, dict[str, int]] = field(default_factory=dict)

    def within(self, name: str, value: int | None) -> bool:
        """Whether a value is within the range asked for, if one is."""
        bounds = self.ranges.get(name)
        if not bounds:
            return True
        return value is not None and all(_holds(kind, value, b) for kind, b in bounds.items())


def parsed(pairs: Iterable[tuple[str, str]], allowed: set[str]) -> Parameters:
    """The parameters; what the endpoint does not know is refused."""
    found = Parameters()
    for name, value in pairs:
        brackets = _BRACKETS.fullmatch(name)
        stem, inner = brackets.groups() if brackets else (name, None)
        if stem not in allowed:
            raise unknown_parameter(name)
        if inner is None and stem in _RANGES:
            found.ranges[stem] = {"gte": _number(name, value), "lte": _number(name, value)}
        elif inner is None:
            found.plain[stem] = value
        elif stem in _RANGES and inner in _BOUNDS:
            found.ranges.setdefault(stem, {})[inner] = _number(name, value)
        elif stem in _LISTS and (inner == "" or inner.isdecimal()):
            found.lists.setdefault(stem, []).append(value)
        else:
            raise unknown_parameter(name)
    return found


def page_size(parameters: Parameters) -> int:
    """The limit asked for, 1 to 100."""
    text = parameters.plain.get("limit", "10")
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise invalid(f"Invalid limit: {text}, must be 1 to 100", "limit", "parameter_invalid")
    return int(text)


def flag(value: str) -> bool:
    """A boolean as Stripe reads it."""
    return value.lower() == "true"


def equal(record: Record, name: str, value: str) -> bool:
    """Whether a field has this value, exactly and case-sensitively."""
    return str(record.get(name)) == value


def _number(name: str, value: str) -> int:
    if not re.fullmatch(r"-?\d+", value):
        raise invalid(f"Invalid integer: {value}", name, "parameter_invalid_integer")
    return int(value)


def _holds(kind: str, value: int, bound: int) -> bool:
    match kind:
        case "gt":
            return value > bound
        case "gte":
            return value >= bound
        case "lt":
            return value < bound
        case _:
            return value <= bound
