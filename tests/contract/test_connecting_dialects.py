"""How each service speaks OAuth: its requests, the life of its tokens, its errors."""

from datetime import timedelta

import pytest

from integrations_pipeline.connectors.auth import ClientAuth, Grant
from integrations_pipeline.connectors.google_analytics import GOOGLE_ANALYTICS
from integrations_pipeline.connectors.jira import JIRA
from integrations_pipeline.connectors.microsoft_teams import MICROSOFT_TEAMS
from integrations_pipeline.connectors.quickbooks import QUICKBOOKS
from integrations_pipeline.connectors.salesforce import SALESFORCE
from tests.contract.connecting import ALL, oauth_of

# service -> client authentication, JSON body, PKCE, and what goes into authorize requests,
# into token requests, and into their headers
DIALECTS = {
    "salesforce": (ClientAuth.BODY, False, True, {}, {}, {}),
    "quickbooks": (
        ClientAuth.BASIC,
        False,
        False,
        {},
        {},
        {"x-include-refresh-token-hard-expires-in": "true"},
    ),
    "google_analytics": (
        ClientAuth.BODY,
        False,
        True,
        {"access_type": "offline", "prompt": "consent"},
        {},
        {},
    ),
    "jira": (
        ClientAuth.BODY,
        True,
        False,
        {"audience": "api.atlassian.com", "prompt": "consent"},
        {},
        {},
    ),
    "mailchimp": (ClientAuth.BODY, False, False, {}, {}, {}),
    "slack": (ClientAuth.BASIC, False, False, {}, {}, {}),
    "microsoft_teams": (
        ClientAuth.BODY,
        False,
        True,
        {"response_mode": "query", "prompt": "select_account"},
        {},
        {},
    ),
    "shopify": (ClientAuth.BODY, False, False, {}, {"expiring": "1"}, {}),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_each_service_is_spoken_to_in_its_dialect(name):
    oauth = oauth_of(name)
    client_auth, json_body, pkce, authorize_params, token_params, token_headers = DIALECTS[name]

    assert oauth.grant is Grant.CODE
    assert oauth.client_auth is client_auth
    assert oauth.json_body is json_body
    assert oauth.pkce is pkce
    assert oauth.authorize_params == authorize_params
    assert oauth.token_params == token_params
    assert oauth.token_headers == token_headers


# service -> life of a token whose answer says none, idle life of the refresh token, and the keys
# of its own life and of the consent's
LIVES = {
    "salesforce": (timedelta(minutes=30), timedelta(days=30), "", ""),
    "quickbooks": (
        timedelta(hours=1),
        timedelta(days=100),
        "x_refresh_token_expires_in",
        "x_refresh_token_hard_expires_in",
    ),
    "google_analytics": (
        timedelta(hours=1),
        timedelta(days=180),
        "refresh_token_expires_in",
        "",
    ),
    "jira": (timedelta(hours=1), timedelta(days=90), "", ""),
    "mailchimp": (None, None, "", ""),
    "slack": (None, timedelta(days=30), "", ""),
    "microsoft_teams": (timedelta(hours=1), timedelta(days=90), "", ""),
    "shopify": (None, timedelta(days=90), "refresh_token_expires_in", ""),
}


@pytest.mark.parametrize("name", LIVES)
def test_tokens_live_as_long_as_documented(name):
    oauth = oauth_of(name)
    lifetime, idle, refresh_key, consent_key = LIVES[name]

    assert (oauth.lifetime, oauth.idle) == (lifetime, idle)
    assert (oauth.refresh_life_at, oauth.consent_life_at) == (refresh_key, consent_key)


def test_dead_and_passing_errors_of_the_token_endpoints():
    for way in SALESFORCE.ways.values():
        assert way.dead_errors == ("inactive_user", "inactive_org")
        assert way.retry_errors == ("rate_limit_exceeded",)
    assert JIRA.oauth.dead_errors == ("unauthorized_client",)
    assert QUICKBOOKS.oauth.dead_errors == GOOGLE_ANALYTICS.oauth.dead_errors == ()
    assert GOOGLE_ANALYTICS.oauth.issuer == "https://accounts.google.com"


def test_slack_says_in_the_body_whether_it_granted():
    oauth = oauth_of("slack")

    assert oauth.ok_at == "ok"
    assert {"invalid_refresh_token", "token_revoked", "account_inactive"} < set(oauth.dead_errors)
    assert {"invalid_code", "code_already_used"} < set(oauth.dead_errors)
    assert {"ratelimited", "internal_error", "service_unavailable"} <= set(oauth.retry_errors)
    assert not {"invalid_client_id", "bad_client_secret"} & set(oauth.dead_errors)


def test_microsoft_asks_for_a_person_by_two_more_words():
    assert oauth_of("microsoft_teams").dead_errors == ("interaction_required", "consent_required")


def test_a_shop_signs_the_callback():
    assert [name for name in ALL if oauth_of(name).signed_callback] == ["shopify"]


def test_graph_names_what_it_would_otherwise_hide():
    assert MICROSOFT_TEAMS.headers == {"Prefer": "include-unknown-enum-members"}
