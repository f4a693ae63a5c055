"""The guard connects to the checked address and still talks to the name: TLS, SNI and Host."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from integrations_pipeline.transport import guard
from integrations_pipeline.transport.session import new_session

NAME = "api.service.example"


def certificate(path: Path, name: str) -> Path:
    """A self-signed certificate for a name, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
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


class Handler(BaseHTTPRequestHandler):
    """Remembers the Host header of every request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.hosts.append(self.headers["Host"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """A server on loopback, with TLS if it has a certificate."""

    daemon_threads = True

    def __init__(self, file: Path | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hosts: list[str] = []
        self.names: list[str | None] = []
        if file is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(file)
            context.sni_callback = lambda _s, name, _c: self.names.append(name)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """A refused handshake is the client's to tell."""


@pytest.fixture
def cert(tmp_path) -> Path:
    return certificate(tmp_path / "cert.pem", NAME)


@pytest.fixture
def tls(cert) -> Iterator[Server]:
    server = Server(cert)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def plain() -> Iterator[Server]:
    server = Server(None)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def session(monkeypatch) -> requests.Session:
    """A guarded session, for which every name has been resolved to a checked address."""
    monkeypatch.setattr(guard, "resolve", lambda *_: "127.0.0.1")
    return new_session(allow_private=False)


def test_tls_is_checked_against_the_name(session, tls, cert) -> None:
    port = tls.server_port

    for _ in range(2):
        assert session.get(f"https://{NAME}:{port}/", verify=str(cert), timeout=5).ok

    assert (tls.names[0], tls.hosts) == (NAME, [f"{NAME}:{port}"] * 2)


def test_a_certificate_for_another_name_is_refused(session, tls, cert) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        session.get(f"https://other.example:{tls.server_port}/", verify=str(cert), timeout=5)
    assert tls.hosts == []


def test_an_unknown_authority_is_refused(session, tls) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        session.get(f"https://{NAME}:{tls.server_port}/", timeout=5)
    assert tls.hosts == []


def test_every_request_names_the_host(session, plain) -> None:
    port = plain.server_port

    for _ in range(3):
        session.get(f"http://{NAME}:{port}/", timeout=5)

    assert plain.hosts == [f"{NAME}:{port}"] * 3
