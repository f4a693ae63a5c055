"""Models of syncs: jobs, their parts and logs, checkpoints."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from integrations_pipeline.store.tables import (
    Base,
    TenantRow,
    list_column,
    now_column,
    object_column,
    of_row,
    of_tenant,
    zero_column,
)


class IntegrationSyncJob(TenantRow, Base):
    """One execution for one integration. `fence` says which run may write for it."""

    __tablename__ = "integration_sync_job"
    __table_args__ = of_tenant(of_row("integration", "integration_id"))

    integration_id: Mapped[UUID]
    sync_type: Mapped[str]
    direction: Mapped[str]
    trigger: Mapped[str]
    requested_by: Mapped[str | None]
    slot: Mapped[datetime | None]
    """The scheduled time this job stands for; unique per integration."""
    resources: Mapped[list[str]]
    configuration: Mapped[dict[str, Any]] = object_column()
    """What a `SyncRequest` asks beside its columns here: fields, filters, ids, range …"""
    status: Mapped[str] = mapped_column(server_default=text("'PENDING'"))
    error: Mapped[str | None]
    run_id: Mapped[str | None]
    launched_at: Mapped[datetime | None]
    launches: Mapped[int] = zero_column()
    fence: Mapped[int] = zero_column()
    holder: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    api_calls: Mapped[int] = zero_column()
    api_bytes: Mapped[int] = zero_column()
    waited_seconds: Mapped[float] = zero_column()
    retries: Mapped[int] = zero_column()
    not_before: Mapped[datetime | None]
    """A job that waits for the service's limit is not launched before this time."""
    parks: Mapped[int] = zero_column()
    """How often it was put off so."""
    cancel_asked_by: Mapped[str | None]
    created_at: Mapped[datetime] = now_column()
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class ResourceSync(Base):
    """What a job did for one resource, kept up with every batch."""

    __tablename__ = "resource_sync"
    __table_args__ = of_tenant(of_row("integration_sync_job", "job_id"))

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(server_default=text("'PENDING'"))
    mode: Mapped[str | None]
    """`full`, `incremental`, `selective` or `backfill`, once decided."""
    processed: Mapped[int] = zero_column()
    created: Mapped[int] = zero_column()
    updated: Mapped[int] = zero_column()
    deleted: Mapped[int] = zero_column()
    unchanged: Mapped[int] = zero_column()
    rejected: Mapped[int] = zero_column()
    """Records that were set aside; see `DeadLetter`."""
    warnings: Mapped[int] = zero_column()
    schema_changes: Mapped[list[str]] = list_column()
    """What the records' fields showed to be new, other or gone, in words."""
    pages: Mapped[int] = zero_column()
    commits: Mapped[int] = zero_column()
    """How often it counted: so a commit is known whose answer was lost."""
    api_calls: Mapped[int] = zero_column()
    api_bytes: Mapped[int] = zero_column()
    waited_seconds: Mapped[float] = zero_column()
    retries: Mapped[int] = zero_column()
    error: Mapped[str | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class IntegrationSyncLog(TenantRow, Base):
    """A line of a job's story."""

    __tablename__ = "integration_sync_log"
    __table_args__ = of_tenant(of_row("integration_sync_job", "job_id"))

    id: Mapped[int] = mapped_column(  # type: ignore[assignment]
        primary_key=True, autoincrement=True
    )
    job_id: Mapped[UUID]
    level: Mapped[str]
    resource: Mapped[str | None]
    message: Mapped[str]
    details: Mapped[dict[str, Any]] = object_column()
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class Checkpoint(Base):
    """How far a resource has been read, saved with the rows it covers."""

    __tablename__ = "checkpoint"
    __table_args__ = of_tenant(of_row("integration", "integration_id"))

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(primary_key=True, server_default=text("''"))
    """Empty for the whole resource, else a digest of the fields and filters."""
    cursor: Mapped[dict[str, Any] | None]
    """Where the next incremental read begins; None until a full read was finished."""
    progress: Mapped[dict[str, Any] | None]
    """Where an unfinished read goes on."""
    updated_at: Mapped[datetime] = now_column()


class StagedBatch(Base):
    """Records that a full read has met; they show when all of them are merged at once.

    `seen` are the ids of all records of the batch; the arrays beside it hold those that are new
    or changed, one place for each record.
    """

    __tablename__ = "staged_batch"
    __table_args__ = of_tenant(of_row("integration", "integration_id"))

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(primary_key=True, server_default=text("''"))
    seq: Mapped[int] = mapped_column(primary_key=True)
    seen: Mapped[list[str]]
    gone: Mapped[list[str]]
    ids: Mapped[list[str]]
    raws: Mapped[list[Any]] = mapped_column(ARRAY(JSONB))
    hashes: Mapped[list[bytes]] = mapped_column(ARRAY(LargeBinary))
    versions: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    customs: Mapped[list[Any]] = mapped_column(ARRAY(JSONB))
    staged_at: Mapped[datetime] = now_column()


class SeenField(Base):
    """A field that an integration's records were seen with; never its values."""

    __tablename__ = "seen_field"
    __table_args__ = of_tenant(of_row("integration", "integration_id"))

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    """Dotted; empty for the record itself, once a full read has told what is usual."""
    types: Mapped[list[str]]
    """`text`, `number`, `boolean`, `object`, `list`, `map` (an object whose keys are data)."""
    first_seen: Mapped[datetime] = now_column()
    last_seen: Mapped[datetime] = now_column()
    gone_at: Mapped[datetime | None]


class DeadLetter(TenantRow, Base):
    """A record that could not be loaded or sent; the same one that fails again is one letter."""

    __tablename__ = "dead_letter"
    __table_args__ = of_tenant(of_row("integration", "integration_id"))

    integration_id: Mapped[UUID]
    resource: Mapped[str]
    direction: Mapped[str]
    job_id: Mapped[UUID | None]
    record_id: Mapped[str | None]
    reason: Mapped[str]
    payload: Mapped[bytes]
    digest: Mapped[bytes]
    times: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = now_column()
    last_at: Mapped[datetime] = now_column()
    resolved_at: Mapped[datetime | None]
