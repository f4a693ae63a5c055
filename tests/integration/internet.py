"""A public internet for tests: one public address that leads to a server here, and a witness.

The guard is not touched. Names of the test's choice resolve to `PUBLIC`; what is sent there comes
to a server of the test. Every other connection of the process is noted.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import requests.adapters
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PUBLIC = "8.8.8.8"
NAMES = ("public.example", "login.salesforce.com", "acme.my.salesforce.com", "login.mailchimp.com")
Answer = tuple[int, dict[str, str], bytes]


def json_answer(body: Any, status: int = 200) -> Answer:
    """An answer in JSON."""
    return status, {"Content-Type": "application/json"}, orjson.dumps(body)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        place = f"{self.headers['Host']}{self.path}"
        self.server.received.append((place, dict(self.headers), body))
        status, headers, answer = self.server.answer(place)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(answer)), **headers}.items():
            self.send_header(name, value.encode().decode("latin-1"))
        self.end_headers()
        self.wfile.write(answer)

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, cert: Path | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.answer: Callable[[str], Answer] = lambda _: json_answer({})
        if cert is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Clients that go away are the test's business."""


class Bait:
    """A listener on both loopback addresses, at one port, that must never see anybody."""

    def __init__(self) -> None:
        self.visits = 0
        first = socket.create_server(("127.0.0.1", 0))
        self.port = first.getsockname()[1]
        self._sockets = [first]
        with contextlib.suppress(OSError):  # a machine without IPv6 has no such loopback
            self._sockets.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        for each in self._sockets:
            threading.Thread(target=self._serve, args=(each,), daemon=True).start()

    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            self.visits += 1
            connection.close()

    def close(self) -> None:
        for each in self._sockets:
            each.shutdown(socket.SHUT_RDWR)
            each.close()


class Internet:
    """What resolves to a public address, what answers there, and who was called elsewhere."""

    def __init__(self, cert: Path) -> None:
        self.names = set(NAMES)
        self.elsewhere: list[Any] = []
        self.resolver: Callable[[str], list[str]] | None = None
        """Answers instead, for the names."""
        self.secure, self.plain, self.bait = _Server(cert), _Server(None), Bait()
        self._really_connect = socket.socket.connect
        self._really_connect_ex = socket.socket.connect_ex
        self._really_resolve = socket.getaddrinfo

    @property
    def received(self) -> list[tuple[str, dict[str, str], bytes]]:
        """What came to the public address: host and path, headers, body."""
        return self.secure.received + self.plain.received

    def answer(self, how: Callable[[str], Answer]) -> None:
        """Let the public server answer so; `how` takes host and path."""
        self.secure.answer = self.plain.answer = how

    def forget(self) -> None:
        """Forget what was received."""
        self.secure.received.clear()
        self.plain.received.clear()

    def lead(self, monkeypatch: Any, cert: Path) -> None:
        """Take over name resolution of the names, and every connection."""
        internet = self

        def connect(self: socket.socket, address: Any) -> Any:
            return internet._really_connect(self, internet._led(address))

        def connect_ex(self: socket.socket, address: Any) -> Any:
            return internet._really_connect_ex(self, internet._led(address))

        monkeypatch.setattr(socket.socket, "connect", connect)
        monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)
        monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(cert))

    def _led(self, address: Any) -> Any:
        if isinstance(address, tuple) and address[0] == PUBLIC:
            server = self.secure if address[1] == 443 else self.plain
            return "127.0.0.1", server.server_port
        self.elsewhere.append(address)
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1"}:
            raise ConnectionRefusedError(f"a test called {address}")
        return address

    def _resolve(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in self.names:
            return self._really_resolve(host, port, *args, **kwargs)
        return [
            (
                socket.AF_INET6 if ":" in one else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (one, port),
            )
            for one in (self.resolver(host) if self.resolver else [PUBLIC])
        ]

    def close(self) -> None:
        """Stop the servers."""
        self.bait.close()
        for server in (self.secure, self.plain):
            server.shutdown()
            server.server_close()


@contextlib.contextmanager
def public_internet(monkeypatch: Any, folder: Path) -> Iterator[Internet]:
    """The internet of one test. At the end nobody may have been called but the public address."""
    cert = _certificate(folder / "cert.pem")
    internet = Internet(cert)
    internet.lead(monkeypatch, cert)
    try:
        yield internet
        assert internet.elsewhere == []
        assert internet.bait.visits == 0
    finally:
        monkeypatch.undo()
        internet.close()


def _certificate(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAMES[0])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(map(x509.DNSName, NAMES)), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def accepted(
    cases: Iterable[str], call: Callable[[str], Any], *kinds: type[BaseException]
) -> dict[str, str]:
    """The cases that were not refused by one of these errors, and what happened instead."""
    wrong = {}
    for case in cases:
        try:
            wrong[case] = f"accepted: {call(case)!r}"
        except kinds:
            continue
        except Exception as error:  # noqa: BLE001 - the test names it
            wrong[case] = f"{type(error).__name__}: {error}"
    return wrong
