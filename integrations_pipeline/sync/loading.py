"""Loading: rows, checkpoint, counters and the job's fence in one transaction per batch."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError

from integrations_pipeline.connectors.base import Connector, Resource
from integrations_pipeline.errors import FenceLostError
from integrations_pipeline.store import Store
from integrations_pipeline.store.database import set_tenant
from integrations_pipeline.store.warehouse import extraction, table_name
from integrations_pipeline.sync.batches import Batch
from integrations_pipeline.sync.copying import copy_changes
from integrations_pipeline.sync.records import Change


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the records of a batch, a resource or a job."""

    processed: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """The sums."""
        return Counts(
            self.processed + other.processed,
            self.created + other.created,
            self.updated + other.updated,
            self.deleted + other.deleted,
            self.unchanged + other.unchanged,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where and for whom a loader writes."""

    tenant_id: UUID
    integration_id: UUID
    job_id: UUID
    fence: int
    scope: str
    """The checkpoint's scope: empty, or a digest of fields and filters."""
    moves_checkpoint: bool
    narrowed: bool = False
    """Whether the records lack fields: the next sync of all fields must then read all of them."""


class Loader:
    """Writes the batches of one resource for one job."""

    def __init__(
        self, store: Store, connector: Connector, resource: Resource, target: Target
    ) -> None:
        self._store = store
        self._resource = resource
        self._table = table_name(connector, resource)
        self._target = target
        self._track = False
        self._names: dict[str, Any] = {
            "tenant": target.tenant_id,
            "integration": target.integration_id,
            "job": target.job_id,
            "fence": target.fence,
            "scope": target.scope,
            "resource": resource.name,
        }

    def load(self, batch: Batch) -> Counts:
        """Write a batch, whole or not at all.

        Raises:
            FenceLostError: another run owns the job; nothing was written.
        """
        latest = {change.key: change for change in batch.changes}
        present = [change for change in latest.values() if change.raw is not None]
        gone = [change.key for change in latest.values() if change.raw is None]
        with self._transaction() as connection:
            self._hold_fence(connection)
            if batch.begins is not None:
                self._begin_full(connection, fresh=batch.begins)
            created, updated = self._merge(connection, present)
            deleted = self._bury(connection, gone)
            unchanged = len(latest) - created - updated - deleted
            if batch.complete:
                deleted += self._bury_unseen(connection)
            counts = Counts(len(latest), created, updated, deleted, unchanged)
            self._save_checkpoint(connection, batch)
            self._add(connection, counts, batch.pages)
        return counts

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._store, self._target.tenant_id)

    def _hold_fence(self, connection: Connection) -> None:
        """Keep the job ours until this transaction ends; a takeover waits for it."""
        held = connection.scalar(
            text(
                "SELECT 1 FROM integrations.integration_sync_job WHERE tenant_id = :tenant "
                "AND id = :job AND fence = :fence AND status = 'RUNNING' FOR SHARE"
            ),
            self._names,
        )
        if not held:
            raise FenceLostError("This job was ended or taken over; nothing more is written.")

    def _begin_full(self, connection: Connection, *, fresh: bool) -> None:
        """Remember what a full read meets, if there are rows that it may not meet."""
        seen = f"SELECT 1 {_SEEN} LIMIT 1"
        if not fresh:
            self._track = bool(connection.scalar(text(seen), self._names))
            return
        connection.execute(text(f"DELETE {_SEEN}"), self._names)
        present = (
            f"SELECT 1 FROM {self._table} WHERE tenant_id = :tenant "
            "AND integration_id = :integration AND deleted_at IS NULL LIMIT 1"
        )
        rows = connection.scalar(text(present), self._names)
        self._track = bool(rows) and self._resource.absent_is_deleted

    def _merge(self, connection: Connection, changes: list[Change]) -> tuple[int, int]:
        if not changes:
            return 0, 0
        copy_changes(connection, changes)
        created, updated = self._merge_staged(connection)
        if self._track:
            connection.execute(text(_NOTE_SEEN), self._names)
        return created, updated

    def _merge_staged(self, connection: Connection) -> tuple[int, int]:
        """Merge the staged rows; forgiving casts are used only where the strict ones failed."""
        try:
            with connection.begin_nested():
                found = connection.execute(text(self._strict_sql), self._names).one()
        except DataError:
            found = connection.execute(text(self._forgiving_sql), self._names).one()
        return found[0], found[1]

    @cached_property
    def _strict_sql(self) -> str:
        return self._merge_sql(strict=True)

    @cached_property
    def _forgiving_sql(self) -> str:
        return self._merge_sql(strict=False)

    def _merge_sql(self, *, strict: bool) -> str:
        """One statement: typed columns from the raw record, unchanged and older rows left alone."""
        columns = {
            f'"{c.name}"': extraction(c, "stage.raw", strict=strict) for c in self._resource.columns
        }
        names = ", ".join(columns)
        values = ", ".join(columns.values())
        refreshed = ", ".join(f"{name} = EXCLUDED.{name}" for name in columns)
        return f"""
            WITH merged AS (
                INSERT INTO {self._table} AS row (
                    tenant_id, integration_id, id, raw, content_hash, source_updated_at, job_id,
                    {names})
                SELECT :tenant, :integration, stage.id, stage.raw, stage.content_hash,
                    stage.source_updated_at, :job, {values}
                FROM stage
                ON CONFLICT (tenant_id, integration_id, id) DO UPDATE SET
                    raw = EXCLUDED.raw,
                    content_hash = EXCLUDED.content_hash,
                    source_updated_at =
                        COALESCE(EXCLUDED.source_updated_at, row.source_updated_at),
                    job_id = EXCLUDED.job_id,
                    synced_at = now(),
                    deleted_at = NULL,
                    {refreshed}
                WHERE (row.content_hash <> EXCLUDED.content_hash OR row.deleted_at IS NOT NULL)
                    AND (EXCLUDED.source_updated_at >= row.source_updated_at)
                        IS NOT FALSE
                RETURNING (xmax = 0) AS is_new
            )
            SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM merged
        """

    def _bury(self, connection: Connection, keys: list[str]) -> int:
        """Mark rows as deleted; the last good copy stays."""
        if not keys:
            return 0
        found = connection.execute(
            text(f"{_TOMBSTONE.format(table=self._table)} AND id = ANY(:keys)"),
            {**self._names, "keys": keys},
        )
        return found.rowcount

    def _bury_unseen(self, connection: Connection) -> int:
        if not self._track:
            return 0
        unseen = f"AND NOT EXISTS (SELECT 1 {_SEEN} AND record_id = row.id)"
        sql = f"{_TOMBSTONE.format(table=self._table)} {unseen}"
        deleted = connection.execute(text(sql), self._names).rowcount
        connection.execute(text(f"DELETE {_SEEN}"), self._names)
        return deleted

    def _save_checkpoint(self, connection: Connection, batch: Batch) -> None:
        if self._target.moves_checkpoint:
            connection.execute(
                text(_CHECKPOINT),
                {**self._names, "cursor": _json(batch.cursor), "progress": _json(batch.progress)},
            )
        if self._target.narrowed:
            connection.execute(text(_FORGET_WHOLE), self._names)

    def _add(self, connection: Connection, counts: Counts, pages: int) -> None:
        connection.execute(
            text(_COUNTERS),
            {
                **self._names,
                "pages": pages,
                "processed": counts.processed,
                "created": counts.created,
                "updated": counts.updated,
                "deleted": counts.deleted,
                "unchanged": counts.unchanged,
            },
        )


class _Transaction:
    """A tenant's transaction on a plain connection, as bulk work wants it."""

    def __init__(self, store: Store, tenant_id: UUID) -> None:
        self._begin = store.engine.begin()
        self._tenant_id = tenant_id

    def __enter__(self) -> Connection:
        connection = self._begin.__enter__()
        set_tenant(connection, self._tenant_id)
        return connection

    def __exit__(self, *error: Any) -> None:
        self._begin.__exit__(*error)


def _json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


_SEEN = """FROM integrations.seen_record WHERE tenant_id = :tenant
    AND integration_id = :integration AND resource = :resource AND scope = :scope"""
_NOTE_SEEN = """
    INSERT INTO integrations.seen_record (tenant_id, integration_id, resource, scope, record_id)
    SELECT :tenant, :integration, :resource, :scope, id FROM stage ON CONFLICT DO NOTHING
"""
_TOMBSTONE = """
    UPDATE {table} AS row SET deleted_at = now(), synced_at = now(), job_id = :job
    WHERE tenant_id = :tenant AND integration_id = :integration AND deleted_at IS NULL
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
_FORGET_WHOLE = """
    UPDATE integrations.checkpoint SET cursor = NULL, progress = NULL
    WHERE tenant_id = :tenant AND integration_id = :integration AND resource = :resource
        AND scope = '' AND (cursor IS NOT NULL OR progress IS NOT NULL)
"""
_COUNTERS = """
    UPDATE integrations.resource_sync SET
        processed = processed + :processed, created = created + :created,
        updated = updated + :updated, deleted = deleted + :deleted,
        unchanged = unchanged + :unchanged, pages = pages + :pages
    WHERE tenant_id = :tenant AND job_id = :job AND resource = :resource
"""
