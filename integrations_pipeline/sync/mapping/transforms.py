"""What the transforms do, a batch at a time. Imports pandas: only where a mapping is applied.

Each function takes a column of JSON values and gives the column that comes of it, with the places
that it can't handle. What happens to one value never depends on the others in its batch.
"""

import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
import pandas as pd

from integrations_pipeline.sync.mapping import steps
from integrations_pipeline.sync.mapping.dates import parse_date
from integrations_pipeline.sync.mapping.locales import NO, YES, convention
from integrations_pipeline.sync.mapping.outcomes import Outcome, is_text, put, series

LONGEST_NUMBER = 100
"""Characters: what is longer is not meant as a number."""
MASKED = "***"


@dataclass(frozen=True, slots=True, repr=False)
class Batch:
    """What a step may need beside its column."""

    values_of: Callable[[str], Sequence[Any]]
    """The values at another path of the same records."""
    key: bytes
    """What `hash` hashes under."""


def apply_step(step: steps.Step, values: "pd.Series[Any]", batch: Batch) -> Outcome:
    """The column that a step makes of another."""
    return _APPLY[type(step)](values, step, batch)


def _trim(values: "pd.Series[Any]", _step: steps.Trim, _batch: Batch) -> Outcome:
    found = values[is_text(values)]
    return Outcome(put(values, found.str.strip()))


def _case(values: "pd.Series[Any]", step: steps.Case, _batch: Batch) -> Outcome:
    found = values[is_text(values)].str
    changed = {"lower": found.lower, "upper": found.upper, "title": found.title}[step.to]()
    return Outcome(put(values, changed))


def _parse_number(values: "pd.Series[Any]", step: steps.ParseNumber, _batch: Batch) -> Outcome:
    how = convention(step.locale)
    stripped = values[is_text(values)].str.strip()
    blank = stripped[stripped == ""].map(_nothing)
    given = stripped[(stripped != "") & (stripped.str.len() <= LONGEST_NUMBER)]
    good = given[given.str.fullmatch(how.number).astype(bool)].str.translate(how.plain)
    numbers = series([_exact(text) for text in good], good.index)
    handled = [blank.index, numbers.index, _places(values, _is_number)]
    reason = f"is no number as the locale {step.locale} writes it"
    return Outcome(put(values, blank, numbers), _unhandled(values, handled, reason))


def _parse_boolean(values: "pd.Series[Any]", step: steps.ParseBoolean, _batch: Batch) -> Outcome:
    words = dict.fromkeys(NO, False) | dict.fromkeys(YES, True)
    words |= dict.fromkeys((word.strip().casefold() for word in step.false), False)
    words |= dict.fromkeys((word.strip().casefold() for word in step.true), True)
    told: dict[str, bool | None] = {"": None, **words}
    folded = values[is_text(values)].str.strip().str.casefold()
    known = folded[folded.isin(list(told))]
    flags = series([told[word] for word in known], known.index)
    digits = values[[_is_number(value) and value in {0, 1} for value in values]].map(bool)
    handled = [flags.index, digits.index, _places(values, _is_flag)]
    reason = "is neither of the words for true and false"
    return Outcome(put(values, flags, digits), _unhandled(values, handled, reason))


def _split(values: "pd.Series[Any]", step: steps.Split, _batch: Batch) -> Outcome:
    found = values[is_text(values)]
    parts = found.str.split(step.separator, regex=False)
    if step.part is not None:
        at = step.part
        chosen = [one[at] if -len(one) <= at < len(one) else None for one in parts]
        parts = series(chosen, found.index)
    return Outcome(put(values, parts), _unhandled(values, [found.index], "is no text"))


def _concat(values: "pd.Series[Any]", step: steps.Concat, batch: Batch) -> Outcome:
    columns = [list(values), *(batch.values_of(path) for path in step.fields)]
    rows: Iterable[tuple[Any, ...]] = zip(*columns, strict=True)
    return _joined(values, [_texts(row) for row in rows], step.separator)


def _template(values: "pd.Series[Any]", step: steps.Template, batch: Batch) -> Outcome:
    columns: list[Sequence[Any]] = []
    for literal, path in steps.pieces_of(step.text):
        columns.append([literal] * len(values))
        if path is not None:
            columns.append(list(values) if path == steps.VALUE else batch.values_of(path))
    rows: Iterable[tuple[Any, ...]] = zip(*columns, strict=True)
    return _joined(values, [_texts(row) for row in rows], "")


def _lookup(values: "pd.Series[Any]", step: steps.Lookup, _batch: Batch) -> Outcome:
    table = step.table
    if step.ignore_case:
        table = {key.casefold(): value for key, value in table.items()}
    texts = [_text(value) for value in values]
    keys = series([t.casefold() if t and step.ignore_case else t for t in texts], values.index)
    known = keys[keys.isin(list(table))]
    found = put(values, series([table[key] for key in known], known.index))
    if step.otherwise == "keep":
        return Outcome(found)
    left = _unhandled(values, [known.index], "is not in the table")
    if step.otherwise == "null":
        return Outcome(put(found, series([None] * len(left), pd.Index(left, dtype="int64"))))
    return Outcome(found, left)


def _default(values: "pd.Series[Any]", step: steps.Default, _batch: Batch) -> Outcome:
    empty = values[[value is None or value == "" for value in values]]
    return Outcome(put(values, series([step.value] * len(empty), empty.index)))


def _mask(values: "pd.Series[Any]", step: steps.Mask, _batch: Batch) -> Outcome:
    found, bad = _as_texts(values)
    kept = step.keep_first + step.keep_last
    first, last = found.str.slice(0, step.keep_first), found.str.slice(-step.keep_last or None)
    ends = last if step.keep_last else last.str.slice(0, 0)
    shown = first + MASKED + ends
    # what is kept must be the smaller part of the text
    shown[found.str.len().astype("int64") <= 2 * kept] = MASKED
    return Outcome(put(values, shown), bad)


def _hash(values: "pd.Series[Any]", _step: steps.Hash, batch: Batch) -> Outcome:
    found, bad = _as_texts(values)
    hashed = [_hashed(batch.key, text) for text in found]
    return Outcome(put(values, series(hashed, found.index)), bad)


def _constant(values: "pd.Series[Any]", step: steps.Constant, _batch: Batch) -> Outcome:
    return Outcome(series([step.value] * len(values), values.index))


_APPLY: dict[type, Callable[..., Outcome]] = {
    steps.Trim: _trim,
    steps.Case: _case,
    steps.ParseNumber: _parse_number,
    steps.ParseDate: lambda values, step, _: parse_date(values, step),
    steps.ParseBoolean: _parse_boolean,
    steps.Split: _split,
    steps.Concat: _concat,
    steps.Template: _template,
    steps.Lookup: _lookup,
    steps.Default: _default,
    steps.Mask: _mask,
    steps.Hash: _hash,
    steps.Constant: _constant,
}


def _hashed(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()


def _exact(text: str) -> int | float | Decimal:
    """The number, as JSON can hold it without loss."""
    number = Decimal(text)
    if number == int(number) and abs(number) < 2**63:
        return int(number)
    if len(number.as_tuple().digits) <= 15:  # what a double keeps
        return float(number)
    return number


def _text(value: Any) -> str | None:
    """The value as a text; None where it is none or holds others."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, dict | list):
        return None
    return (
        str(value)
        if isinstance(value, Decimal | int) and not isinstance(value, bool)
        else (orjson.dumps(value).decode())
    )


def _texts(row: tuple[Any, ...]) -> list[str] | None:
    """The texts of a row without what is missing; None where a value holds others."""
    if any(isinstance(value, dict | list) for value in row):
        return None
    return [text for value in row if (text := _text(value))]


def _joined(values: "pd.Series[Any]", rows: list[list[str] | None], separator: str) -> Outcome:
    texts = [None if row is None else separator.join(row) or None for row in rows]
    bad = {place: "one of the fields is no text" for place, row in enumerate(rows) if row is None}
    return Outcome(series(texts, values.index), bad)


def _as_texts(values: "pd.Series[Any]") -> "tuple[pd.Series[Any], dict[int, str]]":
    texts = series([_text(value) for value in values], values.index)
    found = texts[is_text(texts)]
    return found, _unhandled(values, [found.index], "is no text")


def _unhandled(
    values: "pd.Series[Any]", handled: "Iterable[pd.Index[Any]]", reason: str
) -> dict[int, str]:
    """The places of values, none of them null, that no rule took."""
    left = values[values.notna()].index
    for places in handled:
        left = left.difference(places, sort=False)
    return dict.fromkeys(left.tolist(), reason)


def _places(values: "pd.Series[Any]", test: Callable[[Any], bool]) -> "pd.Index[Any]":
    return values.index[[test(value) for value in values]]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _nothing(_: Any) -> None:
    return None
