"""Whatever a token endpoint answers: a token set, or one of our errors."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from integrations_pipeline.connectors.auth import Fact, OAuth
from integrations_pipeline.errors import IntegrationsError, RejectedError, TransientError
from integrations_pipeline.oauth.endpoints import Endpoints
from integrations_pipeline.oauth.provider import OAuthClient, TokenSet

OAUTH = OAuth(
    token_url="",
    lifetime=timedelta(hours=1),
    token_facts=(Fact("account_id", "id", r"[a-z0-9]+"), Fact("account_name", "team.name")),
    refresh_life_at="refresh_expires_in",
    consent_life_at="a.b",
)
NAMES = (
    *("access_token", "refresh_token", "token_type", "expires_in", "expires_at", "scope", "scopes"),
    *("error", "error_description", "error_uri", "state", "id", "team", "refresh_expires_in"),
    *("mac_key", "a", ""),
)
TEXTS = st.text(st.characters(), max_size=20)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**300, 10**310),
    st.floats(),
    TEXTS,
    st.sampled_from(["t", "3600", "123456789012x", "1e9", "invalid_grant", "1" * 400, "\ud800"]),
)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES) | TEXTS, ANYTHING, max_size=8)
TOKENS = st.fixed_dictionaries({"access_token": st.just("t")})


class Answered(requests.adapters.BaseAdapter):
    """Gives one answer to everything."""

    def __init__(self, body: bytes, status: int) -> None:
        super().__init__()
        self.body, self.status = body, status

    def send(self, request, **_) -> requests.Response:
        response = requests.Response()
        response.status_code, response._content = self.status, self.body
        response.url, response.request = request.url, request
        response.headers["Content-Type"] = "application/json"
        return response

    def close(self) -> None:
        """Nothing is open."""


class Client(OAuthClient):
    """Ours, with a service that answers at once."""

    body, status = b"", 200

    def _session(self, *given):
        session = super()._session(*given)
        session.mount("https://", Answered(Client.body, Client.status))
        return session


def outcomes(body: bytes, status: int = 200) -> list[TokenSet | IntegrationsError]:
    """What an exchange and a refresh make of an answer."""
    Client.body, Client.status = body, status
    places = Endpoints("https://a.example", "https://t.example", "", "", "", allow_private=False)
    client = Client("Acme", OAUTH, places, "id", "secret", "https://us.example/callback")
    found: list[TokenSet | IntegrationsError] = []
    for ask in (lambda: client.exchange("c", "v" * 43, ("a",)), lambda: client.refresh("r", ())):
        try:
            found.append(ask())
        except IntegrationsError as error:
            found.append(error)
    return found


@settings(deadline=None, max_examples=300)
@given(TOKENS | st.just({}), OBJECTS, st.sampled_from([200, 200, 400, 401, 500]))
@example({}, {"access_token": "t", "scopes": True}, 200)
@example({}, {"access_token": "t", "scope": 5}, 200)
@example({}, {"access_token": "t", "expires_in": "123456789012x"}, 200)
@example({}, {"access_token": "t", "expires_in": [1]}, 200)
@example({}, {"access_token": "t", "expires_in": float("nan")}, 200)
@example({}, {"access_token": "t", "expires_in": float("inf"), "expires_at": float("nan")}, 200)
@example({}, {"access_token": "t", "expires_in": "\u0663"}, 200)
@example({}, {"access_token": "t", "scope": [[], None], "scopes": {"a": 1}}, 200)
@example({}, {"access_token": "\u201ct", "refresh_token": "\ud800"}, 200)
@example({}, {"error": ["x"], "error_description": {}, "error_uri": 5, "state": []}, 400)
def test_any_object_is_a_token_set_or_one_of_our_errors(token, junk, status) -> None:
    for found in outcomes(json.dumps({**junk, **token}).encode(), status):
        assert isinstance(found, TokenSet | IntegrationsError)
        if isinstance(found, TokenSet):
            assert found.access_token.encode("ascii")
            assert all(isinstance(scope, str) and scope.isascii() for scope in found.scopes)
            assert all(isinstance(value, str) for value in found.facts.values())


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200), st.sampled_from([200, 400]))
@example(b"[" * 100_000, 200)
@example(b'{"access_token": "t", "a": ' + b"[" * 100_000, 200)
@example(b'{"access_token": "t", "expires_in": ' + b"9" * 5000 + b"}", 200)
@example(b"\xff\xfe{\x00}\x00", 200)
def test_any_bytes_are_one_of_our_errors(body, status) -> None:
    assert all(isinstance(found, IntegrationsError) for found in outcomes(body, status))


GOOD = [
    ({"expires_in": "3600"}, 3600),
    ({"expires_in": 59.9}, 59),
    ({"expires_in": " 60 "}, 60),
    ({"expires_in": "60x"}, 3600),
    ({"expires_in": True}, 3600),
    ({"expires_in": -5}, 3600),
]


@pytest.mark.parametrize(("told", "seconds"), GOOD)
def test_a_life_is_believed_only_whole(told, seconds) -> None:
    before = datetime.now(UTC)

    for found in outcomes(json.dumps({"access_token": "t", "error": None, **told}).encode()):
        assert isinstance(found, TokenSet)
        life = timedelta(seconds=seconds)
        assert before + life <= found.expires_at <= datetime.now(UTC) + life


def test_tokens_that_no_header_can_carry_are_no_tokens() -> None:
    for name in ("access_token", "refresh_token"):
        body = json.dumps({"access_token": "t", name: "a\u200bb"}).encode()
        assert all(isinstance(found, TransientError) for found in outcomes(body))
        assert all(isinstance(found, RejectedError) for found in outcomes(body, 400))
