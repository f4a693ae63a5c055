"""Where each service is reached, and the facts of its OAuth."""

from datetime import timedelta

import pytest

from integrations_pipeline.connectors import CONNECTORS
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
        None,
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


# service -> PKCE, refresh token changes, life of a token whose answer says none, account's place
FACTS = {
    "hubspot": (True, False, timedelta(minutes=30), "hub_id"),
    "stripe": (False, True, timedelta(hours=1), "stripe_user_id"),
    "zendesk": (True, True, None, ""),
}


@pytest.mark.parametrize("name", FACTS)
def test_the_facts_of_oauth(name):
    oauth = CONNECTORS[name].oauth

    assert (oauth.pkce, oauth.rotates, oauth.lifetime, oauth.account_at) == FACTS[name]


CRM = ("contacts", "companies", "deals", "tickets", "owners")
SCOPES = {
    "hubspot": {f"crm.objects.{name}.read" for name in CRM},
    "stripe": set(),
    "zendesk": {"read"},
}


@pytest.mark.parametrize("name", SCOPES)
def test_the_resources_ask_for_their_scopes(name):
    asked = {scope for resource in CONNECTORS[name].resources for scope in resource.scopes}

    assert asked == SCOPES[name]
