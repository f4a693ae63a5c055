"""What a declaration of a Custom service builds: its connector, its way in, its carriage."""

import re
from datetime import timedelta

import pytest

from integrations_pipeline.connectors.auth import (
    BasicAuth,
    ClientAuth,
    Fact,
    FollowUp,
    Grant,
    HeaderAuth,
    KeyAccess,
    OAuth,
    Proof,
    QueryAuth,
)
from integrations_pipeline.connectors.base import IntegrationType
from integrations_pipeline.connectors.custom import CUSTOM, custom_connector
from tests.contract.custom_declarations import (
    API,
    API_KEY,
    BEARER,
    CLIENT,
    OAUTH,
    SMALL_OAUTH,
    declared,
)


def test_the_whole_declaration_becomes_a_connector():
    test = {"path": "/me?fields=id", "account_id": "data.id", "account_name": "data.name"}
    built = custom_connector(declared(OAUTH, headers={"X-Version": "2"}, test=test))

    assert (built.type, built.name, built.label) == (
        IntegrationType.CUSTOM,
        "custom",
        "api.example.com",
    )
    assert (built.api_base_url, built.headers, built.resources) == (API, {"X-Version": "2"}, ())
    facts = (Fact("account_id", "data.id"), Fact("account_name", "data.name"))
    assert built.identity == (FollowUp(url="/me?fields=id", facts=facts),)


def test_oauth_takes_every_option():
    oauth = custom_connector(declared(OAUTH)).oauth

    assert oauth.revoke.url == OAUTH["revoke_url"]
    assert oauth.revoke.body == {"token": "{token}", "token_type_hint": "{kind}"}
    assert (oauth.revoke.proof, oauth.revoke.json_body) == (Proof.CLIENT, True)
    assert oauth == OAuth(
        authorize_url=OAUTH["authorize_url"],
        token_url=OAUTH["token_url"],
        revoke=oauth.revoke,
        client_auth=ClientAuth.BASIC,
        json_body=True,
        pkce=False,
        authorize_params=OAUTH["authorize_params"],
        token_params=OAUTH["token_params"],
        scopes=("read", "write:all"),
        scope_separator=",",
        issuer=OAUTH["issuer"],
        dead_errors=("token_revoked",),
        lifetime=timedelta(hours=1),
        idle=timedelta(days=30),
        refresh_life_at="refresh_token_expires_in",
    )


def test_the_defaults_of_oauth_are_those_of_the_vocabulary():
    wanted = OAuth(
        authorize_url=OAUTH["authorize_url"].partition("?")[0], token_url=CLIENT["token_url"]
    )
    spelled = {"revoke_url": None, "issuer": "", "lifetime_seconds": None, "idle_days": None}

    assert custom_connector(declared(SMALL_OAUTH)).oauth == wanted
    assert custom_connector(declared({**SMALL_OAUTH, **spelled})).oauth == wanted


def test_a_revocation_in_the_body_names_the_client():
    revoke = custom_connector(declared({**OAUTH, "client_auth": "body"})).oauth.revoke

    assert set(revoke.body) == {"token", "token_type_hint", "client_id", "client_secret"}
    assert revoke.proof is Proof.NOTHING


WAYS = {
    "oauth": (OAUTH, OAuth),
    "client_credentials": (CLIENT, OAuth),
    "api_key": (API_KEY, KeyAccess),
    "basic": ({"type": "basic"}, KeyAccess),
    "bearer": (BEARER, KeyAccess),
}


@pytest.mark.parametrize("name", WAYS)
def test_there_is_exactly_one_way(name):
    auth, kind = WAYS[name]
    built = custom_connector(declared(auth))

    assert list(built.ways) == [name]
    assert isinstance(built.ways[name], kind)
    assert (built.oauth is not None) == (name == "oauth")


def test_client_credentials_ask_without_a_person():
    way = custom_connector(declared(CLIENT)).ways["client_credentials"]

    assert (way.grant, way.authorize_url, way.asks_again) == (Grant.CLIENT_CREDENTIALS, "", True)
    assert (way.client_auth, way.scopes) == (ClientAuth.BASIC_SECRET, ("read",))
    assert way.token_params == CLIENT["token_params"]


KEYS = [
    (API_KEY, HeaderAuth("X-Api-Key", "Token ")),
    ({**API_KEY, "name": "Authorization"}, HeaderAuth("Authorization", "Token ")),
    ({"type": "api_key", "in": "query", "name": "filter[key]"}, QueryAuth("filter[key]")),
    ({"type": "api_key", "in": "header", "name": "apikey"}, HeaderAuth("apikey", "")),
    ({"type": "basic"}, BasicAuth()),
    (BEARER, HeaderAuth("Authorization", "Bearer ")),
]


@pytest.mark.parametrize(("auth", "carriage"), KEYS)
def test_a_key_travels_where_it_is_declared(auth, carriage):
    (way,) = custom_connector(declared(auth)).ways.values()

    assert (way.carriage, way.template) == (carriage, "{secret}")


PAIRS = {"me:pass word": True, "key:": True, ":pw": True, "a:b:c": True}
PAIRS |= {":": False, "key": False, "": False, "a:b\n": False, "a\r:b": False}


@pytest.mark.parametrize("pair", PAIRS)
def test_basic_wants_user_and_password(pair):
    way = custom_connector(declared({"type": "basic"})).ways["basic"]

    assert bool(re.fullmatch(way.pattern, pair)) == PAIRS[pair]


def test_the_service_is_listed():
    assert (CUSTOM.type, CUSTOM.name, CUSTOM.label) == (IntegrationType.CUSTOM, "custom", "Custom")
    assert (CUSTOM.ways, CUSTOM.resources, CUSTOM.api_base_url) == ({}, (), "")
