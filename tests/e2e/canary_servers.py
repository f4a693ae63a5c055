"""Servers of the canary test: a wire tap before the sandbox, and a service that repeats it all."""

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import uvicorn

from tests.e2e.canaries import Canaries

SANDBOX_THREAD = "sandbox"
ASKED = {"code", "code_verifier", "client_secret", "refresh_token", "token", "assertion", "api_key"}
TOLD = {"access_token", "refresh_token", "id_token"}


class Wire:
    """Passes requests on to an application, and notes each secret that crosses."""

    def __init__(self, app: Any, canaries: Canaries) -> None:
        self._app = app
        self._canaries = canaries

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/sandbox/"):
            await self._app(scope, receive, send)
            return
        bodies: list[bytes] = []
        answers: list[bytes] = []

        async def hear() -> Any:
            message = await receive()
            bodies.append(message.get("body", b""))
            return message

        async def speak(message: Any) -> None:
            answers.append(message.get("body", b""))
            await send(message)

        await self._app(scope, hear, speak)
        query = dict(parse_qsl(scope["query_string"].decode()))
        if "client_id" in query:
            self._canaries.add("state", query.get("state"))
        for name, value in (query | _fields(b"".join(bodies))).items():
            if name in ASKED:
                self._canaries.add(f"{name}, as sent", str(value))
        for name, value in scope["headers"]:
            self._header(name.decode(), value.decode("latin-1"))
        answer = b"".join(answers)
        if b"_token" in answer:
            for name, value in _told(_json(answer)):
                self._canaries.add(f"{name}, as issued", value)

    def _header(self, name: str, value: str) -> None:
        kind, _, credential = value.partition(" ")
        if name == "authorization" and kind.lower() == "basic":
            pair = base64.b64decode(credential).decode()
            self._canaries.add("credential in a Basic header", pair, pair.partition(":")[2])
        elif name == "authorization":
            self._canaries.add("credential in a header", credential)
        elif name.startswith("x-") and ("key" in name or "token" in name):
            self._canaries.add("credential in a header", value)


def _fields(body: bytes) -> dict[str, Any]:
    found = _json(body)
    return found if isinstance(found, dict) else dict(parse_qsl(body.decode(errors="replace")))


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _told(answer: Any) -> Iterator[tuple[str, str]]:
    if isinstance(answer, dict):
        for name, value in answer.items():
            if name in TOLD and isinstance(value, str):
                yield name, value
            yield from _told(value)


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """An application in a thread of this process; its address."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="warning", access_log=False, log_config=None)
    )
    thread = threading.Thread(target=server.run, name=SANDBOX_THREAD, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the sandbox did not start"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


class Echo:
    """A service that repeats, in its errors, every secret that it was sent.

    `mode` is how it answers: a status, `ok`, `drop`, `truncated`, `html`, `broken header` or
    `redirect`. What is posted below `/alerts` is kept.
    """

    def __init__(self, canaries: Canaries) -> None:
        self.mode = "ok"
        self.url = ""
        self.alerts: list[bytes] = []
        self.canaries = canaries

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """One answer."""
        if handler.path.startswith("/alerts"):
            self.alerts.append(body)
            _send(handler, 200, b"{}")
        elif self.mode == "ok":
            _send(handler, 200, self._good())
        elif self.mode.isdigit():
            _send(handler, int(self.mode), _repeated(handler, body))
        else:
            self._odd(handler)

    def _good(self) -> bytes:
        told = {
            name: f"echo-{secrets.token_urlsafe(24)}" for name in ("access_token", "refresh_token")
        }
        self.canaries.add("token of the repeating service", *told.values())
        return orjson.dumps({"id": "1", "name": "Echo", "expires_in": 3600, **told})

    def _odd(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        if self.mode == "html":
            _send(handler, 200, b"<!doctype html>" + _repeated(handler, b""))
        elif self.mode == "truncated":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{")
        elif self.mode == "broken header":
            handler.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon\r\nX: y\r\n\r\n{}"
            )
        elif self.mode == "redirect":
            query = urlsplit(handler.path).query
            head = f"HTTP/1.1 302 Found\r\nLocation: /next?{query}\r\nContent-Length: 0\r\n\r\n"
            handler.wfile.write(head.encode())


def _repeated(handler: BaseHTTPRequestHandler, body: bytes) -> bytes:
    header = handler.headers.get("Authorization", "")
    sent = dict(parse_qsl(urlsplit(handler.path).query)) | _fields(body)
    secret = [str(value) for name, value in sent.items() if name in ASKED]
    if header.startswith("Basic "):
        secret += base64.b64decode(header.removeprefix("Basic ")).decode().split(":")
    text = " ".join(("I don't like", header, handler.headers.get("X-Api-Key", ""), *secret))
    return json.dumps(
        {"error": "invalid_request", "error_description": text, "message": text}
    ).encode()


def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def repeating(canaries: Canaries) -> Iterator[Echo]:
    """The repeating service, in a thread of this process."""
    echo = Echo(canaries)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            echo.answer(self, self.rfile.read(length))

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    echo.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield echo
    server.shutdown()
    server.server_close()
    thread.join()
