"""A scripted service: it gives declared answers, remembers what was asked, and misses nothing."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    raw: bytes

    @property
    def params(self) -> dict[str, str]:
        return {name: values[0] for name, values in self.query.items()}

    @property
    def json(self) -> Any:
        return orjson.loads(self.raw)

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.raw.decode()).items()}


@dataclass(frozen=True)
class Answer:
    """An answer: a body that becomes JSON, or bytes as they are."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)


@dataclass
class Route:
    """Declared answers to one kind of request, given in order; a function answers any number."""

    method: str
    path: str
    when: Mapping[str, str | None]
    answers: list[Answer]
    always: Callable[[Asked], Any] | None = None
    used: bool = False
    optional: bool = False

    def fits(self, asked: Asked) -> bool:
        same = (self.method, self.path) == (asked.method, asked.path)
        here = all(asked.params.get(name) == value for name, value in self.when.items())
        return same and here and bool(self.answers or self.always)

    def give(self, asked: Asked) -> Answer:
        self.used = True
        return _answer(self.always(asked)) if self.always else self.answers.pop(0)

    @property
    def unused(self) -> int:
        if self.optional:
            return 0
        return len(self.answers) or int(not self.used)


class Service:
    """The routes of a test and the requests they got."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self._routes: list[Route] = []
        self._surprises: list[str] = []
        self._lock = threading.Lock()

    def on(self, method: str, path: str, *answers: Any, **when: str | None) -> None:
        """Declare answers: dicts, `Answer`s, or one function of the request.

        `when`: values that query parameters must have; None: the parameter must be absent.
        """
        if len(answers) == 1 and callable(answers[0]):
            self._routes.append(Route(method, path, when, [], always=answers[0]))
        else:
            self._routes.append(Route(method, path, when, [_answer(one) for one in answers]))

    def get(self, path: str, *answers: Any, **when: str | None) -> None:
        self.on("GET", path, *answers, **when)

    def may_get(self, path: str, *answers: Any, **when: str | None) -> None:
        """What can be asked for ahead, by a walk that ends before it."""
        self.get(path, *answers, **when)
        self._routes[-1].optional = True

    def post(self, path: str, *answers: Any, **when: str | None) -> None:
        self.on("POST", path, *answers, **when)

    def forget(self) -> None:
        """What comes next is what the test is about."""
        self.asked.clear()

    def to(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            route = next((route for route in self._routes if route.fits(asked)), None)
            if route is None:
                self._surprises.append(f"{asked.method} {asked.path} {asked.params}")
                return Answer({"message": "nobody declared this"}, 418)
            return route.give(asked)

    def check(self) -> None:
        """Everything declared was asked for, and nothing else was."""
        unused = [f"{r.method} {r.path} {r.when}: {r.unused}" for r in self._routes if r.unused]
        assert not self._surprises, f"undeclared requests: {self._surprises}"
        assert not unused, f"declared, but never asked for: {unused}"


def _answer(given: Any) -> Answer:
    return given if isinstance(given, Answer) else Answer(given)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    scripted: Service

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = parse_qs(parts.query, keep_blank_values=True)
        answer = self.scripted.answer(Asked(self.command, parts.path, query, self.headers, raw))
        self.send_response(answer.status)
        usual = {"Content-Length": str(len(answer.raw)), "Content-Type": "application/json"}
        for name, value in {**usual, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.raw)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

    def handle(self) -> None:
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # a client that had enough of a long body

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@contextmanager
def scripted() -> Iterator[Service]:
    """A service of a test's own on a free port."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.scripted = Service(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield handler.scripted  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
