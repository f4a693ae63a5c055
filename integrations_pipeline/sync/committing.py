"""What every write of a job does: the fence, the checkpoint and the counters in its transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from integrations_pipeline.errors import FenceLostError
from integrations_pipeline.store import Store
from integrations_pipeline.store.database import set_tenant
from integrations_pipeline.store.patience import patiently
from integrations_pipeline.sync.arrays import accept_arrays
from integrations_pipeline.sync.counts import Counts

Result = TypeVar("Result")
WORK_MEMORY = "64MB"
"""A batch passes through the server's memory, not through its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where and for whom a job writes."""

    tenant_id: UUID
    integration_id: UUID
    job_id: UUID
    fence: int
    resource: str
    scope: str
    """The checkpoint's scope: empty, or a digest of what narrows the read."""
    moves_checkpoint: bool
    fields: tuple[str, ...] = ()
    """The only columns that are written, where the records lack the other fields; empty: all."""

    @property
    def names(self) -> dict[str, Any]:
        """The parameters that all statements share."""
        return {
            "tenant": self.tenant_id,
            "integration": self.integration_id,
            "job": self.job_id,
            "fence": self.fence,
            "resource": self.resource,
            "scope": self.scope,
        }


class Committer:
    """Transactions of one part of a job."""

    def __init__(self, store: Store, target: Target) -> None:
        self._store = store
        self.target = target
        self.names = target.names
        self._commits = -1

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """Do `work` in a transaction under the job's fence, again if the database goes away.

        What `work` writes must be the same when it is written twice.

        Raises:
            FenceLostError: another run owns the job; nothing was written.
        """
        return patiently(lambda: self._once(work))

    def run_once(self, work: Callable[[Connection], Result]) -> Result:
        """The same for work that ends with `count`: where it went through although the answer to
        its commit was lost, it is not done again.
        """
        results: list[Result] = []

        def attempt(connection: Connection) -> Result:
            if not results or not self.has_counted(connection):
                results[:] = [work(connection)]
            return results[0]

        return self.run(attempt)

    def has_counted(self, connection: Connection) -> bool:
        """Whether the last `count` was committed."""
        return bool(connection.scalar(text(_COMMITS), self.names) == self._commits)

    def connect(self) -> Connection:
        """A connection of one's own; see `prepare`."""
        return self._store.engine.connect()

    def prepare(self, connection: Connection) -> None:
        """Make a transaction see the tenant's rows and take arrays."""
        set_tenant(connection, self.target.tenant_id, work_mem=WORK_MEMORY)
        accept_arrays(connection)

    def hold_fence(self, connection: Connection) -> None:
        """Keep the job ours until this transaction ends; a takeover waits for it."""
        if not connection.scalar(text(_FENCE), self.names):
            raise FenceLostError("This job was ended or taken over; nothing more is written.")

    def check_fence(self, connection: Connection) -> None:
        """Make sure that the job is ours at this moment, without keeping it so."""
        if not connection.scalar(text(_FENCE.replace("FOR SHARE", "")), self.names):
            raise FenceLostError("This job was ended or taken over; nothing more is written.")

    def save_checkpoint(
        self,
        connection: Connection,
        cursor: dict[str, Any] | None,
        progress: dict[str, Any] | None,
    ) -> None:
        """Where to go on, saved with the rows that it covers."""
        if self.target.moves_checkpoint:
            values = {**self.names, "cursor": _json(cursor), "progress": _json(progress)}
            connection.execute(text(_CHECKPOINT), values)

    def count(self, connection: Connection, counts: Counts, pages: int = 0) -> None:
        """Add to the counters of the part."""
        values = {**self.names, **counts.told(), "pages": pages}
        self._commits = connection.execute(text(_COUNTERS), values).scalar_one()

    def _once(self, work: Callable[[Connection], Result]) -> Result:
        with self._store.engine.begin() as connection:
            self.prepare(connection)
            self.hold_fence(connection)
            return work(connection)


def _json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


_FENCE = """
    SELECT 1 FROM integrations.integration_sync_job WHERE tenant_id = :tenant
    AND id = :job AND fence = :fence AND status = 'RUNNING' FOR SHARE
"""
_CHECKPOINT = """
    INSERT INTO integrations.checkpoint AS mark
        (tenant_id, integration_id, resource, scope, cursor, progress)
    VALUES (:tenant, :integration, :resource, :scope,
        CAST(:cursor AS jsonb), CAST(:progress AS jsonb))
    ON CONFLICT (tenant_id, integration_id, resource, scope) DO UPDATE SET
        cursor = COALESCE(EXCLUDED.cursor, mark.cursor),
        progress = EXCLUDED.progress,
        updated_at = now()
"""
_COUNTERS = """
    UPDATE integrations.resource_sync SET
        processed = processed + :processed, created = created + :created,
        updated = updated + :updated, deleted = deleted + :deleted,
        unchanged = unchanged + :unchanged, rejected = rejected + :rejected,
        pages = pages + :pages, commits = commits + 1
    WHERE tenant_id = :tenant AND job_id = :job AND resource = :resource
    RETURNING commits
"""
_COMMITS = """
    SELECT commits FROM integrations.resource_sync
    WHERE tenant_id = :tenant AND job_id = :job AND resource = :resource
"""
