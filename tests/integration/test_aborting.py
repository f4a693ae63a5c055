"""Requests that wait for an answer end at once when they are aborted, and are not repeated."""

import contextlib
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from integrations_pipeline.connectors import connector_named
from integrations_pipeline.errors import FenceLostError
from integrations_pipeline.oauth.identity import FixedToken
from integrations_pipeline.transport.client import ServiceClient
from integrations_pipeline.transport.session import new_session
from integrations_pipeline.transport.sockets import OpenSockets
from tests.integration.test_guarded_tls import certificate
from tests.integration.waiting import wait_for

SILENCE = 60.0
SOON = 5.0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BEGINNINGS = {
    "nothing": b"",
    "half of the headers": HEAD,
    "half of the body": HEAD + b"Content-Length: 1000\r\n\r\n{",
    "a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    "a body that ends with the connection": HEAD + b"Connection: close\r\n\r\n{}",
}


class Falling:
    """A server that begins to answer and then falls silent."""

    def __init__(self, beginning: bytes, context: ssl.SSLContext | None = None) -> None:
        self.asked = 0
        self._beginning, self._context = beginning, context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                to, _ = self._listening.accept()
                threading.Thread(target=self._answer, args=(to,), daemon=True).start()

    def _answer(self, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._context is not None:
                to = self._context.wrap_socket(to, server_side=True)
            to.recv(65536)
            to.sendall(self._beginning)
            self.asked += 1
            to.recv(1)  # until the other side goes

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def falling():
    made = []

    def make(*options) -> Falling:
        made.append(Falling(*options))
        return made[-1]

    yield make
    for server in made:
        server.close()


def aborted(server, ask, abort) -> BaseException | None:
    """What a request ends with that is aborted once the server has fallen silent."""
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        wait_for(lambda: server.asked)
        abort()
        return asking.exception(timeout=SOON)


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_request_that_waits_ends_with_the_job_and_is_not_repeated(falling, beginning) -> None:
    server = falling(BEGINNINGS[beginning])
    client = ServiceClient(
        connector_named("stripe"),
        f"http://127.0.0.1:{server.port}",
        FixedToken("t"),
        allow_private=True,
        timeout=SILENCE,
    )

    error = aborted(server, lambda: client.part().get("/x"), client.abort)

    assert isinstance(error, FenceLostError), repr(error)
    with pytest.raises(FenceLostError):
        client.get("/y")
    assert server.asked == 1


@pytest.mark.parametrize("beginning", ["nothing", "half of the body", "a chunk"])
def test_a_request_over_tls_ends_as_well(falling, tmp_path, beginning) -> None:
    file = certificate(tmp_path / "cert.pem", "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server, sockets = falling(BEGINNINGS[beginning], context), OpenSockets()
    session = new_session(allow_private=True, total_seconds=SILENCE, sockets=sockets)
    address = f"https://localhost:{server.port}/"

    error = aborted(
        server, lambda: session.get(address, verify=str(file), timeout=SILENCE), sockets.abort
    )

    assert isinstance(error, requests.RequestException), repr(error)


def test_what_connects_after_the_abort_gets_no_answer(falling) -> None:
    server, sockets = falling(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), OpenSockets()
    session = new_session(allow_private=True, sockets=sockets)
    sockets.abort()

    with pytest.raises(requests.ConnectionError):
        session.get(f"http://127.0.0.1:{server.port}/", timeout=SILENCE)


def test_other_sessions_go_on(falling) -> None:
    server = falling(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    sockets, address = OpenSockets(), f"http://127.0.0.1:{server.port}/"
    mine, other = (new_session(allow_private=True, sockets=s) for s in (sockets, None))
    assert mine.get(address, timeout=SOON).ok

    sockets.abort()

    assert other.get(address, timeout=SOON).ok
