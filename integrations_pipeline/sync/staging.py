"""Full reads: staged batch by batch, shown in one transaction.

What has been read is kept in the database, so that a crash loses nothing of it. While the service
is asked for more, a second connection merges what is there already, in a transaction that stays
open and is committed with the end of the read. Should it fail or grow old, it is thrown away, and
everything is merged at the end from what was staged.

Of a service that is faster than the database only the ids are staged: its records go straight
into the open transaction, and should that fail, they are read again, and staged.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, text

from integrations_pipeline.errors import HeldError, RejectedRecordsError, StagedLostError
from integrations_pipeline.sync.arrays import texts
from integrations_pipeline.sync.batches import Batch
from integrations_pipeline.sync.committing import Committer
from integrations_pipeline.sync.counts import Counts
from integrations_pipeline.sync.merging import OF_INTEGRATION, OF_STAGE
from integrations_pipeline.sync.records import Change
from integrations_pipeline.sync.rows import Rows, Sorted, arrays
from integrations_pipeline.sync.showing import OpenMerge

STAGED_FOR = timedelta(days=7)
"""A full read that stopped goes on for so long; after that its beginning is too old."""


class Staging:
    """One full read of one resource, from its beginning or from where it stopped."""

    def __init__(
        self,
        committer: Committer,
        rows: Rows,
        first: Batch,
        *,
        max_deleted_share: float,
        keep_all: bool,
    ) -> None:
        self._committer = committer
        self._rows = rows
        self._max_deleted_share = max_deleted_share
        if first.begins:
            self._seq, self._began = 0, committer.run(self._empty)
            self._keeps: bool | None = keep_all or None  # None: not decided yet
        else:  # go on with what was staged before
            progress = first.progress or {}
            self._seq, self._began = progress["staged"], progress["staged_from"]
            self._keeps = True
        self._gone = set(committer.run(self._told_gone))
        """Those that this read was told to be deleted: what shows them again brings them back."""
        self._merge = OpenMerge(committer, rows, self._began)
        for seq in range(self._seq):
            self._merge.submit(seq)

    def take(self, batch: Batch) -> Counts:
        """Stage a batch; at the end of the read, show all of it.

        Raises:
            FenceLostError: another run owns the job.
            HeldError: so much would be deleted that a person must agree first.
            StagedLostError: the database crashed meanwhile and lost what was staged.
        """
        found = Sorted.of(batch.changes)
        counts = Counts()
        if len(found) or batch.progress:
            if self._keeps is None:
                self._keeps = not batch.quick
            counts, given = self._staged(batch, found)
            self._rows.committed(counts)
            self._merge.submit(self._seq, given)
            self._seq += 1
        if not batch.complete:
            return counts
        try:
            shown = self._merge.commit(self._seq, lambda c, merged: self._end(c, batch, merged))
        except HeldError:
            self._committer.run(self._give_up)
            raise
        return counts + shown

    def _staged(self, batch: Batch, found: Sorted) -> tuple[Counts, list[Change] | None]:
        try:
            return self._committer.run_once(lambda c: self._stage(c, batch, found))
        except RejectedRecordsError:
            self._committer.run(self._give_up)  # the next read judges all records anew
            raise

    def close(self) -> None:
        """Throw away what was merged and not shown."""
        self._merge.close()

    def _told_gone(self, connection: Connection) -> Sequence[str]:
        found: Sequence[str] = (
            connection.exec_driver_sql(_TOLD_GONE, self._committer.names).scalars().all()
        )
        return found

    def _empty(self, connection: Connection) -> str:
        connection.exec_driver_sql(_EMPTY, self._committer.names)
        connection.exec_driver_sql(_FORGOTTEN, self._committer.names)
        return str(connection.scalar(text("SELECT clock_timestamp()::text")))

    def _stage(
        self, connection: Connection, batch: Batch, found: Sorted
    ) -> tuple[Counts, list[Change] | None]:
        """What became of the batch, and its changes if they were not staged."""
        # a crash of the server empties the stage, and with it goes the progress that it covers
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        if self._seq and not self._is_staged(connection, self._seq - 1):
            raise StagedLostError("The database was restarted and lost what had been read.")
        counts = Counts(processed=len(found), rejected=len(found.faults))
        changed = self._rows.changed(connection, found, self._gone)
        self._gone.update(found.gone)

        def write(changes: list[Change]) -> None:
            values = {"seq": self._seq, "seen": texts(found.seen), "gone": texts(found.gone)}
            names = {**self._committer.names, **values, **arrays(changes)}
            connection.exec_driver_sql(_STAGE, names)

        given = None if self._keeps or found.gone else changed
        _, refused = self._rows.written(connection, changed if given is None else [], write)
        self._rows.keep_faults(connection, found, refused)
        counts += Counts(unchanged=len(found.present) - len(changed), rejected=len(refused))
        self._save_place(connection, batch)
        self._committer.count(connection, counts, batch.pages)
        return counts, given

    def _save_place(self, connection: Connection, batch: Batch) -> None:
        """Where the read goes on after a crash; if nothing is kept, it begins anew."""
        place = {**(batch.progress or {}), "staged": self._seq + 1, "staged_from": self._began}
        if self._keeps or self._seq == 0:
            self._committer.save_checkpoint(connection, None, place if self._keeps else None)

    def _is_staged(self, connection: Connection, seq: int) -> bool:
        names = {**self._committer.names, "seq": seq}
        return connection.exec_driver_sql(_IS_STAGED, names).first() is not None

    def _end(self, connection: Connection, batch: Batch, merged: Counts) -> Counts:
        """The last words of a read, in the transaction that shows it."""
        self._committer.hold_fence(connection)
        if batch.whole and self._rows.had_rows:
            merged += Counts(deleted=self._bury_unseen(connection))
        self._check_share(connection, merged.deleted)
        self._let_go(connection)
        if batch.whole:
            self._rows.close_older_letters(connection, self._began)
        self._committer.save_checkpoint(connection, batch.cursor, None)
        self._committer.count(connection, merged)
        return merged

    def _bury_unseen(self, connection: Connection) -> int:
        names = {**self._committer.names, "began": self._began}
        # sizes of arrays are unknown to the planner, and a nested loop would never end
        connection.exec_driver_sql("SET LOCAL enable_nestloop = off")
        deleted = connection.exec_driver_sql(self._rows.sql.bury_unseen, names).rowcount
        connection.exec_driver_sql("SET LOCAL enable_nestloop = on")
        return deleted

    def _check_share(self, connection: Connection, deleted: int) -> None:
        if not deleted or self._max_deleted_share >= 1:
            return
        names = {**self._committer.names, "began": self._began}
        kept, lost = connection.exec_driver_sql(self._rows.sql.count_old, names).one()
        if lost > self._max_deleted_share * (lost + kept):
            raise HeldError(
                f"The service shows {kept:,} of {lost + kept:,} records, so {lost:,} would "
                "be deleted. Nothing was changed.",
                action="If that is right, sync again with FULL_SYNC and --accept-deletions.",
            )

    def _give_up(self, connection: Connection) -> None:
        """The next full read begins anew: what was staged grows old."""
        self._let_go(connection)
        self._committer.save_checkpoint(connection, None, None)

    def _let_go(self, connection: Connection) -> None:
        connection.exec_driver_sql(_EMPTY, self._committer.names)


_EMPTY = f"DELETE FROM integrations.staged_batch WHERE {OF_STAGE}"
_TOLD_GONE = f"SELECT unnest(gone) FROM integrations.staged_batch WHERE {OF_STAGE}"
_FORGOTTEN = f"""
    DELETE FROM integrations.staged_batch WHERE {OF_INTEGRATION}
    AND staged_at < now() - interval '{STAGED_FOR.days} days'
"""
_IS_STAGED = f"SELECT 1 FROM integrations.staged_batch WHERE {OF_STAGE} AND seq = %(seq)s"
_STAGE = """
    INSERT INTO integrations.staged_batch (tenant_id, integration_id, resource, scope, seq,
        seen, gone, ids, raws, hashes, versions, customs)
    VALUES (%(tenant)s, %(integration)s, %(resource)s, %(scope)s, %(seq)s,
        %(seen)s, %(gone)s, %(ids)s, %(raws)s, %(hashes)s, %(versions)s, %(customs)s)
"""


def forget_staged(connection: Connection, names: dict[str, Any]) -> None:
    """What a full read had staged is of no use any more."""
    connection.exec_driver_sql(_EMPTY, names)


def staged_count(connection: Connection, names: dict[str, Any]) -> int:
    """How many batches of a full read are there."""
    sql = f"SELECT count(*) FROM integrations.staged_batch WHERE {OF_STAGE}"
    return int(connection.exec_driver_sql(sql, names).scalar_one())
