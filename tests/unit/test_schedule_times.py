"""Cron in a time zone: each local slot once, also where clocks are put forward or back."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from integrations_pipeline.errors import RequestError
from integrations_pipeline.sync.scheduling import Dispatched, next_time, summary

NEW_YORK, KOLKATA = "America/New_York", "Asia/Kolkata"


def times(cron: str, timezone: str, start: datetime, end: datetime) -> list[datetime]:
    """All times between, found one after the other as the dispatcher does."""
    found, moment = [], start
    while (moment := next_time(cron, timezone, moment)) < end:
        found.append(moment)
    return found


def year(timezone: str) -> tuple[datetime, datetime]:
    zone = ZoneInfo(timezone)
    return (
        datetime(2024, 12, 31, 23, 59, tzinfo=zone).astimezone(UTC),
        datetime(2026, 1, 1, tzinfo=zone).astimezone(UTC),
    )


ZONES = [NEW_YORK, KOLKATA, "Europe/London", "Australia/Lord_Howe", "UTC"]


@pytest.mark.parametrize("timezone", ZONES)
@pytest.mark.parametrize("cron", ["0 9 * * *", "30 1 * * *", "30 2 * * *", "0 0 * * *"])
def test_a_daily_slot_comes_once_a_day(timezone, cron) -> None:
    found = times(cron, timezone, *year(timezone))

    days = Counter(moment.astimezone(ZoneInfo(timezone)).date() for moment in found)
    assert set(days) == {date(2025, 1, 1) + timedelta(days=n) for n in range(365)}
    assert set(days.values()) == {1}


@pytest.mark.parametrize("timezone", [NEW_YORK, KOLKATA, "Europe/London", "UTC"])
def test_an_hourly_slot_comes_every_hour(timezone) -> None:
    found = times("0 * * * *", timezone, *year(timezone))

    assert len(found) == 8760
    if timezone != KOLKATA:  # whose hours begin at half past, seen from here
        assert {moment.minute for moment in found} == {0}
    assert {later - one for one, later in pairwise(found)} == {timedelta(hours=1)}


LOCAL = [
    (NEW_YORK, "0 9 * * *", "2025-03-08T12:00", "2025-03-08T14:00"),  # EST
    (NEW_YORK, "0 9 * * *", "2025-03-09T12:00", "2025-03-09T13:00"),  # EDT
    (NEW_YORK, "0 9 * * *", "2025-11-02T12:00", "2025-11-02T14:00"),
    (NEW_YORK, "30 1 * * *", "2025-11-02T05:00", "2025-11-02T05:30"),  # the first of two 1:30
    (NEW_YORK, "30 1 * * *", "2025-11-02T05:30", "2025-11-03T06:30"),
    (NEW_YORK, "30 2 * * *", "2025-03-09T06:00", "2025-03-09T07:00"),  # 2:30 does not exist
    (KOLKATA, "0 9 * * *", "2025-06-01T00:00", "2025-06-01T03:30"),
    (KOLKATA, "*/15 * * * *", "2025-06-01T00:00", "2025-06-01T00:15"),
    ("UTC", "0 0 29 2 *", "2025-01-01T00:00", "2028-02-29T00:00"),
]


@pytest.mark.parametrize(("timezone", "cron", "after", "expected"), LOCAL)
def test_next_time(timezone, cron, after, expected) -> None:
    found = next_time(cron, timezone, datetime.fromisoformat(after).replace(tzinfo=UTC))

    assert (found, found.tzinfo) == (datetime.fromisoformat(expected).replace(tzinfo=UTC), UTC)


@pytest.mark.parametrize("cron", ["30 1 * * *", "*/15 * * * *", "0 * * * *", "15,45 0-3 * * *"])
@pytest.mark.parametrize("night", ["2025-03-09", "2025-11-02"])
def test_the_next_time_is_always_later(cron, night) -> None:
    start = datetime.fromisoformat(night).replace(tzinfo=ZoneInfo(NEW_YORK)).astimezone(UTC)
    nights_minutes = [start + timedelta(minutes=n) for n in range(300)]

    following = [next_time(cron, NEW_YORK, moment) for moment in nights_minutes]

    late = [m for m, found in zip(nights_minutes, following, strict=True) if found <= m]
    assert late == []
    assert all(one <= other for one, other in pairwise(following))


BAD = [
    ("* * * *", "UTC", "no cron expression"),
    ("61 * * * *", "UTC", "no cron expression"),
    ("every day", "UTC", "no cron expression"),
    ("", "UTC", "no cron expression"),
    ("0 0 31 2 *", "UTC", "'0 0 31 2"),
    ("0 0 * * *", "Mars/Olympus", "no time zone"),
    ("0 0 * * *", "", "no time zone"),
    ("0 0 * * *", "../../etc/passwd", "no time zone"),
    ("0 0 * * *", "/etc/passwd", "no time zone"),
    ("0 0 * * *", "America", "no time zone"),
    ("0 0 * * *", "x" * 5000, "no time zone"),
]


@pytest.mark.parametrize(("cron", "timezone", "told"), BAD)
def test_bad_schedules_are_refused(cron, timezone, told) -> None:
    with pytest.raises(RequestError, match=told):
        next_time(cron, timezone, datetime(2025, 1, 1, tzinfo=UTC))


def test_a_tick_is_told_in_one_line() -> None:
    assert summary([]) == "Nothing is due."
    told = summary([Dispatched("a--x", None, "it is PAUSED"), Dispatched("a--y", None)])
    assert told == "a--x: it is PAUSED; a--y: job written"
