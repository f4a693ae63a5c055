"""Requests keep within the limits that services document."""

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.errors import RateLimitedError
from integrations_pipeline.transport.account import Priority
from integrations_pipeline.transport.ledger import MemoryLedger
from integrations_pipeline.transport.limits import Limits, Result, Scope
from tests.contract.connecting import REALM

# service, method, path, the most that the service takes: requests in seconds
LIMITS = [
    ("hubspot", "POST", "/crm/v3/objects/contacts/search", [(5, 1)]),
    ("hubspot", "GET", "/crm/v3/objects/contacts", [(110, 10)]),
    ("stripe", "GET", "/v1/customers", [(25, 1)]),
    ("stripe", "GET", "/v1/customers/search", [(20, 1)]),
    ("zendesk", "GET", "/api/v2/incremental/tickets/cursor", [(10, 60)]),
    ("zendesk", "GET", "/api/v2/search/export", [(100, 60), (200, 60)]),
    ("zendesk", "GET", "/api/v2/tickets", [(100, 60)]),
    ("zendesk", "GET", "/api/v2/tickets/show_many", [(200, 60)]),
    ("zendesk", "PUT", "/api/v2/tickets/35436.json", [(30, 600), (100, 60)]),
    ("zendesk", "GET", "/api/v2/satisfaction_ratings", [(200, 60)]),
    ("quickbooks", "GET", f"/v3/company/{REALM}/query", [(10, 1), (500, 60)]),
    ("quickbooks", "POST", f"/v3/company/{REALM}/batch", [(10, 1), (40, 60)]),
    ("quickbooks", "GET", f"/v3/company/{REALM}/reports/ProfitAndLoss", [(10, 1), (200, 60)]),
    ("jira", "GET", "/rest/api/3/field", [(100, 1), (65_000, 3600)]),
    ("jira", "PUT", "/rest/api/3/issue/10412", [(50, 1), (20, 2), (100, 30)]),
    ("slack", "GET", "/users.list", [(20, 60)]),
    ("slack", "GET", "/conversations.history", [(50, 60)]),
    ("slack", "GET", "/conversations.members", [(100, 60)]),
    ("slack", "POST", "/chat.postMessage", [(1, 1)]),
    ("microsoft_teams", "GET", "/reports/getTeamsUserActivityUserDetail", [(14, 600), (15, 1)]),
    ("microsoft_teams", "GET", "/teams/19f/channels/1a/messages", [(4, 1), (20, 1), (200, 1)]),
    ("microsoft_teams", "GET", "/users", [(15, 1)]),
    ("shopify", "GET", "/admin/api/2026-01/shop.json", [(40, 20)]),
]


def quotas_of(name, method, path):
    return [quota for quota in CONNECTORS[name].quotas if quota.fits(method, path)]


def fitting(name, method, path, most):
    """How many such requests, one after the other, are let go at once."""
    limits = Limits(name, CONNECTORS[name].quotas, scope=Scope("account", "app"))
    for number in range(most + 1):
        try:
            leave = limits.enter(method, path, Priority.INCREMENTAL, 0.0, _refuse)
        except RateLimitedError:
            return number
        limits.leave(leave, Result(answered=True))
    return most + 1


def _refuse(_seconds):
    raise AssertionError("nobody waits without patience")


@pytest.mark.parametrize(("name", "method", "path", "limits"), LIMITS)
def test_requests_keep_within_the_documented_limits(name, method, path, limits):
    quotas = quotas_of(name, method, path)
    for requests, seconds in limits:
        # a rolling limit in a shorter span holds in a longer one as often as it goes into that
        bounds = [q.requests / q.cost * max(1, seconds / q.seconds) for q in quotas if q.requests]
        assert min(bounds) <= requests

    tightest = min(q.requests // q.cost for q in quotas if q.requests)
    assert fitting(name, method, path, tightest) == tightest  # the whole of it, and no more


AT_ONCE = {"salesforce": 25, "stripe": 8, "google_analytics": 10, "mailchimp": 8, "quickbooks": 10}


@pytest.mark.parametrize("name", AT_ONCE)
def test_no_more_requests_are_under_way_than_the_service_bears(name):
    found = [quota.concurrent for quota in CONNECTORS[name].quotas if quota.concurrent]

    assert found == [AT_ONCE[name]]


def test_what_counts_for_each_by_itself_is_counted_so():
    limits = Limits("Teams", CONNECTORS["microsoft_teams"].quotas, scope=Scope("account"))
    for team in ("19a", "19b"):
        for _ in range(3):
            path = f"/teams/{team}/channels"
            leave = limits.enter("GET", path, Priority.INCREMENTAL, 0.0, _refuse)
            limits.leave(leave, Result(answered=True))
        with pytest.raises(RateLimitedError, match="one team"):
            limits.enter("GET", f"/teams/{team}/channels", Priority.INCREMENTAL, 0.0, _refuse)


def test_a_page_of_a_search_costs_a_point_for_each_record():
    ledger = MemoryLedger()
    scope = Scope("account", "app")
    limits = Limits("Jira", CONNECTORS["jira"].quotas, scope=scope, ledger=ledger)
    path = "/rest/api/3/search/jql"
    leave = limits.enter("GET", path, Priority.INCREMENTAL, 0.0, _refuse)
    limits.leave(leave, Result(answered=True))

    assert ledger.look("app")[0].windows["points an hour"].used == 101


def test_the_names_of_limits_are_apart_where_they_are_not_meant_to_be_shared():
    for name, connector in CONNECTORS.items():
        labels = {q.label: (q.requests, q.seconds, q.per) for q in connector.quotas}
        for quota in connector.quotas:
            assert labels[quota.label] == (quota.requests, quota.seconds, quota.per), name
