"""Loading: what a batch says becomes rows, with checkpoint, counters and fence in one commit."""

from sqlalchemy import Connection

from integrations_pipeline.connectors.base import Connector, Resource
from integrations_pipeline.errors import RejectedRecordsError
from integrations_pipeline.store import Store
from integrations_pipeline.sync.batches import Batch
from integrations_pipeline.sync.committing import Committer, Target
from integrations_pipeline.sync.counts import Counts
from integrations_pipeline.sync.merging import TableSql
from integrations_pipeline.sync.rows import Rows, Sorted
from integrations_pipeline.sync.staging import Staging, forget_staged


class Loader:
    """Writes the batches of one resource for one job: at once, or as a full read in the end."""

    def __init__(
        self,
        store: Store,
        connector: Connector,
        resource: Resource,
        target: Target,
        *,
        max_deleted_share: float = 1.0,
        keep_all: bool = True,
    ) -> None:
        """`keep_all`: whether a full read of a fast service stages its records as well."""
        self._committer = Committer(store, target)
        self._rows = Rows(self._committer, TableSql(connector, resource, target.fields))
        self._max_deleted_share = max_deleted_share
        self._keep_all = keep_all
        self._staging: Staging | None = None

    def load(self, batch: Batch) -> Counts:
        """Write a batch, whole or not at all.

        Raises:
            FenceLostError: another run owns the job; nothing was written.
            HeldError: a full read would delete so much that a person must agree first.
            RejectedRecordsError: too many records can't be loaded.
            StagedLostError: the database crashed and lost what a full read had staged.
        """
        if batch.begins is not None:
            self.close()
            self._staging = Staging(
                self._committer,
                self._rows,
                batch,
                max_deleted_share=self._max_deleted_share,
                keep_all=self._keep_all,
            )
            return Counts()
        try:
            if self._staging is not None:
                return self._staging.take(batch)
            counts = self._committer.run_once(lambda connection: self._merge(connection, batch))
            return self._rows.committed(counts)
        except RejectedRecordsError:
            self._committer.run(self._rows.keep_rejected)
            raise

    def close(self) -> None:
        """Throw away a full read that did not come to its end; what it staged stays."""
        if self._staging is not None:
            self._staging.close()

    def _merge(self, connection: Connection, batch: Batch) -> Counts:
        found = Sorted.of(batch.changes)
        deleted = self._rows.bury(connection, found.gone)
        changed = self._rows.changed(connection, found)
        (created, updated), refused = self._rows.written(
            connection, changed, lambda given: self._rows.merge(connection, given)
        )
        deleted += self._rows.bury(connection, found.again)
        self._rows.keep_faults(connection, found, refused)
        self._rows.close_letters(connection, found, refused)
        rejected = len(found.faults) + len(refused)
        counts = Counts(
            processed=len(found),
            created=created,
            updated=updated,
            deleted=deleted,
            unchanged=max(0, len(found) - created - updated - deleted - rejected),
            rejected=rejected,
        )
        self._committer.save_checkpoint(connection, batch.cursor, batch.progress)
        if batch.progress is None and self._committer.target.moves_checkpoint:
            forget_staged(connection, self._committer.names)  # no full read goes on after this
        self._committer.count(connection, counts, batch.pages)
        return counts
