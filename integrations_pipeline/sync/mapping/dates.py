"""Texts and numbers as dates and points in time, by pandas."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from integrations_pipeline.sync.mapping import steps
from integrations_pipeline.sync.mapping.locales import ISO, convention, date_pattern
from integrations_pipeline.sync.mapping.outcomes import Outcome, is_text, put, series

FIRST, LAST = np.datetime64("0001-01-01"), np.datetime64("9999-12-31T23:59:59.999999")
"""What other programs can read; a time zone may move a time beyond it."""
DAY = np.timedelta64(1, "D")
PER_SECOND = {"seconds": 1, "milliseconds": 1000}


def parse_date(values: "pd.Series[Any]", step: steps.ParseDate) -> Outcome:
    """ISO 8601 texts: dates, or points in time in UTC. Blank texts are null."""
    texts = values[is_text(values)].str.strip()
    blank, given = texts[texts == ""], texts[texts != ""]
    nothing = series([None] * len(blank), blank.index)
    if step.formats:
        read = _by_formats(given, step)
    else:
        read = [*_as_iso(given, step), _by_order(given, step)]
    if step.unit:
        read.append(_counted(values, step))
    written = [_written(one, step.to) for one in read]
    left = values[values.notna()].index.difference(blank.index, sort=False)
    for one in written:
        left = left.difference(one.index, sort=False)
    faults = {place: _reason(values[place], step) for place in left.tolist()}
    return Outcome(put(values, nothing, *written), faults)


def _reason(value: Any, step: steps.ParseDate) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool) and not step.unit:
        return "is a number: the step must name its unit"
    if step.formats:
        return "is no date of the formats given"
    return f"is neither an ISO 8601 date nor one as the locale {step.locale} writes it"


def _by_formats(texts: "pd.Series[Any]", step: steps.ParseDate) -> "list[pd.Series[Any]]":
    """Each text by the first format that fits."""
    # more digits of a second than six would change what else fits into the same column
    left = texts.str.replace(r"(\.\d{6})\d+", r"\1", regex=True)
    read = []
    for one in step.formats:
        aware = "%z" in one
        found = pd.to_datetime(left, format=one, errors="coerce", utc=aware).dropna()
        left = left.drop(found.index)
        read.append(_local(found, step) if aware else _placed(found, step))
    return read


def _as_iso(texts: "pd.Series[Any]", step: steps.ParseDate) -> "Iterable[pd.Series[Any]]":
    parts = texts.str.extract(ISO)
    walls = parts["wall"].str.replace(r"(\.\d{6})\d+", r"\1", regex=True)
    aware = parts["offset"].notna()
    told = walls[aware] + parts["offset"][aware].str.upper()
    yield _local(_iso(told, utc=True), step)
    yield _placed(_iso(walls[~aware], utc=False), step)


def _iso(texts: "pd.Series[Any]", *, utc: bool) -> "pd.Series[Any]":
    return pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=utc).dropna()


def _by_order(texts: "pd.Series[Any]", step: steps.ParseDate) -> "pd.Series[Any]":
    parts = texts.str.extract(date_pattern(convention(step.locale).order)).dropna(subset=["year"])
    if parts.empty:
        return _placed(_iso(parts["year"], utc=False), step)
    half = parts.pop("half").str.upper()
    numbers = parts.fillna("0").astype("int64")
    twelve = half.notna() & ~numbers["hour"].between(1, 12)
    hour = numbers["hour"].where(half.isna(), numbers["hour"] % 12 + 12 * (half == "P"))
    days = pd.to_datetime(numbers[["year", "month", "day"]][~twelve], errors="coerce").dropna()
    seconds = hour * 3600 + numbers["minute"] * 60 + numbers["second"]
    return _placed(days + pd.to_timedelta(seconds[days.index], unit="s"), step)


def _counted(values: "pd.Series[Any]", step: steps.ParseDate) -> "pd.Series[Any]":
    """Numbers that count seconds or milliseconds since 1970."""
    per_second = PER_SECOND[step.unit or "seconds"]
    most = LAST.astype("datetime64[s]").astype(int) * per_second
    fit = [
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= most
        for value in values
    ]
    counted = values[fit]
    micros = [round(value * 1_000_000 / per_second) for value in counted]
    moments = pd.Series(np.array(micros, dtype="datetime64[us]"), index=counted.index)
    return _local(moments.dt.tz_localize("UTC"), step)


def _placed(times: "pd.Series[Any]", step: steps.ParseDate) -> "pd.Series[Any]":
    """Times of a wall clock, in its zone or as the days that they name."""
    if step.to == "date" or step.zone == "UTC":
        return times
    times = _movable(times)
    # an hour that comes twice is its first; one that never comes is what follows it
    twice = np.ones(len(times), dtype=bool)
    zoned = times.dt.tz_localize(step.zone, ambiguous=twice, nonexistent="shift_forward")
    return _plain(zoned, "UTC")


def _local(times: "pd.Series[Any]", step: steps.ParseDate) -> "pd.Series[Any]":
    """Points in time, in UTC, or as days of the zone."""
    if step.to == "timestamp" or step.zone == "UTC":
        return _plain(times, "UTC")
    return _plain(_movable(_plain(times, "UTC")).dt.tz_localize("UTC"), step.zone)


def _movable(times: "pd.Series[Any]") -> "pd.Series[Any]":
    """Those that stay within what pandas can move to another zone: a day off both ends."""
    array = times.to_numpy(dtype="datetime64[us]")
    return times[(array >= FIRST + DAY) & (array <= LAST - DAY)]


def _plain(times: "pd.Series[Any]", zone: str) -> "pd.Series[Any]":
    """What a clock in the zone shows."""
    shown: pd.Series[Any] = times.dt.tz_convert(zone).dt.tz_localize(None)
    return shown


def _written(times: "pd.Series[Any]", to: str) -> "pd.Series[Any]":
    array = times.to_numpy(dtype="datetime64[us]")
    fit = (array >= FIRST) & (array <= LAST)
    times, array = times[fit], array[fit]
    if to == "date":
        return series(np.datetime_as_string(array, unit="D").tolist(), times.index)
    whole = array == array.astype("datetime64[s]")
    short = np.datetime_as_string(array, unit="s").astype(object)
    long = np.datetime_as_string(array, unit="us").astype(object)
    return series((np.where(whole, short, long) + "Z").tolist(), times.index)
