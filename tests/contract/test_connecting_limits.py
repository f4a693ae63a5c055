"""Requests keep within the limits that services document."""

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.transport.pacing import Pacer
from tests.contract.connecting import REALM

# service, path, the most that the service takes: requests in seconds
LIMITS = [
    ("quickbooks", f"/v3/company/{REALM}/query", [(10, 1), (500, 60)]),
    ("quickbooks", f"/v3/company/{REALM}/batch", [(40, 60)]),
    ("quickbooks", f"/v3/company/{REALM}/reports/ProfitAndLoss", [(200, 60)]),
    ("jira", "/rest/api/3/search/jql", [(100, 1)]),
    ("jira", "/rest/api/3/issue/10412", [(50, 1)]),
]


@pytest.mark.parametrize(("name", "path", "limits"), LIMITS)
def test_requests_keep_within_the_documented_limits(name, path, limits):
    quotas = CONNECTORS[name].quotas
    quota = next(quota for quota in quotas if quota.path_contains in path)
    pauses = []

    def wait(seconds):
        pauses.append(seconds)
        raise TimeoutError

    pacer = Pacer(quotas)
    for _ in range(quota.requests):
        pacer.admit(path, wait)
    assert pauses == []  # the whole quota passes at once, and no more
    with pytest.raises(TimeoutError):
        pacer.admit(path, wait)

    for requests, seconds in limits:
        windows = max(1, seconds / quota.seconds)
        assert quota.requests * windows <= requests


def test_services_without_a_limit_on_requests_are_not_paced():
    unpaced = ("salesforce", "google_analytics", "mailchimp", "shopify")  # costs and connections
    assert [CONNECTORS[name].quotas for name in unpaced] == [()] * 4


def test_requests_are_paced_by_each_services_own_measure():
    paced = {
        name: {(q.path_contains, q.requests, q.seconds) for q in CONNECTORS[name].quotas}
        for name in ("slack", "microsoft_teams")
    }

    assert paced["microsoft_teams"] == {("/reports/", 14, 600), ("/teams/", 3, 1), ("", 15, 1)}
    assert paced["slack"] == {
        ("/conversations.list", 20, 60),
        ("/users.list", 20, 60),
        ("/usergroups.list", 20, 60),
        ("/conversations.history", 50, 60),
        ("/conversations.replies", 50, 60),
        ("/files.list", 50, 60),
        ("/conversations.members", 100, 60),
        ("/chat.postMessage", 1, 1),
    }
