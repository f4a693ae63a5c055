"""Dates and times: by format, by ISO 8601, by the locale's order; with zones and units."""

import pytest

from tests.unit.mapped import bad, good, step

TIMES = [
    ("2024-03-10", {}, "2024-03-10T00:00:00Z"),
    ("2024-03-10T12:30:00Z", {}, "2024-03-10T12:30:00Z"),
    ("2024-03-10 12:30", {}, "2024-03-10T12:30:00Z"),
    ("2024-03-10T12:30:00+02:00", {"zone": "Asia/Tokyo"}, "2024-03-10T10:30:00Z"),
    ("2024-03-10T12:30:00.250-0130", {}, "2024-03-10T14:00:00.250000Z"),
    ("2024-03-10T12:30:00.123456789Z", {}, "2024-03-10T12:30:00.123456Z"),
    ("2024-03-10T12:30:00", {"zone": "Europe/Berlin"}, "2024-03-10T11:30:00Z"),
    ("2024-07-10T12:30:00", {"zone": "Europe/Berlin"}, "2024-07-10T10:30:00Z"),
    # the hour that comes twice, and the one that never comes
    ("2024-10-27T02:30:00", {"zone": "Europe/Berlin"}, "2024-10-27T00:30:00Z"),
    ("2024-03-31T02:30:00", {"zone": "Europe/Berlin"}, "2024-03-31T01:00:00Z"),
    ("9999-12-31T23:59:59.999999", {}, "9999-12-31T23:59:59.999999Z"),
    ("31.12.2024", {"locale": "de"}, "2024-12-31T00:00:00Z"),
    ("1.2.2024, 9:05", {"locale": "de"}, "2024-02-01T09:05:00Z"),
    ("31/12/2024 23:59:58", {"locale": "fr"}, "2024-12-31T23:59:58Z"),
    ("12/31/2024", {"locale": "en-US"}, "2024-12-31T00:00:00Z"),
    ("31/12/2024", {"locale": "en-GB"}, "2024-12-31T00:00:00Z"),
    ("2024. 12. 31.", {"locale": "hu"}, "2024-12-31T00:00:00Z"),
    ("12/31/2024 11:59 PM", {}, "2024-12-31T23:59:00Z"),
    ("12/31/2024 12:05 a.m.", {}, "2024-12-31T00:05:00Z"),
    ("31 Dec 2024", {"formats": ["%d %b %Y"]}, "2024-12-31T00:00:00Z"),
    ("20241231", {"formats": ["%d %b %Y", "%Y%m%d"]}, "2024-12-31T00:00:00Z"),
    ("2024/12/31 10 +0200", {"formats": ["%Y/%m/%d %H %z"]}, "2024-12-31T08:00:00Z"),
    (1_710_073_800, {"unit": "seconds"}, "2024-03-10T12:30:00Z"),
    (1_710_073_800_250, {"unit": "milliseconds"}, "2024-03-10T12:30:00.250000Z"),
    (-1.5, {"unit": "seconds"}, "1969-12-31T23:59:58.500000Z"),
    (" ", {}, None),
    (None, {}, None),
]


@pytest.mark.parametrize(("value", "options", "wanted"), TIMES)
def test_a_point_in_time(value, options, wanted) -> None:
    assert good(value, step("parse_date", **options)) == wanted


DATES = [
    ("2024-03-10", {"zone": "America/New_York"}, "2024-03-10"),
    ("31.12.2024 23:30", {"locale": "de", "zone": "Asia/Tokyo"}, "2024-12-31"),
    ("2024-12-31T23:30:00Z", {"zone": "Asia/Tokyo"}, "2025-01-01"),
    (1_735_687_800, {"unit": "seconds", "zone": "Asia/Tokyo"}, "2025-01-01"),
    ("31 12 99", {"formats": ["%d %m %y"]}, "1999-12-31"),
    ("9999-12-31", {"zone": "America/New_York"}, "9999-12-31"),
    ("1000-01-01", {}, "1000-01-01"),
]


@pytest.mark.parametrize(("value", "options", "wanted"), DATES)
def test_a_day(value, options, wanted) -> None:
    assert good(value, step("parse_date", to="date", **options)) == wanted


@pytest.mark.parametrize(
    ("value", "options"),
    [
        *((text, {}) for text in ("soon", "2024-02-30", "2024-13-01", "2024-3-1", "20240310")),
        *((text, {}) for text in ("2024-03-10T25:00", "2024-03-10T12:61", "13/13/2024")),
        *((text, {}) for text in ("2/30/2024", "12/31/2024 13:00 PM", "12/31/2024 0:30 AM")),
        *((text, {}) for text in ("12/31/24", "0000-01-01", "2024-03-10T12:30:00+25:00")),
        ("9999-12-31T23:30:00-02:00", {}),
        ("9999-12-31T23:30:00", {"zone": "America/New_York"}),
        ("01.01.0001", {"formats": ["%d.%m.%Y"], "zone": "Asia/Tokyo"}),
        ("12/31/2024", {"locale": "de"}),
        ("2024-12-31", {"formats": ["%d.%m.%Y"]}),
        *((value, {}) for value in (5, True, [], {"a": 1})),
        *((value, {"unit": "seconds"}) for value in (1e300, -1e300, True, 10**400)),
    ],
)
def test_what_is_no_date(value, options) -> None:
    reason = bad(value, step("parse_date", **options))

    assert "(step 1, parse_date)" in reason


def test_a_number_without_a_unit_says_what_is_missing() -> None:
    assert "must name its unit" in bad(1_710_072_000, "parse_date")
