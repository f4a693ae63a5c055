"""Answers that trickle, lead elsewhere, or never end in odd places: each caller gets away."""

import contextlib
import functools
import socket
import threading
import time

import pytest
import requests

from integrations_pipeline.connectors import connector_named
from integrations_pipeline.connectors.auth import BasicAuth, HeaderAuth
from integrations_pipeline.errors import IntegrationsError
from integrations_pipeline.oauth.identity import FixedToken
from integrations_pipeline.transport import session
from integrations_pipeline.transport.authorized import AuthorizedSession
from integrations_pipeline.transport.client import ServiceClient
from tests.integration import test_hostile_upstream as up
from tests.integration.test_hostile_upstream import BLANK, CALLS, bounded, head, server  # noqa: F401


def slowly(to, what=b" "):
    while True:
        to.sendall(what)
        time.sleep(0.2)


def trickling_body(to):
    to.sendall(head("Content-Length: 1000000"))
    slowly(to)


def trickling_large_chunk(to):
    to.sendall(head("Transfer-Encoding: chunked") + b"fffff\r\n")
    slowly(to)


def trickling_headers(to):
    to.sendall(b"HTTP/1.1 200 OK\r\nX-Name: ")
    slowly(to, b"x")


def continuing(to):
    while True:
        to.sendall(head(status="100 Continue") * 1000)


def trailers(to):
    to.sendall(head("Transfer-Encoding: chunked") + b"0\r\n")
    while True:
        to.sendall(b"X-Name: value\r\n" * 1000)


def redirecting_endlessly(to):
    to.sendall(head("Location: /y", status="302 Found"))
    while True:
        to.sendall(BLANK)


ENDLESS = [trickling_body, trickling_large_chunk, trickling_headers, continuing, trailers]
STREAMED = functools.partial(up.by_authorized, stream=True)
CASES = [(kind, call) for kind in (*ENDLESS, redirecting_endlessly) for call in CALLS]
CASES += [(redirecting_endlessly, STREAMED)]  # else whoever streams reads the body himself


@pytest.mark.parametrize(("server", "call"), CASES, indirect=["server"])
def test_no_answer_takes_for_ever_or_all_memory(server, monkeypatch, call):  # noqa: F811
    monkeypatch.setattr(session, "TOTAL_SECONDS", 1.0)
    error = bounded(call, server.url, patience=4.0)
    assert isinstance(error, IntegrationsError | requests.RequestException), repr(error)


class Place:
    """A loopback server that remembers what it got."""

    def __init__(self, location=""):
        self.got, self.location = [], location
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            to, _ = self.listening.accept()
            self.got.append(to.recv(65536).decode())
            more = [f"Location: {self.location}"] if self.location else []
            status = "302 Found" if self.location else "200 OK"
            to.sendall(head("Content-Length: 2", "Connection: close", *more, status=status) + b"{}")
            to.close()


BEARER = HeaderAuth()


def both(base, token, carriage=BEARER):
    options = {"carriage": carriage, "allow_private": True, "timeout": 2.0}
    yield ServiceClient(
        connector_named("hubspot"),
        base,
        FixedToken(token),
        retry_seconds=0,
        **options,
    )
    yield AuthorizedSession(base, FixedToken(token), headers={}, **options)


def test_basic_credentials_do_not_follow_a_redirect_away():
    evil = Place()
    own = Place(f"http://localhost:{evil.port}/")
    _, http = both(f"http://127.0.0.1:{own.port}", "user:SECRET", BasicAuth())
    http.get("/x")
    assert "authorization" not in evil.got[0].lower()


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("form", ["http://localhost:{evil}\\@127.0.0.1:{own}/x"])
def test_the_token_goes_to_no_other_host(which, form):
    evil, own = Place(), Place()
    client = list(both(f"http://127.0.0.1:{own.port}", "SECRET"))[which]
    with contextlib.suppress(IntegrationsError, requests.RequestException):
        client.get(form.format(evil=evil.port, own=own.port))
    assert "SECRET" not in "".join(evil.got)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("path", ["@localhost:{evil}/x", "HTTP://localhost:{evil}/x"])
def test_a_path_without_slash_goes_nowhere(which, path):
    evil, own = Place(), Place()
    client = list(both(f"http://127.0.0.1:{own.port}", "SECRET"))[which]
    with contextlib.suppress(IntegrationsError, requests.RequestException):
        client.get(path.format(evil=evil.port))
    assert "SECRET" not in "".join(evil.got)
    assert evil.got == [] or (which and path.startswith("HTTP"))
