"""A service with many small records, which a test changes, spoils and breaks at will.

GET /v1/records?starting_after=7    the records by id, PAGE a page
GET /v1/archived                    ids of what was deleted
POST /search {"since", "after"}     what changed at or after a moment (ms), by id
"""

import hashlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qs

import orjson

from integrations_pipeline.connectors.base import Connector, Listing, Resource, SearchChanges
from integrations_pipeline.connectors.columns import TimeFormat, integer, text, timestamp
from integrations_pipeline.connectors.paging import LastIdPages
from integrations_pipeline.connectors.stripe import STRIPE

FIRST = 1_000_000
"""The first id; all have as many digits, so that they sort as texts as well."""
NOTE = "x" * 850
MADE = 1_750_000_000_000
OVERLAP = timedelta(seconds=10)


def _listing(path: str, size: int) -> Listing:
    pages = LastIdPages("starting_after", "has_more")
    return Listing(path=path, records_at="data", paginator=pages, params={"limit": str(size)})


def connector(page: int = 1000, name: str = "big") -> Connector:
    """The service as it is declared."""
    changes = SearchChanges(
        path="/search",
        records_at="data",
        stamp="updated",
        id_field="id",
        page_size=page,
        overlap=OVERLAP,
        request=lambda asked: {"since": asked.since_ms, "after": asked.after_id, "limit": page},
        more_at="more",
    )
    records = Resource(
        name="records",
        description="Records",
        docs_url="https://example.com",
        listing=_listing("/v1/records", page),
        columns=(
            text("name"),
            integer("amount"),
            timestamp("updated", fmt=TimeFormat.MILLISECONDS),
        ),
        version="updated",
        version_format=TimeFormat.MILLISECONDS,
        changes=changes,
        archived=_listing("/v1/archived", page),
    )
    return replace(STRIPE, name=name, label="Big", quotas=(), resources=(records,))


BIG = connector()

Fault = Callable[[socket.socket, bytes], None]
"""Answers instead of the service; is given the socket and the answer that it would have sent."""


@dataclass
class Source:
    """The service's records and what was asked of it."""

    records: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By id: when it was changed (ms), and its amount."""
    gone: list[int] = field(default_factory=list)
    odd: dict[int, bytes] = field(default_factory=dict)
    """By id: what is sent instead of the record."""
    latency: float = 0.0
    asked: list[str] = field(default_factory=list)
    """The targets of all requests, in order."""
    faults: list[tuple[str, int, Fault]] = field(default_factory=list)
    """A part of the target, how many such requests are let through first, and the fault."""
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, count: int) -> "Source":
        """A source of so many records, made long ago."""
        return cls({FIRST + n: (MADE, n) for n in range(count)})

    def change(self, share: float, rng: Random, *, at: float | None = None) -> list[int]:
        """Change so many of the records now, or at a time (unix seconds); their ids."""
        stamp = int((time.time() if at is None else at) * 1000)
        ids = rng.sample(sorted(self.records), max(1, int(share * len(self.records))))
        for key in ids:
            self.records[key] = (stamp, rng.randrange(10**9))
        return ids

    def add(self, count: int, *, at: float | None = None) -> list[int]:
        """Make new records."""
        stamp = int((time.time() if at is None else at) * 1000)
        first = max(self.records, default=FIRST - 1) + 1
        made = list(range(first, first + count))
        self.records |= {key: (stamp, key) for key in made}
        return made

    def delete(self, ids: list[int], *, told: bool = True) -> None:
        """Delete records; the listing of deleted ones shows them if `told`."""
        for key in ids:
            del self.records[key]
        self.gone += ids if told else []

    def spoil(self, ids: list[int], **fields: Any) -> None:
        """Send these records with other fields as well."""
        for key in ids:
            self.odd[key] = orjson.dumps({**orjson.loads(self._shown(key)), **fields})

    def digest(self) -> tuple[int, str]:
        """How many records there are, and a checksum over ids and contents."""
        lines = "\n".join(f"{k} {v} {a}" for k, (v, a) in sorted(self.records.items()))
        return len(self.records), hashlib.md5(lines.encode()).hexdigest()

    def fail(self, part: str, fault: Fault, after: int = 0) -> None:
        """Answer requests whose target contains `part` with a fault, after so many of them."""
        self.faults.append((part, after, fault))

    def count(self, part: str = "") -> int:
        """How many requests there were whose target contains a text."""
        return sum(part in target for target in list(self.asked))

    def fault_of(self, target: str) -> Fault | None:
        """Note a request, and how it fails."""
        with self._lock:
            self.asked.append(target)
            for place, (part, left, fault) in enumerate(self.faults):
                if part in target:
                    self.faults[place] = (part, left - 1, fault)
                    return fault if left <= 0 else None
        return None

    def answer(self, target: str, body: bytes) -> bytes:
        """The JSON that answers a request."""
        path, _, query = target.partition("?")
        if path == "/search":
            asked = orjson.loads(body)
            return self._found(asked)
        given = {name: values[0] for name, values in parse_qs(query).items()}
        after, limit = int(given.get("starting_after", 0)), int(given["limit"])
        ids = self.records if path == "/v1/records" else self.gone
        left = sorted(key for key in list(ids) if key > after)
        show = self._shown if path == "/v1/records" else _tombstone
        rows = b",".join(show(key) for key in left[:limit])
        more = b"true" if len(left) > limit else b"false"
        return b'{"data":[%s],"has_more":%s}' % (rows, more)

    def _found(self, asked: dict[str, Any]) -> bytes:
        since, after = asked["since"] or 0, int(asked["after"] or 0)
        records = self.records.items()
        ids = sorted(key for key, (at, _) in list(records) if at >= since and key > after)
        limit = asked["limit"]
        rows = b",".join(self._shown(key) for key in ids[:limit])
        return b'{"data":[%s],"more":%s}' % (rows, b"true" if len(ids) > limit else b"null")

    def _shown(self, key: int) -> bytes:
        if key in self.odd:
            return self.odd[key]
        stamp, amount = self.records[key]
        form = '{"id":"%d","name":"Record %d","updated":%d,"amount":%d,"note":"%s"}'
        return (form % (key, key, stamp, amount, NOTE)).encode()


def _tombstone(key: int) -> bytes:
    return b'{"id":"%d"}' % key


@contextmanager
def serving(source: Source) -> Iterator[Source]:
    """Serve it on a port of its own."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    source.url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    def accept() -> None:
        with suppress(OSError):
            while True:
                to, _ = listening.accept()
                to.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=_talk, args=(source, to), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield source
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def _talk(source: Source, to: socket.socket) -> None:
    with to, suppress(OSError, ValueError):
        reading = to.makefile("rb")
        while line := reading.readline():
            target, length = line.split()[1].decode(), 0
            while (header := reading.readline()) not in (b"\r\n", b""):
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            body = reading.read(length)
            fault = source.fault_of(target)
            time.sleep(source.latency)
            whole = http(source.answer(target, body))
            if fault is None:
                to.sendall(whole)
            else:
                fault(to, whole)


def http(body: bytes, status: str = "200 OK", *lines: str) -> bytes:
    """An HTTP answer."""
    head = [f"HTTP/1.1 {status}", "Content-Type: application/json"]
    head += [f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


# -- faults ---------------------------------------------------------------------------------------


def refusing(status: str) -> Fault:
    """An answer with a status that is no success."""
    return lambda to, _: to.sendall(http(b'{"error":{"message":"No."}}', status))


def empty(to: socket.socket, _: bytes) -> None:
    """As if there were no records."""
    to.sendall(http(b'{"data":[],"has_more":false}'))


def truncated(to: socket.socket, whole: bytes) -> None:
    """Half of the answer, and then the end."""
    to.sendall(whole[: len(whole) // 2])
    to.shutdown(socket.SHUT_RDWR)


def reset(to: socket.socket, whole: bytes) -> None:
    """Half of the answer, and then a reset."""
    to.sendall(whole[: len(whole) // 2])
    to.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    to.close()


def silent(to: socket.socket, whole: bytes) -> None:
    """Half of the answer, and then nothing for longer than anybody waits."""
    to.sendall(whole[: len(whole) // 2])
    to.recv(1)  # until the other side gives up


def trickling(to: socket.socket, whole: bytes) -> None:
    """One byte now and then."""
    for place in range(len(whole)):
        to.sendall(whole[place : place + 1])
        time.sleep(0.1)


def once(fault: Fault) -> Fault:
    """A fault that passes."""
    left = iter([fault])

    def answer(to: socket.socket, whole: bytes) -> None:
        next(left, socket.socket.sendall)(to, whole)

    return answer
