"""The transaction in which a full read shows: open while the service is asked for more."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from integrations_pipeline.errors import StagedLostError
from integrations_pipeline.store.patience import patiently
from integrations_pipeline.sync.committing import Committer
from integrations_pipeline.sync.counts import Counts
from integrations_pipeline.sync.merging import OF_STAGE
from integrations_pipeline.sync.rows import Rows

log = structlog.get_logger("integrations_pipeline.sync")
OLDEST_SECONDS = 300.0
"""An open transaction keeps the server from cleaning up: it must not grow older than this."""
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
        self._ended: Counts | None = None
        """What the transaction came to, as far as it is known whether it was committed."""

    def submit(self, seqs: Iterable[int]) -> None:
        """Merge these as soon as possible."""
        for seq in seqs:
            self._pool.submit(self._merge_ahead, seq)

    def commit(self, total: int, end: End) -> Counts:
        """Merge what is not merged yet of `total` batches, do `end`, and commit.

        Raises:
            StagedLostError: some of the batches are gone.
        """
        return patiently(lambda: self._pool.submit(self._commit, total, end).result())

    def close(self) -> None:
        """Throw away what was not committed."""
        self._ahead = False  # what waits to be merged is not worth waiting for
        self._pool.submit(self._discard)
        self._pool.shutdown(wait=True, cancel_futures=False)

    def _merge_ahead(self, seq: int) -> None:
        """A fault here costs nothing but time: all is merged again in the end."""
        if not self._ahead:
            return
        try:
            if self._connection is not None and self._age() > OLDEST_SECONDS:
                raise TimeoutError("The transaction is too old.")
            self._merge(seq)
        except Exception as error:  # noqa: BLE001 - whatever it is, it shows again in the end
            log.debug("merging ahead ended", reason=type(error).__name__)
            self._ahead = False
            self._discard()

    def _merge(self, seq: int) -> None:
        connection = self._connection or self._open()
        names = {**self._committer.names, "seq": seq}
        found = connection.exec_driver_sql(_SIZES, names).first()
        if found is None:
            raise StagedLostError("The database was restarted and lost what had been read.")
        created, updated = self._rows.merge_staged(connection, seq, self._began)
        deleted = self._rows.bury(connection, found.gone)
        same = found.size + len(found.gone) - created - updated - deleted
        self._counts += Counts(created=created, updated=updated, deleted=deleted, unchanged=same)
        self._merged += 1

    def _commit(self, total: int, end: End) -> Counts:
        self._ahead = False
        if self._ended is not None and self._committer.run(self._committer.has_counted):
            return self._ended  # it was committed, only the answer was lost
        try:
            if self._connection is None or self._merged != total:
                self._discard()
                for seq in range(total):
                    self._merge(seq)
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
    SELECT cardinality(ids) AS size, gone FROM integrations.staged_batch
    WHERE {OF_STAGE} AND seq = %(seq)s
"""
