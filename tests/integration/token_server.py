"""A scripted OAuth server on loopback: it rotates, detects reuse, thinks, falls ill, and counts.

Whoever arrives at a point that is held waits there until it is released. The points of a token
request are `thinking:<client>` and `rotated:<client>`; a call with a token that is not valid
passes `refused`; `GET /pause/<point>` lets other processes wait as well.
"""

import base64
import hashlib
import json
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.integration.waiting import wait_for

LONGEST_HOLD = 60.0
SECRET = "only-for-tests"


class Reuse(Enum):
    """What a refresh token that was used before brings."""

    REVOKE = "its whole family ends (RFC 9700, 4.14)"
    REFUSE = "a refusal, and nothing else"
    GRACE = "tokens, as if it were not used yet"


@dataclass(eq=False)
class Family:
    """The tokens that come from one consent."""

    client: str
    dead: bool = False
    used: set[str] = field(default_factory=set)


@dataclass
class Gate:
    """A point that is held."""

    closed: bool = True
    open: threading.Event = field(default_factory=threading.Event)


class TokenServer:
    """The server's state and script; the test changes it while it runs."""

    def __init__(self) -> None:
        self.url = ""
        self.life = 3600.0
        """Seconds that an access token lives here."""
        self.told_life: int | None = None
        """What `expires_in` says, if not that."""
        self.rotates = True
        self.reuse = Reuse.REVOKE
        self.before, self.after = 0.0, 0.0
        """Seconds that a refresh takes, before the tokens change and after."""
        self.trouble: tuple[int, dict[str, str]] | None = None
        """Status and headers of every answer of the token endpoint, while it is ill."""
        self.counts: Counter[str] = Counter()
        """`refresh` (each also as `refresh:<client>`), `rotated`, `invalid_grant`, `ill`; `calls`
        that were answered, and `refused` ones."""
        self._lock = threading.Lock()
        self._gates: dict[str, Gate] = {}
        self._reached: Counter[str] = Counter()
        self._codes: dict[str, tuple[str, str]] = {}
        self._refresh: dict[str, Family] = {}
        self._access: dict[str, tuple[Family, float]] = {}

    def hold(self, point: str) -> None:
        """Whoever arrives at the point from now on waits."""
        with self._lock:
            self._gates[point] = Gate()

    def release(self, point: str) -> None:
        """All who wait at the point go on, and nobody waits there any more."""
        with self._lock:
            if gate := self._gates.pop(point, None):
                gate.open.set()

    def let_later_ones_pass(self, point: str) -> None:
        """Those who wait at the point stay there, others pass it, until it is released."""
        with self._lock:
            self._gates[point].closed = False

    def reached(self, point: str) -> int:
        """How many arrived at the point so far."""
        with self._lock:
            return self._reached[point]

    def wait_until_reached(self, point: str, count: int = 1) -> None:
        """Until so many arrived at the point."""
        wait_for(lambda: self.reached(point) >= count, what=f"{count} at {point}")

    def expire_all(self) -> None:
        """No access token that was given is valid any more; refresh tokens are."""
        with self._lock:
            self._access.clear()

    def arrive(self, point: str) -> None:
        """Pass a point, or wait at it."""
        with self._lock:
            self._reached[point] += 1
            gate = self._gates.get(point)
        if gate is not None and gate.closed:
            gate.open.wait(LONGEST_HOLD)

    def count(self, *names: str) -> None:
        """One more of each."""
        with self._lock:
            self.counts.update(names)

    def consent(self, query: dict[str, str]) -> str:
        """Where the browser is sent after a consent that is always given."""
        code = token_urlsafe(12)
        self._codes[code] = (query["client_id"], query.get("code_challenge", ""))
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def exchange(self, form: dict[str, str]) -> tuple[int, dict]:
        """The answer to an authorization code."""
        client, challenge = self._codes.pop(form.get("code", ""), ("", ""))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        told = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if not client or client != form.get("client_id") or told != challenge:
            return 400, {"error": "invalid_grant"}
        with self._lock:
            return 200, self._grant(Family(client))

    def refresh(self, form: dict[str, str]) -> tuple[int, dict, dict[str, str]]:
        """The answer to a refresh token, and its headers."""
        client = form.get("client_id", "")
        self.count("refresh", f"refresh:{client}")
        self.arrive(f"thinking:{client}")
        time.sleep(self.before)
        if (trouble := self.trouble) is not None:
            self.count("ill")
            return trouble[0], {"error": "temporarily_unavailable"}, trouble[1]
        with self._lock:
            status, answer = self._spend(form.get("refresh_token", ""), client)
            name = "rotated" if status == 200 else "invalid_grant"
            self.counts.update([name, f"{name}:{client}"])
        self.arrive(f"rotated:{client}")
        time.sleep(self.after)
        return status, answer, {}

    def call(self, authorization: str) -> tuple[int, dict]:
        """The answer of the resource."""
        token = authorization.removeprefix("Bearer ")
        with self._lock:
            family, ends = self._access.get(token, (Family("", dead=True), 0.0))
            valid = not family.dead and time.monotonic() < ends
            self.counts.update(["calls"] if valid else ["refused", f"refused:{family.client}"])
        if valid:
            return 200, {"client": family.client}
        self.arrive("refused")
        return 401, {"error": "invalid_token"}

    def _spend(self, token: str, client: str) -> tuple[int, dict]:
        family = self._refresh.get(token)
        if family is None or family.dead or family.client != client:
            return 400, {"error": "invalid_grant"}
        if token in family.used and self.reuse is not Reuse.GRACE:
            family.dead = self.reuse is Reuse.REVOKE
            return 400, {"error": "invalid_grant", "error_description": "used before"}
        if not self.rotates:
            answer = self._grant(family)
            del self._refresh[answer.pop("refresh_token")]
            return 200, answer
        family.used.add(token)
        return 200, self._grant(family)

    def _grant(self, family: Family) -> dict:
        access, refresh = f"at-{token_urlsafe(12)}", f"rt-{token_urlsafe(12)}"
        self._access[access] = (family, time.monotonic() + self.life)
        self._refresh[refresh] = family
        return {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": self.told_life or int(self.life),
        }


class _Handler(BaseHTTPRequestHandler):
    script: TokenServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/authorize":
            self.send_response(302)
            self.send_header("Location", self.script.consent(dict(parse_qsl(parts.query))))
            self.end_headers()
        elif parts.path.startswith("/pause/"):
            self.script.arrive(parts.path.removeprefix("/pause/"))
            self._answer(200, {})
        else:
            self._answer(*self.script.call(self.headers.get("Authorization", "")))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        form = dict(parse_qsl(self.rfile.read(length).decode()))
        if form.get("client_secret") != SECRET:
            self._answer(401, {"error": "invalid_client"})
        elif form.get("grant_type") == "refresh_token":
            self._answer(*self.script.refresh(form))
        else:
            self._answer(*self.script.exchange(form))

    def _answer(self, status: int, body: dict, headers: dict[str, str] | None = None) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 256

    def handle_error(self, *_: object) -> None:
        """The other side was killed; that is what these tests do."""


@contextmanager
def running_server() -> Iterator[TokenServer]:
    """A server in a thread of this process."""
    script = TokenServer()
    handler = type("Handler", (_Handler,), {"script": script})
    server: socketserver.BaseServer = _Server(("127.0.0.1", 0), handler)
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
