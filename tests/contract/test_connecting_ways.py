"""Other ways in than a person's consent, and where credentials travel."""

import re
from datetime import timedelta

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.auth import BasicAuth, Grant, HeaderAuth, KeyAccess
from integrations_pipeline.connectors.google_analytics import GOOGLE_ANALYTICS
from integrations_pipeline.connectors.jira import JIRA
from integrations_pipeline.connectors.mailchimp import MAILCHIMP
from integrations_pipeline.connectors.salesforce import SALESFORCE
from tests.contract.connecting import ALL, FROM_KEY, GUID, MY, SHOP, TEAMS_LOGIN, filled, oauth_of


def test_client_credentials_of_salesforce_need_no_browser():
    way = SALESFORCE.others["client_credentials"]
    assert way.grant is Grant.CLIENT_CREDENTIALS
    assert way.asks_again
    assert (way.authorize_url, way.scopes, way.resource_scopes) == ("", (), {})
    url = filled(SALESFORCE, way.token_url, {"login_host": f"acme.{MY}"})
    assert url == f"https://acme.{MY}/services/oauth2/token"
    assert way.lifetime == timedelta(minutes=30)


def test_a_service_account_of_google_signs_for_itself():
    way = GOOGLE_ANALYTICS.others["service_account"]
    assert way.grant is Grant.JWT_BEARER
    assert way.asks_again
    assert (way.authorize_url, way.scopes, way.discovery) == ("", (), ())
    assert way.token_url == "https://oauth2.googleapis.com/token"
    assert way.resource_scopes == GOOGLE_ANALYTICS.oauth.resource_scopes


def test_an_api_token_of_jira_goes_to_the_site_itself():
    way = JIRA.others["api_token"]
    assert isinstance(way, KeyAccess)
    assert way.carriage == BasicAuth()
    assert way.template.format(email="kim@example.com", secret="t0k") == "kim@example.com:t0k"
    assert way.api_base_url.format(site="acme.atlassian.net") == "https://acme.atlassian.net"


def test_an_app_asks_microsoft_for_all_that_an_administrator_granted():
    oauth = oauth_of("microsoft_teams", "client_credentials")

    assert oauth.grant is Grant.CLIENT_CREDENTIALS
    assert oauth.asks_again
    assert oauth.lifetime == timedelta(hours=1)
    assert oauth.token_url.format(tenant=GUID) == f"{TEAMS_LOGIN}/token"
    assert oauth.scopes == ("https://graph.microsoft.com/.default",)
    assert not oauth.authorize_url
    assert not oauth.resource_scopes


def test_the_tenant_of_an_app_is_known_without_asking():
    oauth = oauth_of("microsoft_teams", "client_credentials")

    assert oauth.facts == {"account_id": "{tenant}"}
    assert not any(oauth_of(name).facts for name in ALL)


def test_an_app_of_the_shops_own_organisation_asks_for_itself():
    oauth = oauth_of("shopify", "client_credentials")

    assert oauth.grant is Grant.CLIENT_CREDENTIALS
    assert oauth.token_url.format(shop="acme.myshopify.com") == f"{SHOP}/oauth/access_token"
    assert oauth.lifetime == timedelta(hours=24)
    assert not oauth.token_params


# service, name of the way, secrets that fit, secrets that do not
KEYS = [
    ("mailchimp", "api_key", [f"{FROM_KEY}us3"], [f"{FROM_KEY}", "us3", f"{FROM_KEY}us3:x"]),
    (
        "slack",
        "bot_token",
        ["xoxb-1-2-Ab9", "xoxp-1-2-3-ab"],
        ["xoxe.xoxb-1-Mi", "xoxe-1-Mi", "xapp-1-A", "xoxb-", "xoxb-1\n", "xoxb-1 x", "xoxb-é"],
    ),
    (
        "shopify",
        "access_token",
        ["shpat_0123456789abcdef"],
        ["shprt_0123", "shpat_", "shpat_1\r\nX: y", "shpat_é", "0123456789abcdef"],
    ),
]


KEY_WAYS = [
    (name, way)
    for name, connector in CONNECTORS.items()
    for way, access in connector.ways.items()
    if isinstance(access, KeyAccess)
]
EXAMPLES = {
    "private_app": "pat-eu1-0123456789abcdef",
    "api_token": "Ab9=_-",
    "bot_token": "xoxb-1-2",
    "access_token": "shpat_09",
    ("stripe", "api_key"): "rk_live_a_1",
    ("mailchimp", "api_key"): f"{FROM_KEY}us3",
}
# zero-width space, curly quote, soft hyphen, digits and letters of other scripts, spaces, an end
ALIEN = ["\u200b", "\u201c", "\u00ad", "\u0663", "\uff13", "\u0430", "\u00a0", " ", "\n", "\0"]


@pytest.mark.parametrize(("name", "way"), KEY_WAYS)
def test_a_key_is_plain_ascii(name, way):
    pattern = CONNECTORS[name].others[way].pattern
    secret = EXAMPLES.get(way) or EXAMPLES[name, way]

    assert re.fullmatch(pattern, secret)
    for alien in ALIEN:
        for at in (0, len(secret) // 2, len(secret)):
            assert not re.fullmatch(pattern, secret[:at] + alien + secret[at:])


@pytest.mark.parametrize("secret", ["\u200bkey", "\u201ckey\u201d", "ke\u0663y", "k y", ""])
def test_a_key_of_any_other_service_is_plain_ascii(secret):
    pattern = KeyAccess(label="Key").pattern

    assert re.fullmatch(pattern, "!k:e/y~=")
    assert not re.fullmatch(pattern, secret)


@pytest.mark.parametrize(("name", "way", "good", "bad"), KEYS)
def test_a_key_is_recognised_before_it_is_sent(name, way, good, bad):
    pattern = CONNECTORS[name].others[way].pattern

    assert all(re.fullmatch(pattern, secret) for secret in good)
    assert not [secret for secret in bad if re.fullmatch(pattern, secret)]


def test_a_mailchimp_key_names_its_data_centre_and_travels_as_password():
    key = MAILCHIMP.others["api_key"]
    secret = f"{FROM_KEY}us21"

    assert re.fullmatch(key.pattern, secret).groupdict() == {"dc": "us21"}
    assert key.template.format(secret=secret) == f"any:{secret}"
    assert key.carriage == BasicAuth()


def test_credentials_travel_where_each_service_looks_for_them():
    bearer = HeaderAuth("Authorization", "Bearer ")
    shopify = HeaderAuth("X-Shopify-Access-Token", "")
    ways = {(name, way): how for name in ALL for way, how in CONNECTORS[name].ways.items()}

    assert {key: how.carriage for key, how in ways.items()} == {
        ("salesforce", "oauth"): bearer,
        ("salesforce", "client_credentials"): bearer,
        ("quickbooks", "oauth"): bearer,
        ("google_analytics", "oauth"): bearer,
        ("google_analytics", "service_account"): bearer,
        ("jira", "oauth"): bearer,
        ("jira", "api_token"): BasicAuth(),
        ("mailchimp", "oauth"): bearer,
        ("mailchimp", "api_key"): BasicAuth(),
        ("slack", "oauth"): bearer,
        ("slack", "bot_token"): bearer,
        ("microsoft_teams", "oauth"): bearer,
        ("microsoft_teams", "client_credentials"): bearer,
        ("shopify", "oauth"): shopify,
        ("shopify", "access_token"): shopify,
        ("shopify", "client_credentials"): shopify,
    }
