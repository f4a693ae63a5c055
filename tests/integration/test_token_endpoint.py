"""A token endpoint that answers nonsense: our errors, no leak, no second address."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.auth import ClientAuth, Grant, OAuth
from integrations_pipeline.errors import (
    ConnectAgainError,
    IntegrationsError,
    RejectedError,
    ServiceError,
    TransientError,
)
from integrations_pipeline.oauth.endpoints import Endpoints
from integrations_pipeline.oauth.provider import OAuthClient


class Handler(BaseHTTPRequestHandler):
    """Gives the server's answer, and remembers what was sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.received.append((self.path, body.decode()))
        self.server.headers.append(dict(self.headers))
        status, headers, answer = self.server.answers.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """A server on loopback."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: dict[str, tuple[int, dict, bytes]] = {}
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.answers["/token"] = (status, headers, body)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


WAYS = {
    f"{name}-{way}": (connector.label, access)
    for name, connector in sorted(CONNECTORS.items())
    for way, access in connector.ways.items()
    if isinstance(access, OAuth) and access.grant is not Grant.JWT_BEARER
}


@pytest.fixture(params=WAYS)
def client(request, server) -> OAuthClient:
    url = f"{server.url}/token"
    label, oauth = WAYS[request.param]
    return OAuthClient(
        label=label,
        oauth=oauth,
        endpoints=Endpoints(url, url, "", server.url, "", allow_private=True),
        client_id="our-id",
        client_secret="our-secret",
        redirect_uri="http://us/callback",
    )


def both(client):
    """The conversations: exchange and refresh, or the client's own request."""
    if client.oauth.asks_again:
        return [lambda: client.ask_again(())]
    return [lambda: client.exchange("a-code", "v" * 43, ()), lambda: client.refresh("rt-1", ())]


def said(**token) -> bytes:
    """A good answer; Slack says with every one that it is."""
    return orjson.dumps({"ok": True, **token})


NONSENSE = [
    {"access_token": "t", "expires_in": "soon"},
    {"access_token": "t", "expires_in": [1]},
    {"access_token": "t", "expires_in": {"a": 1}},
    {"access_token": "t", "expires_in": "1 hour"},
    {"access_token": "t", "expires_in": 10**400},
    {"access_token": "t", "expires_in": None, "expires_at": "never"},
    {"access_token": "t", "expires_in": True, "token_type": "bearer"},
    {"access_token": "t", "scope": None},
    {"access_token": "t", "scope": 5},
    {"access_token": "t", "scope": ["a", "b"]},
]


@pytest.mark.parametrize("number", range(len(NONSENSE)))
def test_odd_extras_of_a_token_do_no_harm(client, server, number) -> None:
    body = NONSENSE[number]
    text = str({"ok": True, **body})
    text = text.replace("'", '"').replace("None", "null").replace("True", "true")
    server.answer(200, text.encode())

    for ask in both(client):
        assert ask().access_token == "t"


BROKEN = [
    (200, b""),
    (200, b"null"),
    (200, b"[]"),
    (200, b"{"),
    (200, b"{}"),
    (200, b'{"access_token": null}'),
    (200, b'{"access_token": ""}'),
    (200, b'{"access_token": 5}'),
    (200, b'{"access_token": {"a": 1}}'),
    (200, b'{"access_token": "t", "refresh_token": {"a": 1}}'),
    (200, b"access_token=t&token_type=bearer"),
    (200, b"<html>maintenance</html>"),
    (200, b"\xff\xfe\x00"),
    (204, b""),
    (400, b'{"error": "invalid_grant"}'),
    (400, b'{"error": {"a": 1}}'),
    (400, b'{"error": "invalid_request", "error_description": ["x"]}'),
    (401, b'{"error": "invalid_client", "error_description": "secret our-secret"}'),
    (403, b"no"),
    (404, b"{}"),
    (429, b"{}"),
    (500, b"{}"),
    (503, b"busy"),
]


@pytest.mark.parametrize(("status", "body"), BROKEN)
def test_a_broken_answer_is_one_of_our_errors(client, server, status, body) -> None:
    server.answer(status, body)

    for ask in both(client):
        with pytest.raises(IntegrationsError) as refused:
            ask()
        assert isinstance(refused.value, ServiceError)


def test_the_wait_that_is_asked_for_is_told(client, server) -> None:
    headers = {"Retry-After": "17"}
    server.answers["/token"] = (429, headers, b"{}")

    for ask in both(client):
        with pytest.raises(ServiceError) as refused:
            ask()
        assert refused.value.retry_after == 17


def test_an_error_text_carries_no_secret(client, server) -> None:
    told = {"error": "invalid_request", "error_description": f"Bearer abc {'x' * 50} a@b.example"}
    server.answer(400, orjson.dumps(told))

    for ask in both(client):
        with pytest.raises(ServiceError) as refused:
            ask()
        assert not any(leak in str(refused.value) for leak in ("abc", "xxxx", "a@b"))
        assert refused.value.__cause__ is None
        assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_good_status_without_the_services_word_is_a_refusal(client, server) -> None:
    dead = {"ok": False, "error": "invalid_refresh_token", "access_token": "t"}
    for body in ({"access_token": "t"}, {"access_token": "t", "ok": False}, dead):
        server.answer(200, orjson.dumps(body))
        for ask in both(client):
            if client.oauth.ok_at or "error" in body:
                kind = (
                    ConnectAgainError
                    if body.get("error") in client.oauth.dead_errors
                    else RejectedError
                )
                with pytest.raises(kind):
                    ask()
            else:
                assert ask().access_token == "t"


def test_a_server_that_is_gone_is_transient_and_tells_no_address(client, server) -> None:
    server.shutdown()
    server.server_close()

    for ask in both(client):
        with pytest.raises(TransientError) as refused:
            ask()
        assert "127.0.0.1" not in str(refused.value)
        assert refused.value.__context__ is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_secrets_follow_no_redirect(client, server, status) -> None:
    elsewhere = Server()
    elsewhere.answer(200, said(access_token="t"))
    server.answers["/token"] = (status, {"Location": f"{elsewhere.url}/token"}, b"")
    try:
        for ask in both(client):
            with pytest.raises(IntegrationsError):
                ask()
        assert elsewhere.received == []
    finally:
        elsewhere.shutdown()
        elsewhere.server_close()


def test_secrets_travel_in_the_body_or_header_only(client, server) -> None:
    server.answer(200, said(access_token="t", token_type="bearer"))

    for ask in both(client):
        ask()

    assert {path for path, _ in server.received} == {"/token"}
    secrets = [body for _, body in server.received if "our-secret" in body]
    by_header = client.oauth.client_auth is not ClientAuth.BODY
    assert len(secrets) == (0 if by_header else len(both(client)))
    assert by_header == any("Authorization" in headers for headers in server.headers)
