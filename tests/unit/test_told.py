"""What answers tell about limits, in the forms of the services."""

from datetime import UTC, datetime

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.access import Quota, ResetForm, Told
from integrations_pipeline.transport.told import Tally, seconds_until, tally
from integrations_pipeline.transport.windows import Window

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
EPOCH = NOW.timestamp()


@pytest.mark.parametrize(
    ("value", "form", "seconds"),
    [
        ("42", ResetForm.SECONDS, 42),
        ("1.5", ResetForm.SECONDS, 1.5),
        (str(int(EPOCH) + 42), ResetForm.EPOCH, 42),
        (str(int(EPOCH) * 1000 + 42_000), ResetForm.EPOCH_MS, 42),
        ("2026-03-02T09:00:42Z", ResetForm.ISO, 42),
        ("2026-03-02T10:00:42+01:00", ResetForm.ISO, 42),
        ("Mon, 02 Mar 2026 09:00:42 GMT", ResetForm.ISO, 42),
        ("2026-03-02T08:00:00Z", ResetForm.ISO, 0),
        (str(int(EPOCH) - 42), ResetForm.EPOCH, 0),
        ("soon", ResetForm.SECONDS, None),
        ("soon", ResetForm.ISO, None),
        ("", ResetForm.EPOCH, None),
        (None, ResetForm.SECONDS, None),
        ("1e99", ResetForm.SECONDS, None),
        ("nan", ResetForm.SECONDS, None),
    ],
)
def test_every_form_of_a_reset(value, form, seconds):
    assert seconds_until(value, form, NOW) == seconds


def told(name, path, headers, body=None):
    quotas = [quota for quota in CONNECTORS[name].quotas if quota.fits("GET", path)]
    found = {quota.label: tally(quota, headers, body) for quota in quotas}
    return {label: one for label, one in found.items() if one}


COST = {"maximumAvailable": 2000.0, "currentlyAvailable": 1954, "restoreRate": 100.0}
TELLS = {
    "hubspot": (
        "/crm/v3/objects/contacts",
        {"X-HubSpot-RateLimit-Max": "190", "X-HubSpot-RateLimit-Remaining": "187"},
        None,
        {"all requests: 110 in 10 s": Tally(190, 3)},
    ),
    "zendesk": (
        "/api/v2/incremental/tickets/cursor",
        {
            "X-Rate-Limit": "700",
            "X-Rate-Limit-Remaining": "699",
            "ratelimit-reset": "30",
            "zendesk-ratelimit-incremental-exports": "total=30; remaining=7; resets=42",
        },
        None,
        {"requests a minute": Tally(700, 1, 30.0), "incremental-exports": Tally(30, 23, 42.0)},
    ),
    "salesforce": (
        "/services/data/v65.0/query",
        {"Sforce-Limit-Info": "api-usage=10018/100000; per-app-api-usage=17/250(appName=sample)"},
        None,
        {"daily requests": Tally(100_000, 10_018)},
    ),
    "shopify": (
        "/admin/api/2026-01/graphql.json",
        {},
        {"extensions": {"cost": {"throttleStatus": COST}}},
        {"query cost": Tally(2000, 46)},
    ),
    "google_analytics": (
        "/v1beta/properties/1:runReport",
        {},
        {"propertyQuota": {"tokensPerDay": {"consumed": 4, "remaining": 199_000}}},
        {"tokensPerDay": Tally(None, 1000)},
    ),
}


@pytest.mark.parametrize("name", TELLS)
def test_every_services_own_way_to_tell(name):
    path, headers, body, expected = TELLS[name]

    assert told(name, path, headers, body) == expected


@pytest.mark.parametrize("value", ["", "many", "-1", "0", "1e400", "99999999999999999999"])
def test_junk_tells_nothing(value):
    quota = Quota(10, 1.0, told=Told(limit="X-Max"))

    assert tally(quota, {"X-Max": value}, None) is None


def window(*hits, seconds=60.0):
    return Window(seconds, hits=list(hits))


def test_what_others_use_counts_and_what_is_on_the_way_is_not_taken_for_theirs():
    mine = window((1000.0, 3))
    mine.correct(10, 2, 1010.0, None)
    assert mine.used == 8

    mine.correct(10, 2, 1010.0, None)
    assert mine.used == 8


def test_what_others_use_counts_no_longer_than_until_the_service_begins_anew():
    mine = window()
    mine.correct(10, 0, 1000.0, 5.0)
    assert mine.free_at(10) == 1005.0


def test_an_answer_that_was_overtaken_gives_nothing_back_in_a_short_window():
    mine = window((1000.0, 8))
    mine.correct(5, 0, 1001.0, None)
    assert mine.used == 8


def test_a_day_is_counted_as_the_service_counts_it():
    mine = window((1000.0, 900), (50_000.0, 10), seconds=86_400.0)
    mine.correct(12, 0, 60_000.0, None)  # it began anew at midnight
    assert mine.hits == [(1000.0, 2), (50_000.0, 10)]
