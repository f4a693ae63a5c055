"""Which account a connection is where no answer tells: its own settings say, or nobody knows."""

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.connectors.custom import custom_connector
from integrations_pipeline.oauth import identity
from integrations_pipeline.settings import Settings
from tests.contract.connecting import GUID
from tests.contract.custom_declarations import BEARER, declared

PROBE = {"path": "/me", "account_name": "name"}
EMAIL = {"email": "ada@acme.example"}

# service, way in, settings, what is known, answers to the calls, the id (None: nobody knows)
ACCOUNTS = [
    ("zendesk", "oauth", {"subdomain": "acme"}, {}, {"user": {"role": "admin"}}, "acme"),
    ("zendesk", "api_token", {"subdomain": "acme", **EMAIL}, {}, {}, "acme"),
    ("stripe", "api_key", {}, {}, None, None),
    ("stripe", "api_key", {}, {}, {"id": "acct_1"}, "acct_1"),
    ("stripe", "oauth", {}, {"account_id": "acct_2"}, None, "acct_2"),
    ("hubspot", "private_app", {}, {}, {"portalId": 77}, "77"),
    ("hubspot", "private_app", {}, {}, {}, None),
    ("shopify", "access_token", {"shop": "acme.myshopify.com"}, {}, {}, "acme.myshopify.com"),
    (
        "shopify",
        "oauth",
        {"shop": "renamed.myshopify.com"},
        {},
        {"data": {"shop": {"myshopifyDomain": "first.myshopify.com"}}},
        "first.myshopify.com",
    ),
    ("jira", "api_token", {"site": "acme.atlassian.net", **EMAIL}, {}, {}, None),
    (
        "jira",
        "api_token",
        {"site": "acme.atlassian.net", **EMAIL},
        {"account_id": "acme.atlassian.net"},
        {},
        "acme.atlassian.net",
    ),
    # settings that have defaults say where to sign in or what to read, not whose it is
    ("google_analytics", "service_account", {"property_id": "1"}, {}, {}, None),
    ("microsoft_teams", "oauth", {"tenant": "organizations"}, {}, None, None),
    ("microsoft_teams", "client_credentials", {"tenant": GUID}, {"account_id": GUID}, None, GUID),
    ("slack", "bot_token", {}, {}, {"ok": True}, None),
]


def known(connector: Connector, way, settings, facts, answer, monkeypatch) -> dict[str, str]:
    monkeypatch.setattr(identity, "ask", lambda *_: (answer, None))
    access = connector.ways[way]
    return identity.who_is(connector, access, Settings(), settings, "token", facts)


@pytest.mark.parametrize(("service", "way", "settings", "facts", "answer", "account"), ACCOUNTS)
def test_an_account_has_the_id_that_is_told_or_none(
    service, way, settings, facts, answer, account, monkeypatch
):
    found = known(CONNECTORS[service], way, settings, facts, answer, monkeypatch)

    assert found.get("account_id") == account
    assert ("account_id" in found) == (account is not None)


@pytest.mark.parametrize("test", [None, PROBE])
def test_a_declaration_is_no_account(test, monkeypatch):
    settings = declared(BEARER, **({"test": test} if test else {}))

    found = known(custom_connector(settings), "bearer", settings, {}, {"name": "A"}, monkeypatch)

    assert found == ({"account_name": "A"} if test else {})
