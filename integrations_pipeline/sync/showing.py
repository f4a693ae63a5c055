"""The transaction in which a full read shows: open while the service is asked for more."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from integrations_pipeline.errors import StagedLostError
from integrations_pipeline.store.patience import patiently
from integrations_pipeline.sync.committing import Committer
from integrations_pipeline.sync.counts import Counts
from integrations_pipeline.sync.merging import OF_STAGE
from integrations_pipeline.sync.records import Change
from integrations_pipeline.sync.rows import Rows, arrays

log = structlog.get_logger("integrations_pipeline.sync")
OLDEST_SECONDS = 900.0
"""An open transaction keeps the server from cleaning up: it must not grow older than this."""
MOST_GIVEN = 2
"""Batches that are not staged wait in memory to be merged: so many at most."""
End = Callable[[Connection, Counts], Counts]
"""What is done last in the transaction; takes and gives what became of the records."""


class OpenMerge:
    """Merges staged batches one after the other, in a thread and on a connection of its own."""

    def __init__(self, committer: Committer, rows: Rows, began: str) -> None:
        self._committer = committer
        self._rows = rows
        self._began = began
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="merge")
        self._connection: Connection | None = None
        self._opened = 0.0
        self._counts = Counts()
        self._merged = 0
        self._ahead = True
        self._room = threading.Semaphore(MOST_GIVEN)
        self._has_given = False
        """Whether there are batches that can't be merged again."""
        self._ended: Counts | None = None
        """What the transaction came to, as far as it is known whether it was committed."""

    def submit(self, seq: int, given: list[Change] | None = None) -> None:
        """Merge a staged batch as soon as possible; `given` are its changes if it lacks them."""
        if given is None:
            self._pool.submit(self._merge_ahead, seq)
            return
        if not self._ahead:
            raise StagedLostError("The transaction of a full read was lost.")
        self._has_given = True
        encoded = arrays(given)  # here, not there: merging is what takes longest
        self._room.acquire()
        self._pool.submit(self._merge_given, len(given), encoded)

    def commit(self, total: int, end: End) -> Counts:
        """Merge what is not merged yet of `total` batches, do `end`, and commit.

        Raises:
            StagedLostError: some of the batches are gone, and must be read again.
        """
        return patiently(lambda: self._pool.submit(self._commit, total, end).result())

    def close(self) -> None:
        """Throw away what was not committed."""
        self._ahead = False  # what waits to be merged is not worth waiting for
        self._pool.submit(self._discard)
        self._pool.shutdown(wait=True, cancel_futures=False)

    def _merge_given(self, size: int, given: dict[str, Any]) -> None:
        try:
            self._ahead_of_time(lambda connection: self._merge_directly(connection, size, given))
        finally:
            self._room.release()

    def _merge_ahead(self, seq: int) -> None:
        self._ahead_of_time(lambda connection: self._merge_staged(connection, seq))

    def _ahead_of_time(self, merge: Callable[[Connection], None]) -> None:
        """A fault here costs nothing but time: all is merged again in the end."""
        if not self._ahead:
            return
        try:
            if self._connection is not None and self._age() > OLDEST_SECONDS:
                raise TimeoutError("The transaction is too old.")
            merge(self._connection or self._open())
        except Exception as error:  # noqa: BLE001 - whatever it is, it shows again in the end
            log.debug("merging ahead ended", reason=type(error).__name__)
            self._ahead = False
            self._discard()

    def _merge_directly(self, connection: Connection, size: int, given: dict[str, Any]) -> None:
        """The job's fence was checked when the ids of these records were staged."""
        created, updated = (
            self._rows.merge_given(connection, given, self._began) if size else (0, 0)
        )
        same = size - created - updated
        self._merged_one(Counts(created=created, updated=updated, unchanged=same))

    def _merge_staged(self, connection: Connection, seq: int) -> None:
        self._committer.check_fence(connection)
        names = {**self._committer.names, "seq": seq}
        found = connection.exec_driver_sql(_SIZES, names).first()
        if found is None:
            raise StagedLostError("The database was restarted and lost what had been read.")
        deleted = self._rows.bury(connection, found.gone)
        created, updated = self._rows.merge_staged(connection, seq, self._began)
        deleted += self._rows.bury(connection, found.again)
        same = max(0, found.size + len(found.gone) - created - updated - deleted)
        self._merged_one(Counts(created=created, updated=updated, deleted=deleted, unchanged=same))

    def _merged_one(self, counts: Counts) -> None:
        self._counts += counts
        self._merged += 1

    def _commit(self, total: int, end: End) -> Counts:
        self._ahead = False
        if self._ended is not None and self._committer.run(self._committer.has_counted):
            return self._ended  # it was committed, only the answer was lost
        try:
            if self._connection is None or self._merged != total:
                self._discard()
                if self._has_given:
                    raise StagedLostError("The transaction of a full read was lost.")
                for seq in range(total):
                    self._merge_staged(self._connection or self._open(), seq)
            connection = self._connection or self._open()
            self._ended = end(connection, self._counts)
            connection.commit()
        finally:
            self._discard()
        return self._ended

    def _open(self) -> Connection:
        connection = self._committer.connect()
        self._committer.prepare(connection)
        self._connection, self._opened = connection, time.monotonic()
        return connection

    def _age(self) -> float:
        return time.monotonic() - self._opened

    def _discard(self) -> None:
        connection, self._connection = self._connection, None
        self._counts, self._merged = Counts(), 0
        if connection is not None:
            try:
                connection.close()
            except DBAPIError:
                connection.invalidate()


_SIZES = f"""
    SELECT cardinality(ids) AS size, gone, CASE WHEN gone <> '{{}}' THEN ARRAY(
        (SELECT unnest(gone) INTERSECT SELECT unnest(ids)) EXCEPT SELECT unnest(seen)
    ) END AS again FROM integrations.staged_batch
    WHERE {OF_STAGE} AND seq = %(seq)s
"""
