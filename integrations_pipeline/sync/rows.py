"""Records and their table: what is new, what is refused, what is gone."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from integrations_pipeline.errors import RejectedRecordsError
from integrations_pipeline.sync.arrays import blobs, jsons, texts, times
from integrations_pipeline.sync.committing import Committer
from integrations_pipeline.sync.counts import Counts
from integrations_pipeline.sync.letters import has_letters, resolve, resolve_older, set_aside
from integrations_pipeline.sync.merging import TableSql
from integrations_pipeline.sync.records import Change

Result = TypeVar("Result")
MOST_REJECTED = 10
"""So many records of a read may be refused in any case …"""
MOST_REJECTED_SHARE = 0.01
"""… and this share of it."""
MOST_KEPT = 1000
"""Of a batch that is refused for too many of them."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The changes of a batch by what they are; of each record the newest version."""

    present: list[Change]
    gone: list[str]
    """Those that were told to be deleted, before or after they were present."""
    faults: list[Change]
    ended: set[str]
    """Those of them that are deleted in the end."""

    @classmethod
    def of(cls, changes: Iterable[Change]) -> "Sorted":
        """Sort them."""
        faults: list[Change] = []
        latest: dict[str, Change] = {}
        gone: dict[str, None] = {}
        ended: set[str] = set()
        for change in changes:
            key = change.key
            if change.fault is not None:
                faults.append(change)
            elif change.raw is None:
                gone[key] = None
                ended.add(key)
            elif key not in latest or _is_newer(change, latest[key]):
                latest[key] = change
                ended.discard(key)
        return cls(list(latest.values()), list(gone), faults, ended)

    @property
    def again(self) -> list[str]:
        """Those to be marked as deleted once more, after they were written."""
        return [c.key for c in self.present if c.key in self.ended] if self.ended else []

    @property
    def seen(self) -> list[str]:
        """The ids of records that are there, loaded or not; empty for one that shows no id."""
        there = (c.key for c in self.present if c.key not in self.ended)
        return [*there, *(c.key for c in self.faults)]

    def __len__(self) -> int:
        """How many records they concern."""
        return len(self.present) + len(self.gone) + len(self.faults)


class Rows:
    """The rows of one resource of one integration, under one job."""

    def __init__(self, committer: Committer, sql: TableSql) -> None:
        self.sql = sql
        self._committer = committer
        self._target = committer.target
        self._names = {**committer.names, "began": "infinity"}
        self._seen = self._rejected = 0
        self._faults: list[Change] = []
        self.had_rows, self._had_letters = committer.run(self._look)
        self._is_empty = not self.had_rows

    def changed(
        self, connection: Connection, found: Sorted, gone: Collection[str] = ()
    ) -> list[Change]:
        """Those that are not there already, as they are; those `gone` before are not there."""
        present = found.present
        if not self.had_rows or not present:
            return present
        given = {
            "ids": texts(c.key for c in present),
            "hashes": blobs([_digest(c) for c in present]),
        }
        same_ids = connection.exec_driver_sql(self.sql.unchanged, {**self._names, **given})
        same = set(same_ids.scalars()).difference(found.gone, gone)
        return [change for change in present if change.key not in same]

    def written(
        self,
        connection: Connection,
        changes: list[Change],
        write: Callable[[list[Change]], Result],
    ) -> tuple[Result, list[Change]]:
        """What `write` gives for the changes that the database can hold, and the others."""
        try:
            with connection.begin_nested():
                return write(changes), []
        except DataError:
            faults = _refused(connection, changes)
            if not faults:
                raise
        keys = {fault.key for fault in faults}
        with connection.begin_nested():
            return write([change for change in changes if change.key not in keys]), faults

    def merge(self, connection: Connection, changes: list[Change]) -> tuple[int, int]:
        """Write the given records; numbers of new and of updated rows."""
        if not changes:
            return 0, 0
        self.had_rows, self._is_empty = True, False
        return self._merged(connection, staged=False, names=arrays(changes))

    def merge_staged(self, connection: Connection, seq: int, began: str) -> tuple[int, int]:
        """Write a staged batch of a full read; rows that were written since it began stay."""
        return self._merged(connection, staged=True, names={"seq": seq, "began": began})

    def merge_given(
        self, connection: Connection, given: dict[str, Any], began: str
    ) -> tuple[int, int]:
        """The same for a batch that was not staged, as `arrays` encodes it."""
        return self._merged(connection, staged=False, names={**given, "began": began})

    def bury(self, connection: Connection, gone: list[str] | None) -> int:
        """Mark records as deleted; returns how many were not yet."""
        if not gone:
            return 0
        names = {**self._names, "gone": gone}
        return connection.exec_driver_sql(self.sql.bury, names).rowcount

    def keep_faults(self, connection: Connection, sorted_: Sorted, refused: list[Change]) -> None:
        """Set aside what could not be loaded.

        Raises:
            RejectedRecordsError: there are too many of them.
        """
        self._faults = faults = [*sorted_.faults, *refused]
        seen, rejected = self._seen + len(sorted_), self._rejected + len(faults)
        if faults and rejected > max(MOST_REJECTED, MOST_REJECTED_SHARE * seen):
            raise RejectedRecordsError(
                f"{rejected} of {seen} records can't be loaded, the last one because: "
                f"{str(faults[-1].fault).rstrip('.')}.",
                action="See `integrations letters`; nothing of this batch was stored.",
            )
        set_aside(connection, self._target, faults)
        self._had_letters |= bool(faults)

    def close_letters(self, connection: Connection, sorted_: Sorted, refused: list[Change]) -> None:
        """Close the letters of records that came in whole, or that are gone."""
        if self._had_letters:
            bad = {fault.key for fault in refused}
            settled = [*(c.key for c in sorted_.present if c.key not in bad), *sorted_.gone]
            resolve(connection, self._target, settled)

    def close_older_letters(self, connection: Connection, began: str) -> None:
        """After a read of everything: what did not fail in it came in whole, or is gone."""
        if self._had_letters:
            resolve_older(connection, self._target, began)

    def keep_rejected(self, connection: Connection) -> None:
        """Set aside what `keep_faults` found to be too much."""
        set_aside(connection, self._target, self._faults[:MOST_KEPT])

    def committed(self, counts: Counts) -> Counts:
        """Take note of what a batch came to, once it is certain."""
        self._seen += counts.processed
        self._rejected += counts.rejected
        return counts

    def _merged(
        self, connection: Connection, *, staged: bool, names: dict[str, Any]
    ) -> tuple[int, int]:
        """What costs least is tried first; it is right for almost every batch."""
        values = {**self._names, **names}
        for sql in self._likely(staged=staged):
            try:
                with connection.begin_nested():
                    found = connection.exec_driver_sql(sql, values).one()
            except IntegrityError:
                self._is_empty = False
            except DataError:
                break  # casts failed: others may do
            else:
                return found[0], found[1]
        found = connection.exec_driver_sql(self.sql.forgiving[staged], values).one()
        return found[0], found[1]

    def _likely(self, *, staged: bool) -> Iterator[str]:
        if self._is_empty:
            yield self.sql.fresh[staged]
        yield self.sql.strict[staged]

    def _look(self, connection: Connection) -> tuple[bool, bool]:
        rows = connection.exec_driver_sql(self.sql.has_rows, self._names).first()
        return rows is not None, has_letters(connection, self._target)


def arrays(changes: list[Change]) -> dict[str, Any]:
    """The changes as one array for each column."""
    mapped = any(change.custom for change in changes)
    return {
        "ids": texts(change.key for change in changes),
        "raws": jsons([change.raw for change in changes]),
        "hashes": blobs([_digest(change) for change in changes]),
        "versions": times(change.version for change in changes),
        "customs": jsons([change.custom for change in changes] if mapped else []),
    }


def _is_newer(change: Change, known: Change) -> bool:
    """Whether it counts of two versions; where they do not tell, the later one does."""
    return known.version is None or change.version is None or change.version >= known.version


def _digest(change: Change) -> bytes:
    return change.digest or b""


def _refused(connection: Connection, changes: list[Change]) -> list[Change]:
    """The records whose JSON the database refuses, found by halving."""
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(
                "SELECT cardinality(%(raws)s), cardinality(%(customs)s)", arrays(changes)
            )
    except DataError as error:
        if len(changes) > 1:
            half = len(changes) // 2
            return _refused(connection, changes[:half]) + _refused(connection, changes[half:])
        return [replace(changes[0], fault=f"The database can't hold it: {_told(error)}.")]
    return []


def _told(error: DataError) -> str:
    """The database's reason, without the value."""
    diag = getattr(error.orig, "diag", None)
    return getattr(diag, "message_primary", None) or type(error.orig).__name__
