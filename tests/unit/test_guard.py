"""The SSRF guard: which addresses are public, and that no other one is ever connected to."""

import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
import requests

from integrations_pipeline.errors import ConfigurationError
from integrations_pipeline.transport import guard
from integrations_pipeline.transport.guard import BlockedAddressError, is_public, resolve
from integrations_pipeline.transport.session import new_session
from tests.unit.hostile import ADDRESSES, HOSTS, PUBLIC, SPELLINGS


def test_the_corpus_is_large_enough() -> None:
    assert len(set(ADDRESSES)) >= 60
    assert len(set(HOSTS)) >= 130


@pytest.mark.parametrize("address", ADDRESSES)
def test_hostile_addresses_are_not_public(address) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_stay_reachable(address) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("host", SPELLINGS)
def test_odd_spellings_are_refused(host) -> None:
    with pytest.raises((BlockedAddressError, socket.gaierror)):
        resolve(host, 443)


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
def test_a_name_that_is_none_is_refused_with_our_error(host) -> None:
    with pytest.raises(BlockedAddressError, match="can't be found"):
        resolve(host, 443)
    with pytest.raises((BlockedAddressError, requests.RequestException)):
        new_session(allow_private=False).get(f"https://{host}/", timeout=2)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "017700000001", "127.1", "①②⑦.0.0.1"])
def test_the_spellings_mean_what_we_fear(host) -> None:
    found = {entry[4][0] for entry in socket.getaddrinfo(host, 80)}

    assert found == {"127.0.0.1"}


@pytest.mark.parametrize(("host", "address"), [("8.8.8.8", "8.8.8.8"), ("0x08080808", "8.8.8.8")])
def test_a_public_address_is_resolved(host, address) -> None:
    assert resolve(host, 443) == address


def answering(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """A resolver that answers with these addresses; returns the names it was asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list:
        asked.append(host)
        kind = socket.AF_INET6 if ":" in addresses[0] else socket.AF_INET
        return [(kind, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(guard.socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("8.8.8.8", "::1"), ("fe80::1%eth0",)]
)
def test_every_address_of_a_name_must_be_public(monkeypatch, addresses) -> None:
    answering(monkeypatch, *addresses)

    with pytest.raises(BlockedAddressError, match="private"):
        resolve("mixed.example", 443)


class Listener:
    """A server on loopback that counts who comes."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.connections = 0
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.connections += 1
                connection.recv(65536)
                connection.sendall(self.answer)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    yield server
    server.close()


LOOPBACK = ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f.1", "0.0.0.0", "[::1]"]
LOOPBACK += ["[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "①②⑦.0.0.1"]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", LOOPBACK)
def test_a_guarded_session_never_connects_to_loopback(listener, scheme, host) -> None:
    session = new_session(allow_private=False)

    with pytest.raises((ConfigurationError, OSError)):
        session.get(f"{scheme}://{host}:{listener.port}/", timeout=2)
    assert listener.connections == 0


def test_an_allowed_session_does_connect(listener) -> None:
    answer = new_session(allow_private=True).get(f"http://127.0.0.1:{listener.port}/", timeout=2)

    assert (answer.text, listener.connections) == ("ok", 1)


def test_a_name_that_changes_its_mind_is_not_believed(monkeypatch, listener) -> None:
    asked = answering(monkeypatch, "127.0.0.1")
    session = new_session(allow_private=False)

    for _ in range(20):
        with pytest.raises(BlockedAddressError):
            session.get(f"http://rebind.example:{listener.port}/", timeout=2)
    assert (listener.connections, set(asked)) == (0, {"rebind.example"})


def test_a_redirect_to_loopback_is_refused_on_the_hop(monkeypatch, listener) -> None:
    target = f"http://127.0.0.1:{listener.port}/inner"
    head = ("HTTP/1.1 302 Found", f"Location: {target}", "Content-Length: 0", "Connection: close")
    listener.answer = ("\r\n".join(head) + "\r\n\r\n").encode()
    really = guard.is_public
    seen: list[object] = []

    def first_hop_is_public(address: guard.Address) -> bool:
        seen.append(address)
        return len(seen) == 1 or really(address)

    monkeypatch.setattr(guard, "is_public", first_hop_is_public)

    with pytest.raises(requests.TooManyRedirects):
        new_session(allow_private=False).get(f"http://localhost:{listener.port}/", timeout=2)
    assert listener.connections == 1


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_proxy_settings_do_not_lead_around_the_guard(monkeypatch, listener, name) -> None:
    monkeypatch.setenv(name, f"http://127.0.0.1:{listener.port}")

    with pytest.raises((ConfigurationError, OSError)):
        new_session(allow_private=False).get("http://10.0.0.1:9/", timeout=1)
    assert listener.connections == 0
