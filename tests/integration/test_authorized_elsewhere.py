"""The session for calls of one's own: where the credential never goes."""

import threading
import traceback
from contextlib import suppress

import pytest
import requests

from integrations_pipeline.connectors.auth import HeaderAuth
from integrations_pipeline.errors import IntegrationsError
from integrations_pipeline.transport.authorized import REDIRECTS
from tests.contract.service import Answer, Asked, scripted
from tests.integration import authorized_sessions
from tests.integration.authorized_sessions import CARRIAGES, TOKEN, bare, held, session_to, told

api = authorized_sessions.api
carriage = authorized_sessions.carriage
elsewhere = authorized_sessions.elsewhere
session = authorized_sessions.session
tokens = authorized_sessions.tokens


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_elsewhere_leaves_the_credential_behind(session, api, elsewhere, status) -> None:
    api.get("/v1/things", Answer({}, status, {"Location": f"{elsewhere.url}/file"}))
    elsewhere.get("/file", {"file": 1})

    assert session.get("/things").json() == {"file": 1}

    assert held(api.asked[0]) == TOKEN
    (asked,) = elsewhere.asked
    assert bare(asked)


def test_a_redirect_elsewhere_and_back_carries_none_there(session, api, elsewhere) -> None:
    api.get("/v1/things", Answer({}, 302, {"Location": f"{elsewhere.url}/a"}))
    elsewhere.get("/a", Answer({}, 302, {"Location": f"{elsewhere.url}/b"}))
    elsewhere.get("/b", {})

    session.get("/things")

    assert [asked.path for asked in elsewhere.asked] == ["/a", "/b"]
    assert all(bare(asked) for asked in elsewhere.asked)


@pytest.mark.parametrize("kind", ["header", "own header", "basic"])
def test_a_redirect_within_the_api_keeps_a_credential_in_a_header(api, tokens, kind) -> None:
    api.get("/v1/things", Answer({}, 302, {"Location": "/v1/other"}))
    api.get("/v1/other", {})

    session_to(f"{api.url}/v1", tokens, CARRIAGES[kind]).get("/things")

    assert [held(asked) for asked in api.asked] == [TOKEN, TOKEN]


def test_redirects_end(session, api) -> None:
    api.get("/v1/things", lambda _: Answer({}, 302, {"Location": "/v1/things"}))

    with pytest.raises(requests.TooManyRedirects) as refused:
        session.get("/things")

    assert len(api.asked) == REDIRECTS + 1
    assert "very-secret" not in told(refused.value)


def test_a_whole_address_elsewhere_carries_none(session, elsewhere, tokens) -> None:
    elsewhere.get("/file", Answer({}, 401))

    assert session.get(f"{elsewhere.url}/file").status_code == 401

    (asked,) = elsewhere.asked
    assert bare(asked)
    assert (tokens.given, tokens.renewed) == (0, [])


TRICKS = [
    "http://{other}\\@{api}/file",
    "http://{other}#@{api}/file",
    "http://{other}?@{api}/file",
    "http://{api}@{other}/file",
    "@{other}/file",
    ".{other}/file",
    "\\@{other}/file",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_no_odd_address_takes_the_credential_elsewhere(api, elsewhere, tokens, trick) -> None:
    for service in (api, elsewhere):
        service.on("GET", "/file", lambda _: {})
    places = {
        "api": api.url.removeprefix("http://"),
        "other": elsewhere.url.removeprefix("http://"),
    }
    errors = (requests.RequestException, IntegrationsError, ValueError)
    with session_to(api.url, tokens, HeaderAuth()) as session, suppress(*errors):
        session.get(trick.format(**places))

    assert all(bare(asked) for asked in elsewhere.asked)


PERSONAL = {"q": "ada@example.com"}


def test_a_server_that_is_gone_is_told_without_secrets(tokens, carriage) -> None:
    with scripted() as gone:
        address = gone.url
    session = session_to(address, tokens, carriage)
    with session, pytest.raises(requests.ConnectionError) as refused:
        session.get("/things", params=PERSONAL)

    leaks = ("very-secret", *PERSONAL.values(), "api_key=")
    assert not any(leak in told(refused.value) for leak in leaks)


def test_a_status_error_is_told_without_secrets(session, api) -> None:
    api.get("/v1/things", Answer({}, 500))

    with pytest.raises(requests.HTTPError) as refused:
        session.get("/things").raise_for_status()

    assert "very-secret" not in "".join(traceback.format_exception(refused.value))


def test_a_slow_server_is_a_timeout_without_secrets(api, tokens, carriage) -> None:
    done = threading.Event()

    def think(_: Asked) -> dict:
        done.wait(10)
        return {}

    api.get("/v1/things", think)
    session = session_to(f"{api.url}/v1", tokens, carriage, timeout=0.2)
    with session, pytest.raises(requests.Timeout) as refused:
        session.get("/things")
    done.set()

    assert "very-secret" not in told(refused.value)


def test_private_networks_are_out_of_reach(api, tokens, carriage) -> None:
    session = session_to(f"{api.url}/v1", tokens, carriage, allow_private=False)
    with session, pytest.raises((IntegrationsError, requests.RequestException)) as refused:
        session.get("/things")

    assert api.asked == []
    assert "very-secret" not in told(refused.value)
