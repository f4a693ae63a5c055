"""Where each service is reached, and the facts of its OAuth."""

from datetime import timedelta

import pytest

from integrations_pipeline.connectors import CONNECTORS, SYNCED
from integrations_pipeline.connectors.auth import HeaderAuth
from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth.endpoints import endpoints_of
from integrations_pipeline.settings import Settings

HUBSPOT_API, STRIPE_API, HELP_DESK = (
    "https://api.hubapi.com",
    "https://api.stripe.com",
    "https://acme.zendesk.com",
)
# service -> settings, authorize, token, revoke, API
ADDRESSES = {
    "hubspot": (
        {},
        "https://app.hubspot.com/oauth/authorize",
        f"{HUBSPOT_API}/oauth/2026-03/token",
        f"{HUBSPOT_API}/oauth/2026-03/token/revoke",
        HUBSPOT_API,
    ),
    "stripe": (
        {},
        "https://marketplace.stripe.com/oauth/v2/authorize",
        f"{STRIPE_API}/v1/oauth/token",
        "",
        STRIPE_API,
    ),
    "zendesk": (
        {"subdomain": "acme"},
        f"{HELP_DESK}/oauth/authorizations/new",
        f"{HELP_DESK}/oauth/tokens",
        f"{HELP_DESK}/api/v2/oauth/tokens/current",
        HELP_DESK,
    ),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_services_are_reached_at_their_documented_addresses(name):
    settings, *wanted = ADDRESSES[name]
    found = endpoints_of(CONNECTORS[name], Settings(), settings)

    told = [found.authorize_url, found.token_url, found.revoke_url, found.api_base_url]
    assert told == wanted
    assert not found.allow_private


HOSTS = ["evil.example/", "acme.evil", "Acme", "-acme", "acme@evil", "acme:80", "", "127.0.0.1#"]


@pytest.mark.parametrize("subdomain", HOSTS)
def test_a_subdomain_cannot_lead_elsewhere(subdomain):
    with pytest.raises(RequestError):
        endpoints_of(CONNECTORS["zendesk"], Settings(), {"subdomain": subdomain})


# service -> PKCE, life of a token whose answer says none, account's place
FACTS = {
    "hubspot": (True, timedelta(minutes=30), "hub_id"),
    "stripe": (False, timedelta(hours=1), "stripe_user_id"),
    "zendesk": (True, None, ""),
}


@pytest.mark.parametrize("name", FACTS)
def test_the_facts_of_oauth(name):
    oauth = CONNECTORS[name].oauth
    places = {fact.name: fact.at for fact in oauth.token_facts}

    told = (oauth.pkce, oauth.lifetime, places.get("account_id", ""))
    assert told == FACTS[name]


# service -> how long a refresh token lives that nobody uses, key of its own life, carriage
CARE = {
    "hubspot": (None, "", HeaderAuth()),
    "stripe": (timedelta(days=365), "", HeaderAuth()),
    "zendesk": (timedelta(days=30), "refresh_token_expires_in", HeaderAuth()),
}


@pytest.mark.parametrize("name", CARE)
def test_what_keeps_a_connection_alive(name):
    oauth = CONNECTORS[name].oauth

    assert (oauth.idle, oauth.refresh_life_at, oauth.carriage) == CARE[name]


# service -> the call that tells whose account it is, and the facts it is asked for
IDENTITY = {
    "hubspot": ("/account-info/v3/details", {"account_id": "portalId"}),
    "stripe": (
        "/v1/account",
        {"account_id": "id", "account_name": "settings.dashboard.display_name"},
    ),
    "zendesk": ("/api/v2/users/me", {"agent_role": "user.role"}),
}


@pytest.mark.parametrize("name", IDENTITY)
def test_who_the_account_is_is_asked_after_the_grant(name):
    (call,) = CONNECTORS[name].identity

    assert (call.url, {fact.name: fact.at for fact in call.facts}) == IDENTITY[name]


CRM = ("contacts", "companies", "deals", "tickets", "owners")
WRITABLE = CRM[:-1]
SCOPES = {
    "hubspot": (
        {f"crm.objects.{name}.read" for name in CRM},
        {f"crm.objects.{name}.write" for name in WRITABLE},
    ),
    "stripe": (set(), set()),
    "zendesk": ({"read"}, {"tickets:write", "users:write", "organizations:write"}),
}


@pytest.mark.parametrize("name", SCOPES)
def test_the_resources_ask_for_their_scopes(name):
    connector = CONNECTORS[name]
    by_resource = connector.oauth.resource_scopes
    read = {scope for one in by_resource.values() for scope in one.read}
    write = {scope for one in by_resource.values() for scope in one.write}

    assert (read, write) == SCOPES[name]
    if read:  # none of the resources that are read goes without
        assert all(by_resource[resource.name].read for resource in connector.resources)


@pytest.mark.parametrize("name", SYNCED)
def test_every_service_that_is_synced_is_pinned_here(name):
    assert all(name in table for table in (ADDRESSES, FACTS, CARE, IDENTITY, SCOPES))
