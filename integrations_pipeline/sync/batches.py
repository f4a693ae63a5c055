"""What reading hands to loading: batches of changes, and what is true once they are loaded."""

import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from integrations_pipeline.connectors.base import FilterTerm
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.sync.records import Change, Mapper, Watch

GROUP_ROWS = 2000
GROUP_BYTES = 4 * 1024 * 1024
GROUP_SECONDS = 1.0
"""A slow service must not keep what it has sent uncommitted for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a job wants of one resource."""

    mode: str
    """`full`, `incremental`, `selective` or `backfill`."""
    fields: tuple[str, ...] = ()
    """Names as the service knows them, where it narrows fields itself."""
    terms: tuple[FilterTerm, ...] = ()
    ids: tuple[str, ...] = ()
    linked: bool = True
    """Whether associations are wanted."""
    watch: Watch | None = None
    mapper: Mapper | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Changes that are loaded together with what is then known."""

    changes: list[Change] = field(default_factory=list)
    pages: int = 1
    cursor: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    begins: bool | None = None
    """True: a full read begins here; False: one that stopped goes on."""
    complete: bool = False
    """The end of a full read."""
    whole: bool = False
    """At that end: what it did not meet is gone."""
    quick: bool = False
    """It came so fast that reading it again costs less than keeping it."""


class _Group:
    """Batches on their way to become one."""

    def __init__(self) -> None:
        self._batches: list[Batch] = []
        self._rows = self._bytes = 0
        self._due = 0.0

    def add(self, batch: Batch) -> bool:
        """Take one more; whether it is time to load them."""
        if not self._batches:
            self._due = time.monotonic() + GROUP_SECONDS
        self._batches.append(batch)
        self._rows += len(batch.changes)
        self._bytes += sum(len(change.raw or b"") for change in batch.changes)
        return self._is_full or time.monotonic() >= self._due

    @property
    def _is_full(self) -> bool:
        return self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES

    def taken(self) -> Iterator[Batch]:
        """All of them as one batch, if there are any."""
        batches, self._batches = self._batches, []
        quick = self._is_full and time.monotonic() < self._due
        self._rows = self._bytes = 0
        if batches:
            last = batches[-1]
            # the end of a full read has no place to go on from: until it shows, the one before is
            placed = batches[-2] if last.complete and len(batches) > 1 else last
            yield Batch(
                changes=[change for batch in batches for change in batch.changes],
                pages=sum(batch.pages for batch in batches),
                cursor=next((b.cursor for b in reversed(batches) if b.cursor), None),
                progress=placed.progress,
                complete=last.complete,
                whole=last.whole,
                quick=quick,
            )


def grouped(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches in fewer, larger ones; what was read before a fault is still delivered."""
    group = _Group()
    try:
        for batch in batches:
            if batch.begins is not None:
                yield from group.taken()
                yield batch
            elif group.add(batch):
                yield from group.taken()
    except Exception:
        yield from group.taken()
        raise
    yield from group.taken()


def ahead(batches: Iterator[Batch]) -> Generator[Batch, None, None]:
    """The same batches, each fetched while the one before is loaded."""
    pool = ThreadPoolExecutor(1)
    try:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch
    finally:
        # whoever stops listening does not wait for what is being fetched
        pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Event:
    """A line of an event log: which object, and when."""

    id: str
    created: float
    object_id: str | None

    @classmethod
    def read(cls, row: Any) -> "Event":
        """The event that a row tells of.

        Raises:
            AnswerError: it has no id or no time.
        """
        created, key = dig(row, "created"), dig(row, "data.object.id")
        if not dig(row, "id") or isinstance(created, bool) or not isinstance(created, int | float):
            raise AnswerError("An event has no id or no time.")
        return cls(str(row["id"]), float(created), None if key is None else str(key))


def stamped(change: Change, stamps: dict[str, float]) -> Change:
    """The change with its event's time, where the record tells no version of its own."""
    stamp = stamps.get(change.key)
    if not stamp or change.version is not None:
        return change
    return replace(change, version=datetime.fromtimestamp(stamp, UTC))


def chunks(ids: tuple[str, ...], size: int) -> Iterator[tuple[str, ...]]:
    """The ids, `size` at a time."""
    return (ids[start : start + size] for start in range(0, len(ids), size))


def iso(moment: datetime) -> str:
    """The form in which checkpoints keep a time."""
    return moment.isoformat()


def moment_of(value: Any) -> datetime:
    """A time of a checkpoint: text of `iso`, or unix seconds."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return datetime.fromisoformat(str(value))


def millis(moment: datetime) -> int:
    """Unix milliseconds."""
    return int(moment.timestamp() * 1000)
