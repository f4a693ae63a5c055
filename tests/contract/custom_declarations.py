"""Declarations of a Custom service, whole and small, and what becomes of a bad one."""

import pytest

from integrations_pipeline.connectors.custom import custom_connector
from integrations_pipeline.errors import RequestError

API = "https://api.example.com/v2"
OAUTH = {
    "type": "oauth2",
    "authorize_url": "https://login.example.com/authorize?owner=user",
    "token_url": "https://login.example.com/token",
    "revoke_url": "https://login.example.com/revoke",
    "scopes": ["read", "write:all"],
    "scope_separator": ",",
    "client_auth": "basic",
    "body_format": "json",
    "pkce": False,
    "authorize_params": {"prompt": "consent", "token_access_type": "offline"},
    "token_params": {"refresh_token_expires_in": "2592000"},
    "issuer": "https://issuer.example.com",
    "lifetime_seconds": 3600,
    "idle_days": 30,
    "refresh_life_at": "refresh_token_expires_in",
    "dead_errors": ["token_revoked"],
}
SMALL_OAUTH = {
    "type": "oauth2",
    "authorize_url": "https://login.example.com/authorize",
    "token_url": "https://login.example.com/token",
}
CLIENT = {
    "type": "client_credentials",
    "token_url": "https://login.example.com/token",
    "scopes": ["read"],
    "token_params": {"audience": "https://api.example.com", "resource": "urn:x"},
    "client_auth": "basic_secret",
}
API_KEY = {"type": "api_key", "in": "header", "name": "X-Api-Key", "prefix": "Token "}
BEARER = {"type": "bearer"}


def declared(auth=BEARER, **more):
    return {"base_url": API, "auth": auth, **more}


def refusal(settings, **more):
    with pytest.raises(RequestError) as refused:
        custom_connector(settings, **more)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    return str(refused.value)


def put(settings, place, value):
    *way, last = place
    for name in way:
        settings = settings[name]
    settings[last] = value


def oauth(**more):
    return declared({**OAUTH, **more})


def key(**more):
    return declared({**API_KEY, **more})
