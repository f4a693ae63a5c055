"""Answers that are meant to hurt: endless, huge, packed, trickling. Little memory, little time."""

import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator

import psutil
import pytest
import requests

from integrations_pipeline.connectors import connector_named
from integrations_pipeline.connectors.auth import HeaderAuth
from integrations_pipeline.errors import IntegrationsError
from integrations_pipeline.oauth.endpoints import Endpoints
from integrations_pipeline.oauth.identity import FixedToken
from integrations_pipeline.oauth.provider import OAuthClient
from integrations_pipeline.transport import session
from integrations_pipeline.transport.authorized import AuthorizedSession
from integrations_pipeline.transport.client import ServiceClient
from integrations_pipeline.transport.session import new_session

TOTAL_SECONDS = 1.0
GROWTH = 64 * 1024 * 1024
BLANK = b" " * 64 * 1024
Serve = Callable[[socket.socket], None]


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def endless(to: socket.socket) -> None:
    to.sendall(head())
    while True:
        to.sendall(BLANK)


def huge(to: socket.socket) -> None:
    to.sendall(head(f"Content-Length: {50 * 1024 * 1024}"))
    for _ in range(800):
        to.sendall(BLANK)


def understated(to: socket.socket) -> None:
    to.sendall(head("Content-Length: 2", "Transfer-Encoding: chunked"))
    while True:
        to.sendall(b"10000\r\n" + BLANK + b"\r\n")


def one_large_chunk(to: socket.socket) -> None:
    to.sendall(head("Transfer-Encoding: chunked") + b"3fffffff\r\n")
    while True:
        to.sendall(BLANK)


def packed(rounds: int) -> bytes:
    """1 GiB of spaces in about 1 MB of gzip; packed again, the more rounds the smaller."""
    first, same = zlib.compressobj(9, zlib.DEFLATED, 31), zlib.compressobj(9, zlib.DEFLATED, -15)
    found = first.compress(b" " * 2**20) + first.flush(zlib.Z_FULL_FLUSH)
    found += (same.compress(b" " * 2**20) + same.flush(zlib.Z_FULL_FLUSH)) * 1023
    for _ in range(rounds - 1):
        outer = zlib.compressobj(9, zlib.DEFLATED, 31)
        found = outer.compress(found) + outer.flush()
    return found


BOMBS = {rounds: packed(rounds) for rounds in (1, 2, 3)}


def bomb(rounds: int) -> Serve:
    encoding = ", ".join(["gzip"] * rounds)

    def serve(to: socket.socket) -> None:
        body = BOMBS[rounds]
        to.sendall(head(f"Content-Encoding: {encoding}", f"Content-Length: {len(body)}") + body)

    return serve


def small_chunks(to: socket.socket) -> None:
    to.sendall(head("Transfer-Encoding: chunked"))
    while True:
        to.sendall(b"1\r\n \r\n")
        time.sleep(0.2)


def endless_headers(to: socket.socket) -> None:
    to.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        to.sendall(b"X-Name: value\r\n" * 1000)


def endless_header(to: socket.socket) -> None:
    to.sendall(b"HTTP/1.1 200 OK\r\nX-Name: ")
    while True:
        to.sendall(b"x" * 65536)


def endless_status(to: socket.socket) -> None:
    while True:
        to.sendall(b"x" * 65536)


def endless_chunk_size(to: socket.socket) -> None:
    to.sendall(head("Transfer-Encoding: chunked"))
    while True:
        to.sendall(b"0" * 65536)


def refusing_endlessly(to: socket.socket) -> None:
    to.sendall(head(status="400 Bad Request"))
    while True:
        to.sendall(BLANK)


SERVED: dict[str, Serve] = {
    "endless": endless,
    "50 MB": huge,
    "understated": understated,
    "one large chunk": one_large_chunk,
    "packed once": bomb(1),
    "packed twice": bomb(2),
    "packed three times": bomb(3),
    "small chunks": small_chunks,
    "endless headers": endless_headers,
    "endless header": endless_header,
    "endless status": endless_status,
    "endless chunk size": endless_chunk_size,
    "an endless refusal": refusing_endlessly,
}


class Server:
    """Serves one hostile answer to everybody, on loopback."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                to, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(to)
            threading.Thread(target=self._one, args=(to,), daemon=True).start()

    def _one(self, to: socket.socket) -> None:
        try:
            to.recv(65536)
            self._serve(to)
        except OSError:
            pass  # the client has had enough

    def close(self) -> None:
        for each in [self._listening, *self._open]:
            each.close()


@pytest.fixture
def server(request) -> Iterator[Server]:
    made = Server(request.param)
    yield made
    made.close()


def by_session(url: str) -> object:
    return new_session(allow_private=True).get(f"{url}/", timeout=0.5, allow_redirects=False)


def by_refresh(url: str) -> object:
    endpoints = Endpoints(url, f"{url}/token", "", url, "", allow_private=True)
    oauth = connector_named("hubspot").oauth
    return OAuthClient("HubSpot", oauth, endpoints, "id", "secret", url).refresh("old", ())


def by_client(url: str) -> object:
    client = ServiceClient(
        connector_named("hubspot"),
        url,
        FixedToken("token"),
        allow_private=True,
        timeout=TOTAL_SECONDS / 5,
        retry_seconds=0,
    )
    return client.get("/x")


def by_authorized(url: str, **options: object) -> object:
    return AuthorizedSession(
        url,
        FixedToken("token"),
        carriage=HeaderAuth(),
        headers={},
        allow_private=True,
        timeout=0.5,
    ).get("/x", **options)


def bounded(call: Callable[[str], object], url: str, patience: float = 20.0) -> BaseException:
    """The error of a call that must end soon and may take little memory meanwhile."""
    ended: list[BaseException | object] = []

    def run() -> None:
        try:
            ended.append(call(url))
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            ended.append(error)

    process, thread = psutil.Process(), threading.Thread(target=run, daemon=True)
    before = process.memory_info().rss
    deadline = time.monotonic() + patience
    thread.start()
    while thread.is_alive():
        assert process.memory_info().rss - before < GROWTH, "it takes too much memory"
        assert time.monotonic() < deadline, "it does not end"
        thread.join(0.01)
    assert isinstance(ended[0], BaseException), f"accepted: {ended[0]!r}"
    return ended[0]


CALLS = [by_session, by_refresh, by_client, by_authorized]


def test_the_bomb_is_one() -> None:
    unpack, size, rest = zlib.decompressobj(31), 0, BOMBS[1]
    while rest:
        size += len(unpack.decompress(rest, 2**22))
        rest = unpack.unconsumed_tail
    assert (size, len(BOMBS[1]) < 2_000_000) == (2**30, True)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("server", SERVED.values(), ids=SERVED, indirect=True)
def test_a_hostile_answer_is_refused_soon(server, monkeypatch, call) -> None:
    monkeypatch.setattr(session, "TOTAL_SECONDS", TOTAL_SECONDS)
    error = bounded(call, server.url)

    assert isinstance(error, IntegrationsError | requests.RequestException), repr(error)
    if call in {by_refresh, by_client}:
        assert isinstance(error, IntegrationsError), repr(error)
