"""The last requests to the emulated APIs, for tests that ask what was really sent."""

import threading
from collections import deque
from dataclasses import asdict, dataclass
from urllib.parse import parse_qsl

KEPT = 20_000
_SECRET_PARAMETERS = frozenset(
    {
        "access_token",
        "api_key",
        "client_secret",
        "code",
        "code_verifier",
        "hapikey",
        "refresh_token",
        "token",
    }
)


@dataclass(frozen=True)
class LoggedRequest:
    """One request: the path is that of the real service, the query is percent-decoded."""

    service: str
    account: str | None
    method: str
    path: str
    query: str
    status: int


class RequestLog:
    """A bounded list of requests."""

    def __init__(self) -> None:
        self._entries: deque[LoggedRequest] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def add(self, entry: LoggedRequest) -> None:
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def entries(self, service: str | None, account: str | None) -> list[dict[str, object]]:
        with self._lock:
            entries = list(self._entries)
        return [
            asdict(entry)
            for entry in entries
            if service in {None, entry.service} and account in {None, entry.account}
        ]


def readable_query(query: str) -> str:
    """The query with its percent encoding undone and its secrets hidden."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return "&".join(
        f"{name}={'***' if name.lower() in _SECRET_PARAMETERS else value}" for name, value in pairs
    )
