"""Canaries: secrets in every spelling that they may leak in, and the places that are searched."""

import base64
import html
import json
import logging
import re
import traceback
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np
import psutil
from sqlalchemy import URL

from tests.e2e.test_stack import dumped

SHORTEST = 8
"""Bytes of the shortest canary: shorter ones would be found by chance."""
KEPT = ("staged_batch", "dead_letter", "outbound")
"""Our own tables that hold records as well."""
WAREHOUSE = ("hubspot.", "stripe.", "zendesk.", *(f"integrations.{name}" for name in KEPT))
ZLIB = re.compile(rb"\\\\x(789c[0-9a-f]+)")


class Canaries:
    """Values that must show nowhere, by what they are."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}

    def add(self, name: str, *values: str | bytes | None) -> None:
        """Search for these values; of a text of many lines each long one counts."""
        for value in values:
            raw = value.encode() if isinstance(value, str) else value or b""
            whole = isinstance(value, bytes) or b"\n" not in raw
            for part in [raw] if whole else [p for p in raw.splitlines() if len(p) > 40]:
                if len(part) >= SHORTEST:
                    self._names.setdefault(part, name)

    def add_private_key(self, name: str, key_file: str) -> None:
        """The lines of the private key inside a key file."""
        self.add(name, json.loads(key_file)["private_key"])

    def values(self, name: str) -> list[str]:
        """The values of one kind."""
        return [value.decode() for value, kind in self._names.items() if kind == name]

    @property
    def kinds(self) -> set[str]:
        """What kinds of secrets there are."""
        return set(self._names.values())

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._names)

    def needles(self) -> dict[bytes, str]:
        """Every spelling of every value, with what to call it in a report: never the value."""
        found: dict[bytes, str] = {}
        for place, (value, name) in enumerate(list(self._names.items())):
            for spelling, needle in spellings(value):
                found.setdefault(needle, f"{name} #{place} ({spelling})")
        return found


def spellings(value: bytes) -> Iterator[tuple[str, bytes]]:
    """The ways in which a value may be written down."""
    yield "plain", value
    yield "hex", value.hex().encode()
    yield "HEX", value.hex().upper().encode()
    for shift in range(3):  # inside a longer text, such as `user:secret`, it begins anywhere
        core = base64.b64encode(b"\0" * shift + value)[: (shift + len(value)) * 8 // 6]
        core = core[(0, 2, 3)[shift] :]
        yield "base64", core
        yield "base64url", core.replace(b"+", b"-").replace(b"/", b"_")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return
    yield "url", quote(text, safe="").encode()
    yield "json", json.dumps(text)[1:-1].encode()
    yield "html", html.escape(text).encode()
    yield "utf-16", text.encode("utf-16-le")


class Search:
    """Looks for many needles at once: their first eight bytes are compared at every place."""

    def __init__(self, needles: dict[bytes, str]) -> None:
        self._needles = {needle: name for needle, name in needles.items() if len(needle) >= 8}
        self._by_prefix: dict[int, list[bytes]] = {}
        for needle in self._needles:
            self._by_prefix.setdefault(int.from_bytes(needle[:8], "little"), []).append(needle)
        self._prefixes = np.array(sorted(self._by_prefix), dtype="<u8")

    def hits(self, data: bytes) -> set[str]:
        """The names of the needles that the data holds, each with where it begins."""
        found: set[str] = set()
        for offset in range(min(8, max(0, len(data) - 7))):
            words = np.frombuffer(data, "<u8", (len(data) - offset) // 8, offset)
            near = np.searchsorted(self._prefixes, words) % max(1, len(self._prefixes))
            for place in np.nonzero(self._prefixes[near] == words)[0]:
                begin = offset + 8 * int(place)
                found |= self._at(data, begin)
        return found

    def _at(self, data: bytes, begin: int) -> set[str]:
        prefix = int.from_bytes(data[begin : begin + 8], "little")
        there = [n for n in self._by_prefix[prefix] if data.startswith(n, begin)]
        return {f"{self._needles[needle]} after {_before(data, begin)}" for needle in there}


def _before(data: bytes, begin: int) -> str:
    """What stands before a hit: enough to find it, and nothing of it."""
    return repr(data[max(0, begin - 60) : begin].decode(errors="replace"))


@dataclass
class Evidence:
    """What was heard and seen, by kind of place."""

    pieces: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)

    def add(self, kind: str, label: str, content: str | bytes) -> None:
        """Keep a piece."""
        raw = content.encode(errors="replace") if isinstance(content, str) else content
        self.pieces.setdefault(kind, []).append((label, raw))

    def found(self, search: Search, kind: str) -> list[str]:
        """Where the needles are, each place and needle once."""
        hits = {f"{label}: {hit}" for label, raw in self.pieces[kind] for hit in search.hits(raw)}
        return sorted(hits)

    def bytes(self, kind: str) -> int:
        """How much was searched."""
        return sum(len(raw) for _, raw in self.pieces[kind])

    def error(self, label: str, error: BaseException) -> None:
        """What a traceback shows of an error, and what is hidden in its chain all the same."""
        self.add("tracebacks", label, "".join(traceback.format_exception(error)))
        self.add("errors, innermost included", label, "\n".join(chain(error)))

    def database(self, name: str, url: URL) -> None:
        """Every row of every table; sealed columns are there as hexadecimal digits."""
        for table, content in dumped(url):
            records = table.startswith(WAREHOUSE)
            kind = "records' tables" if records else f"{name} database"
            self.add(kind, table, content + b"".join(unpacked(content)))

    def files(self, folder: Path, *, without: Iterable[str] = ()) -> None:
        """Every file below a folder."""
        skipped = set(without)
        for path in folder.rglob("*"):
            if path.is_file() and path.name not in skipped:
                self.add("files", str(path.relative_to(folder)), path.read_bytes())

    def processes(self, pid: int, *, without: Iterable[str] = ()) -> None:
        """Arguments and environment of a process and all of its children."""
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            try:
                words, values = process.cmdline(), process.environ()
            except psutil.NoSuchProcess:
                continue
            label = " ".join(Path(word).name for word in words[:3])
            self.add("process arguments", label, "\0".join(words))
            kept = [f"{name}={value}" for name, value in values.items() if name not in set(without)]
            self.add("process environment", label, "\0".join(kept))


def chain(error: BaseException) -> Iterator[str]:
    """All texts of an error and of those that it came from, be they hidden from tracebacks."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        notes = getattr(one, "__notes__", [])
        yield f"[{type(one).__name__}] {one} | {one!r} | {one.args!r} | {notes!r}"
        waiting += [e for e in (one.__cause__, one.__context__) if e is not None]
        waiting += getattr(one, "exceptions", ())


def unpacked(content: bytes) -> Iterator[bytes]:
    """What is stored compressed, such as Dagster's snapshots."""
    for packed in ZLIB.findall(content):
        try:
            yield zlib.decompress(bytes.fromhex(packed.decode()))
        except (ValueError, zlib.error):
            continue


class Heard(logging.Handler):
    """Keeps every record of this process's loggers, save those of the sandbox's threads."""

    def __init__(self, evidence: Evidence, *, deaf_to: str) -> None:
        super().__init__(logging.NOTSET)
        self._evidence = evidence
        self._deaf_to = deaf_to

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one, with its arguments and its traceback."""
        if not (record.threadName or "").startswith(self._deaf_to):
            text = f"{self.format(record)} | {record.args!r}"
            self._evidence.add("logs of this process", record.name, text)
