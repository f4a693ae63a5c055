"""What a token endpoint's answer means: the token's end, its scopes, its account."""

from datetime import UTC, datetime, timedelta

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.oauth.endpoints import Endpoints
from integrations_pipeline.oauth.flow import scopes_to_ask
from integrations_pipeline.oauth.provider import LONGEST, OAuthClient, _expiry, _granted

HOUR = timedelta(hours=1)
USUAL = timedelta(minutes=30)
LIVES = [
    (3600, HOUR),
    ("3600", HOUR),
    (3600.0, HOUR),
    (" 3600 ", HOUR),
    (10**10, LONGEST),
    ("99999999999", LONGEST),
    (0, USUAL),
    (-1, USUAL),
    ("-3600", USUAL),
    (None, USUAL),
    ("", USUAL),
    ("soon", USUAL),
    ("1 hour", USUAL),
    ([], USUAL),
    ({"seconds": 1}, USUAL),
    (float("nan"), USUAL),
    (float("-inf"), USUAL),
]
HUGE = [float("inf"), 1e300, 10**400, "1e300"]


@pytest.mark.parametrize(("expires_in", "life"), LIVES)
def test_when_a_token_ends(expires_in, life) -> None:
    before = datetime.now(UTC)

    end = _expiry(expires_in, USUAL)

    assert before + life <= end <= datetime.now(UTC) + life


@pytest.mark.parametrize("expires_in", HUGE)
def test_a_senselessly_long_life_is_bounded(expires_in) -> None:
    assert datetime.now(UTC) < _expiry(expires_in, USUAL) <= datetime.now(UTC) + LONGEST


@pytest.mark.parametrize("expires_in", [None, 0, -5, "junk"])
def test_without_a_usual_life_a_token_does_not_end(expires_in) -> None:
    assert _expiry(expires_in, None) is None


ASKED = ("a", "b")
SCOPES = [
    ({"scope": "a b c"}, ("a", "b", "c")),
    ({"scope": "a,b"}, ("a", "b")),
    ({"scope": " a  b "}, ("a", "b")),
    ({"scopes": ["a", "c"]}, ("a", "c")),
    ({"scope": ["a"]}, ("a",)),
    ({"scope": "", "scopes": ["c"]}, ("c",)),
    ({"scope": None}, ASKED),
    ({"scopes": []}, ASKED),
    ({}, ASKED),
]


@pytest.mark.parametrize(("token", "granted"), SCOPES)
def test_scopes_are_those_granted_else_those_asked(token, granted) -> None:
    assert _granted(token, ASKED) == granted


def client(service: str) -> OAuthClient:
    return OAuthClient(
        connector=CONNECTORS[service],
        endpoints=Endpoints("https://a", "https://t", None, "https://api", allow_private=False),
        client_id="id",
        client_secret="very-secret",
        redirect_uri="https://us/callback",
    )


ACCOUNTS = [
    ("hubspot", {"hub_id": 77}, "77"),
    ("hubspot", {}, None),
    ("stripe", {"stripe_user_id": "acct_1"}, "acct_1"),
    ("zendesk", {"hub_id": 77}, None),
]


@pytest.mark.parametrize(("service", "answer", "account"), ACCOUNTS)
def test_the_account_is_taken_from_the_answer(service, answer, account) -> None:
    token = client(service)._understand({"access_token": "t", **answer}, ())

    assert (token.access_token, token.refresh_token, token.account_id) == ("t", None, account)


@pytest.mark.parametrize("service", CONNECTORS)
def test_neither_clients_nor_tokens_show_their_secrets(service) -> None:
    us = client(service)
    token = us._understand({"access_token": "hidden-1", "refresh_token": "hidden-2"}, ())

    assert "very-secret" not in repr(us) + str(us)
    assert "hidden" not in repr(token) + str(token)


@pytest.mark.parametrize("service", CONNECTORS)
def test_every_resource_gets_the_scopes_it_needs_once(service) -> None:
    connector = CONNECTORS[service]
    asked = scopes_to_ask(connector)

    assert len(asked) == len(set(asked))
    assert {scope for r in connector.resources for scope in r.scopes} <= set(asked)
