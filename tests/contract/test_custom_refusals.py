"""What a declaration of a Custom service may not say, each refused by its place."""

import pytest

from tests.contract.custom_declarations import API, BEARER, CLIENT, declared, key, oauth, refusal

SEALED, OURS, UNKNOWN = "give the secret to `integrations connect`", "is set by us", "is not known"
NO_HEADER, NO_FIELD, NO_PATH = "must be a header name", "must be printable ASCII", "must be a path"
BAD = [
    # settings, place, part of the complaint
    ({}, "base_url", "is missing"),
    ({"base_url": API}, "auth", "is missing"),
    ({"auth": BEARER, "base_url": f"{API}?a=1"}, "base_url", "must have no query"),
    ({"auth": BEARER, "base_url": f"{API}?"}, "base_url", "must have no query"),
    (declared("bearer"), "auth", "must be an object"),
    (declared({}), "auth", "`type` is missing"),
    (declared({"type": "saml"}), "auth", "must be one of oauth2"),
    (declared({"type": "oauth2"}), "auth.token_url", "is missing"),
    (declared(colour="red"), "colour", UNKNOWN),
    (declared({**BEARER, "colour": 1}), "auth.colour", UNKNOWN),
    (declared(test={"path": "/me", "expect": 200}), "test.expect", UNKNOWN),
    # secrets
    (declared(client_secret="s"), "client_secret", SEALED),
    (declared(password="s"), "password", SEALED),
    (declared(apiKey="s"), "apiKey", SEALED),
    (oauth(client_secret="s"), "auth.client_secret", SEALED),
    (declared({**BEARER, "token": "s"}), "auth.token", SEALED),
    (declared({"type": "basic", "password": "s"}), "auth.password", SEALED),
    (key(api_key="s"), "auth.api_key", SEALED),
    (declared(test={"path": "/me", "access_token": "s"}), "test.access_token", SEALED),
    (declared(headers={"X-Api-Key": "s"}), "headers.X-Api-Key", SEALED),
    (declared(headers={"X-Auth-Token": "s"}), "headers.X-Auth-Token", SEALED),
    (oauth(authorize_params={"api_key": "s"}), "auth.authorize_params.api_key", SEALED),
    (oauth(token_params={"password": "s"}), "auth.token_params.password", SEALED),
    (declared(test={"path": "/me?access_token=s"}), "test.path", SEALED),
    (oauth(token_url="https://a.example/t?api_key=s"), "auth.token_url", SEALED),
    # headers
    (declared(headers=[]), "headers", "must be a valid dictionary"),
    (declared(headers={"": "a"}), "headers.", NO_HEADER),
    (declared(headers={"A B": "a"}), "headers.A B", NO_HEADER),
    (declared(headers={"A:": "a"}), "headers.A:", NO_HEADER),
    (declared(headers={"A\r\nB": "a"}), r"headers.'A\r\nB'", NO_HEADER),
    (declared(headers={"Ä": "a"}), "headers.Ä", NO_HEADER),
    (declared(headers={"\ud800": "a"}), "headers.\ufffd\ufffd\ufffd", NO_HEADER),
    (declared(headers={"A": "a\r\nCookie: b"}), "headers.A", NO_FIELD),
    (declared(headers={"A": "a\n"}), "headers.A", NO_FIELD),
    (declared(headers={"A": "\x00"}), "headers.A", NO_FIELD),
    (declared(headers={"A": " a"}), "headers.A", NO_FIELD),
    (declared(headers={"A": "{id}"}), "headers.A", NO_FIELD),
    (declared(headers={"A": "a" * 1001}), "headers.A", NO_FIELD),
    (declared(headers={"A": 1}), "headers.A", "must be a valid string"),
    (declared(headers={"A": "1", "a": "2"}), "headers", "the same header twice"),
    (declared(headers={f"A{n}": "1" for n in range(21)}), "headers", "at most 20 items"),
    (key() | {"headers": {"x-trace": "1", "X-Trace": "1"}}, "headers", "twice"),
    (key(name="X-Trace") | {"headers": {"x-trace": "1"}}, "settings", "carries the key"),
    # keys
    (key(name="X Key"), "auth.name", NO_HEADER),
    (key(name=""), "auth.name", NO_HEADER),
    (key(name="a" * 101), "auth.name", NO_HEADER),
    (key(name="Host"), "auth.name", "header of the connection"),
    (key(name="cookie"), "auth.name", "header of the connection"),
    (key(name="Proxy-Authorization"), "auth.name", "header of the connection"),
    (key(**{"in": "body"}), "auth.in", "must be 'header' or 'query'"),
    (key(prefix="a" * 41), "auth.prefix", "at most 40 printable"),
    (key(prefix="a\n"), "auth.prefix", "at most 40 printable"),
    (key(**{"in": "query", "prefix": "a", "name": "k"}), "auth.prefix", "header only"),
    (key(**{"in": "query", "prefix": "", "name": "a&b"}), "auth.name", "parameter's name"),
    # OAuth
    (oauth(scopes="read"), "auth.scopes", "must be a valid tuple"),
    (oauth(scopes=["a", "b c"]), "auth.scopes.1", "without spaces"),
    (oauth(scopes=["a,b"]), "auth", "single scopes"),
    (oauth(scopes=["a"] * 101), "auth.scopes", "at most 100 items"),
    (oauth(scope_separator="\n"), "auth.scope_separator", "must be ' '"),
    (oauth(client_auth="none"), "auth.client_auth", "must be 'body', 'basic' or 'basic_secret'"),
    (oauth(body_format="xml"), "auth.body_format", "must be 'form' or 'json'"),
    (oauth(pkce="yes"), "auth.pkce", "must be a valid boolean"),
    (oauth(rotates=True), "auth.rotates", UNKNOWN),
    (oauth(idle_days=0), "auth.idle_days", "must be greater than or equal to 1"),
    (oauth(idle_days=True), "auth.idle_days", "must be a valid integer"),
    (oauth(lifetime_seconds=10**30), "auth.lifetime_seconds", "must be"),
    (oauth(lifetime_seconds=-1), "auth.lifetime_seconds", "greater than or equal to 1"),
    (oauth(lifetime_seconds="60"), "auth.lifetime_seconds", "must be a valid integer"),
    (oauth(refresh_life_at="a..b"), "auth.refresh_life_at", "keys joined by dots"),
    (oauth(dead_errors=[""]), "auth.dead_errors.0", "must be printable ASCII"),
    (oauth(authorize_params={"a b": "1"}), "auth.authorize_params.a b", "parameter's name"),
    (oauth(authorize_params={"a": "{x}"}), "auth.authorize_params.a", "braces"),
    (oauth(token_params={"a": "\n"}), "auth.token_params.a", "control characters"),
    (oauth(token_params={"a": "\ud800"}), "auth.token_params.a", "control characters"),
    (oauth(token_params={f"a{n}": "1" for n in range(21)}), "auth.token_params", "at most 20"),
    (oauth(authorize_url="https://a.example/?state=x"), "auth.authorize_url", "that is ours"),
    (declared({**CLIENT, "authorize_url": API}), "auth.authorize_url", UNKNOWN),
    (declared({**CLIENT, "pkce": True}), "auth.pkce", UNKNOWN),
    # the test call
    (declared(test="/me"), "test", "must be an object"),
    (declared(test={}), "test.path", "is missing"),
    (declared(test={"path": "me"}), "test.path", NO_PATH),
    (declared(test={"path": "//evil.example"}), "test.path", NO_PATH),
    (declared(test={"path": "https://evil.example"}), "test.path", NO_PATH),
    (declared(test={"path": "/https://evil.example"}), "test.path", NO_PATH),
    (declared(test={"path": "/../me"}), "test.path", 'must not contain ".."'),
    (declared(test={"path": "/%2E%2e/me"}), "test.path", 'must not contain ".."'),
    (declared(test={"path": "/\\evil.example"}), "test.path", "without spaces"),
    (declared(test={"path": "/{id}"}), "test.path", "without spaces"),
    (declared(test={"path": "/me#x"}), "test.path", "without spaces"),
    (declared(test={"path": "/me", "account_id": "$.id"}), "test.account_id", "joined by dots"),
    (declared(test={"path": "/me", "account_id": "a" * 201}), "test.account_id", "joined by dots"),
]


@pytest.mark.parametrize(("settings", "place", "complaint"), BAD)
def test_a_bad_declaration_is_refused_by_its_place(settings, place, complaint):
    message = refusal(settings)

    assert message.startswith(f"{place}: ")
    assert complaint in message
    assert message.endswith("Correct the settings and save them again.")
    assert "Value error" not in message


HEADERS = ["Authorization", "COOKIE", "host", "Content-Length", "transfer-encoding", "Connection"]
HEADERS += ["Proxy-Authorization", "proxy-x", "TE", "Upgrade", "Trailer", "Expect", "Keep-Alive"]
AUTHORIZE = ["client_id", "redirect_uri", "State", "response_type", "code_challenge", "scope"]
AUTHORIZE += ["code_challenge_method", "response_mode", "request", "request_uri"]
TOKEN = ["grant_type", "code", "refresh_token", "client_id", "client_secret", "redirect_uri"]
TOKEN += ["code_verifier", "GRANT_TYPE"]
TAKEN = [(declared(headers={name: "x"}), f"headers.{name}") for name in HEADERS]
TAKEN += [
    (oauth(authorize_params={name: "x"}), f"auth.authorize_params.{name}") for name in AUTHORIZE
]
TAKEN += [(oauth(token_params={name: "x"}), f"auth.token_params.{name}") for name in TOKEN]


@pytest.mark.parametrize(("settings", "place"), TAKEN)
def test_what_we_set_cannot_be_declared(settings, place):
    assert refusal(settings).startswith(f"{place}: {OURS}")


def test_each_problem_is_told_and_no_value_is():
    value = "hunter2" * 30
    settings = {"base_url": value, "auth": {"type": value}, "colour": value, "n" * 500: value}
    message = refusal(settings)

    assert [name in message for name in ("base_url: ", "auth: ", "colour: ")] == [True] * 3
    assert "hunter2" not in message
    assert "n" * 81 not in message
    assert len(message) < 600


def test_many_problems_are_counted():
    message = refusal({**declared(), **{f"colour{n}": 1 for n in range(500)}})

    assert message.count(UNKNOWN) == 10
    assert "490 more problems." in message
