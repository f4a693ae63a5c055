"""Where services are reached to be connected, against their own pages."""

from string import Formatter

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.auth import Proof
from integrations_pipeline.connectors.base import IntegrationType
from tests.contract.connecting import (
    ACME,
    ALL,
    CLOUD,
    GUID,
    QBO,
    QBO_TEST,
    REALM,
    SHOP,
    TEAMS_LOGIN,
    filled,
    oauth_of,
)

# service, what is known of the account, authorize, token, revoke, API
ADDRESSES = [
    (
        "salesforce",
        {"instance_url": ACME},
        "https://login.salesforce.com/services/oauth2/authorize",
        "https://login.salesforce.com/services/oauth2/token",
        "https://login.salesforce.com/services/oauth2/revoke",
        ACME,
    ),
    (
        "salesforce",
        {"login_host": "test.salesforce.com", "instance_url": ACME},
        "https://test.salesforce.com/services/oauth2/authorize",
        "https://test.salesforce.com/services/oauth2/token",
        "https://test.salesforce.com/services/oauth2/revoke",
        ACME,
    ),
    (
        "quickbooks",
        {"account_id": REALM},
        "https://appcenter.intuit.com/connect/oauth2",
        "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
        "https://developer.api.intuit.com/v2/oauth2/tokens/revoke",
        f"{QBO}/v3/company/{REALM}",
    ),
    (
        "quickbooks",
        {"account_id": REALM, "api_host": "sandbox-quickbooks.api.intuit.com"},
        "https://appcenter.intuit.com/connect/oauth2",
        "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
        "https://developer.api.intuit.com/v2/oauth2/tokens/revoke",
        f"{QBO_TEST}/v3/company/{REALM}",
    ),
    (
        "google_analytics",
        {},
        "https://accounts.google.com/o/oauth2/v2/auth",
        "https://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com/revoke",
        "https://analyticsdata.googleapis.com/v1beta",
    ),
    (
        "jira",
        {"cloud_id": CLOUD},
        "https://auth.atlassian.com/authorize",
        "https://auth.atlassian.com/oauth/token",
        None,
        f"https://api.atlassian.com/ex/jira/{CLOUD}",
    ),
    (
        "mailchimp",
        {"dc": "us3"},
        "https://login.mailchimp.com/oauth2/authorize",
        "https://login.mailchimp.com/oauth2/token",
        None,
        "https://us3.api.mailchimp.com/3.0",
    ),
    (
        "slack",
        {},
        "https://slack.com/oauth/v2/authorize",
        "https://slack.com/api/oauth.v2.access",
        "https://slack.com/api/auth.revoke",
        "https://slack.com/api",
    ),
    (
        "microsoft_teams",
        {"tenant": GUID},
        f"{TEAMS_LOGIN}/authorize",
        f"{TEAMS_LOGIN}/token",
        None,
        "https://graph.microsoft.com/v1.0",
    ),
    (
        "shopify",
        {"shop": "acme.myshopify.com"},
        f"{SHOP}/oauth/authorize",
        f"{SHOP}/oauth/access_token",
        None,
        f"{SHOP}/api/2026-10",
    ),
]


@pytest.mark.parametrize(("name", "told", "authorize", "token", "revoke", "api"), ADDRESSES)
def test_services_are_reached_at_their_documented_addresses(
    name, told, authorize, token, revoke, api
):
    connector = CONNECTORS[name]
    oauth = oauth_of(name)
    assert filled(connector, oauth.authorize_url, told) == authorize
    assert filled(connector, oauth.token_url, told) == token
    assert (filled(connector, oauth.revoke.url, told) if oauth.revoke else None) == revoke
    assert filled(connector, connector.api_base_url, told) == api
    assert connector.type is IntegrationType[name.upper()]


@pytest.mark.parametrize("name", ["mailchimp", "slack", "microsoft_teams", "shopify"])
def test_what_addresses_are_filled_with_is_told_or_found_before_the_first_call(name):
    connector, oauth = CONNECTORS[name], oauth_of(name)
    told = {setting.name for setting in connector.settings}
    found = {fact.name for call in oauth.discovery for fact in call.facts}
    urls = (connector.api_base_url, oauth.authorize_url, oauth.token_url)
    needed = [{key for _, key, _, _ in Formatter().parse(url) if key} for url in urls]

    assert needed[0] <= told | found
    assert needed[1] | needed[2] <= told


@pytest.mark.parametrize(
    ("name", "json_body", "proof"),
    [
        ("salesforce", False, Proof.NOTHING),
        ("quickbooks", True, Proof.CLIENT),
        ("google_analytics", False, Proof.NOTHING),
    ],
)
def test_a_token_is_revoked_by_itself(name, json_body, proof):
    revoke = CONNECTORS[name].oauth.revoke
    assert (revoke.method, revoke.body) == ("POST", {"token": "{token}"})
    assert (revoke.json_body, revoke.proof) == (json_body, proof)


def test_a_slack_token_ends_itself():
    revoke = oauth_of("slack").revoke

    assert revoke.url == "https://slack.com/api/auth.revoke"
    assert (revoke.method, dict(revoke.body), revoke.proof) == ("POST", {}, Proof.TOKEN)


def test_other_tokens_cannot_be_ended():
    without = [name for name in ALL if oauth_of(name).revoke is None]

    assert without == ["jira", "mailchimp", "microsoft_teams", "shopify"]
