"""Models of syncs: jobs, their parts and logs, checkpoints."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from integrations_pipeline.store.tables import (
    Base,
    TenantRow,
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
    """`{"fields": [...], "filters": {...}, "ids": [...]}`"""
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
    """`full`, `incremental` or `selective`, once decided."""
    processed: Mapped[int] = zero_column()
    created: Mapped[int] = zero_column()
    updated: Mapped[int] = zero_column()
    deleted: Mapped[int] = zero_column()
    unchanged: Mapped[int] = zero_column()
    pages: Mapped[int] = zero_column()
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


class SeenRecord(Base):
    """Ids met by a full read under way: what is not among them at its end was deleted."""

    __tablename__ = "seen_record"
    __table_args__ = of_tenant(of_row("integration", "integration_id"))

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(primary_key=True, server_default=text("''"))
    record_id: Mapped[str] = mapped_column(primary_key=True)
