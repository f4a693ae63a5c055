"""The session for calls of one's own: where the credential goes, and where it never goes."""

import base64
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress

import pytest
import requests

from integrations_pipeline.connectors.auth import BasicAuth, Carriage, HeaderAuth, QueryAuth
from integrations_pipeline.connectors.base import MAX_BODY_BYTES
from integrations_pipeline.errors import AnswerError, ConnectAgainError, IntegrationsError
from integrations_pipeline.transport.authorized import REDIRECTS, AuthorizedSession
from tests.contract.service import Answer, Asked, Service, scripted

TOKEN = "user:very-secret"
CARRIAGES = {
    "header": HeaderAuth(),
    "own header": HeaderAuth("X-Access-Token", ""),
    "basic": BasicAuth(),
    "query": QueryAuth("api_key"),
}


class Tokens:
    """A token source that counts what it is asked."""

    def __init__(self) -> None:
        self.given = 0
        self.renewed: list[str] = []

    def token(self) -> str:
        self.given += 1
        return TOKEN

    def renew(self, rejected: str) -> str:
        self.renewed.append(rejected)
        return f"{TOKEN}-{len(self.renewed) + 1}"


def session_to(url: str, tokens: Tokens, carriage: Carriage, **more: object) -> AuthorizedSession:
    options = {"headers": {"X-Version": "7"}, "allow_private": True, "timeout": 10.0, **more}
    return AuthorizedSession(url, tokens, carriage=carriage, **options)


@pytest.fixture
def api() -> Iterator[Service]:
    with scripted() as one:
        yield one


@pytest.fixture
def elsewhere() -> Iterator[Service]:
    with scripted() as one:
        yield one


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture(params=CARRIAGES)
def carriage(request) -> Carriage:
    return CARRIAGES[request.param]


@pytest.fixture
def session(api, tokens, carriage) -> Iterator[AuthorizedSession]:
    with session_to(f"{api.url}/v1", tokens, carriage) as one:
        yield one


def held(asked: Asked) -> str | None:
    """The credential that a request carries, in whichever place."""
    basic = asked.headers.get("Authorization", "")
    if basic.startswith("Basic "):
        return base64.b64decode(basic.removeprefix("Basic ")).decode()
    if basic:
        return basic.removeprefix("Bearer ")
    return asked.headers.get("X-Access-Token") or asked.params.get("api_key")


def bare(asked: Asked) -> bool:
    """Whether nothing of the credential is anywhere in the request."""
    secrets = ("very-secret", base64.b64encode(TOKEN.encode()).decode())
    whole = f"{asked.path} {asked.query} {list(asked.headers.items())} {asked.raw!r}"
    return not any(secret in whole for secret in secrets)


def test_a_path_is_below_the_apis_address_and_authorized(session, api) -> None:
    api.get("/v1/things", {"things": []})

    answer = session.get("/things", params={"q": "a b"})

    (asked,) = api.asked
    assert (answer.status_code, answer.json()) == (200, {"things": []})
    assert (asked.path, asked.params["q"], held(asked)) == ("/v1/things", "a b", TOKEN)
    assert (asked.headers["Accept"], asked.headers["X-Version"]) == ("application/json", "7")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_every_kind_of_request_is_authorized(session, api, method) -> None:
    api.on(method, "/v1/things", {})

    session.request(method, "/things", json={"a": 1})

    (asked,) = api.asked
    assert (asked.method, asked.json, held(asked)) == (method, {"a": 1}, TOKEN)


def test_a_whole_address_of_the_api_is_authorized(session, api) -> None:
    api.get("/v2/things", {})

    session.get(f"{api.url}/v2/things")

    assert held(api.asked[0]) == TOKEN


def test_each_request_asks_for_the_token_anew(session, api, tokens) -> None:
    api.get("/v1/things", {}, {}, {})

    for _ in range(3):
        session.get("/things")

    assert (tokens.given, tokens.renewed) == (3, [])


def test_after_401_there_is_one_renewal_and_one_more_try(session, api, tokens) -> None:
    api.post("/v1/things", Answer({}, 401), {"done": True})

    answer = session.post("/things", json={"a": 1}, params={"q": "1"})

    assert answer.json() == {"done": True}
    assert tokens.renewed == [TOKEN]
    assert [held(asked) for asked in api.asked] == [TOKEN, f"{TOKEN}-2"]
    assert [(asked.json, asked.params["q"]) for asked in api.asked] == [({"a": 1}, "1")] * 2


def test_a_second_401_is_the_callers(session, api, tokens) -> None:
    api.get("/v1/things", Answer({}, 401), Answer({"no": 1}, 401))

    answer = session.get("/things")

    assert (answer.status_code, answer.json()) == (401, {"no": 1})
    assert len(tokens.renewed) == 1
    assert len(api.asked) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500])
def test_other_refusals_are_the_callers(session, api, tokens, status) -> None:
    api.get("/v1/things", Answer({}, status))

    assert session.get("/things").status_code == status
    assert tokens.renewed == []


def test_a_renewal_that_needs_a_person_says_so(session, api, tokens, monkeypatch) -> None:
    api.get("/v1/things", Answer({}, 401))

    def dead(rejected: str) -> str:
        raise ConnectAgainError("The connection has ended.")

    monkeypatch.setattr(tokens, "renew", dead)
    with pytest.raises(ConnectAgainError):
        session.get("/things")
    assert len(api.asked) == 1


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


def test_a_body_above_the_limit_is_refused_unless_it_streams(session, api) -> None:
    big = Answer(b"x" * (MAX_BODY_BYTES + 1))
    api.get("/v1/big", big, big)

    with pytest.raises(AnswerError, match="larger than 8192 KiB"):
        session.get("/big")
    with session.get("/big", stream=True) as answer:
        assert sum(len(chunk) for chunk in answer.iter_content(65536)) == MAX_BODY_BYTES + 1


def test_a_body_at_the_limit_is_taken(session, api) -> None:
    api.get("/v1/big", Answer(b"x" * MAX_BODY_BYTES))

    assert len(session.get("/big").content) == MAX_BODY_BYTES


def told(error: BaseException) -> str:
    """All that a log would show of an error."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))


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
