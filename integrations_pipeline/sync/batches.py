"""What reading hands to loading: batches of changes, and what is true once they are loaded."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from integrations_pipeline.connectors.base import FilterTerm
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.sync.records import Change

GROUP_ROWS = 5000
GROUP_SECONDS = 1.0
"""A slow service must not keep what it has sent uncommitted for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a job wants of one resource."""

    mode: str
    """`full`, `incremental` or `selective`."""
    fields: tuple[str, ...] = ()
    """Names as the service knows them, where it narrows fields itself."""
    terms: tuple[FilterTerm, ...] = ()
    ids: tuple[str, ...] = ()
    linked: bool = True
    """Whether associations are wanted."""


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
    """The end of a full read: what it did not meet is gone."""


def grouped(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches in fewer, larger ones; what was read before a fault is still delivered."""
    group: Batch | None = None
    due = 0.0
    try:
        for batch in batches:
            if group is None:
                due = time.monotonic() + GROUP_SECONDS
            group = batch if group is None else _joined(group, batch)
            full = len(group.changes) >= GROUP_ROWS or time.monotonic() >= due
            if full or batch.begins is not None:
                ready, group = group, None
                yield ready
    except Exception:
        if group is not None:
            yield group
        raise
    if group is not None:
        yield group


def _joined(first: Batch, second: Batch) -> Batch:
    return Batch(
        changes=first.changes + second.changes,
        pages=first.pages + second.pages,
        cursor=second.cursor or first.cursor,
        progress=second.progress,
        begins=second.begins,
        complete=second.complete,
    )


def ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
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
