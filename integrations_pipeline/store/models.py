"""The application's own tables. Every row of a tenant carries the tenant in its key."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, DateTime, ForeignKeyConstraint, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA = "integrations"


class IntegrationStatus(StrEnum):
    """How a connection is."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    ERROR = "ERROR"
    SYNCING = "SYNCING"
    PAUSED = "PAUSED"


class JobStatus(StrEnum):
    """How far a sync job is."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class SyncType(StrEnum):
    """What a sync job reads. SCHEDULED and MANUAL: changes if there is a checkpoint, else all."""

    FULL_SYNC = "FULL_SYNC"
    INCREMENTAL = "INCREMENTAL"
    SELECTIVE = "SELECTIVE"
    SCHEDULED = "SCHEDULED"
    MANUAL = "MANUAL"


class Direction(StrEnum):
    """Which way the records go."""

    PULL = "pull"


class Base(DeclarativeBase):
    """Common types: times carry their zone, dictionaries are jsonb."""

    type_annotation_map = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        bytes: LargeBinary,
        str: Text,
        int: BigInteger,
    }


def _now() -> Any:
    return mapped_column(server_default=text("now()"))


def _empty_object() -> Any:
    return mapped_column(server_default=text("'{}'::jsonb"))


def _empty_list() -> Any:
    return mapped_column(server_default=text("'{}'::text[]"))


def _zero() -> Any:
    return mapped_column(server_default=text("0"))


class Tenant(Base):
    """An organisation; the wall that data never crosses."""

    __tablename__ = "tenant"
    __table_args__ = {"schema": SCHEMA}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = _now()


class TenantRow:
    """The key of every row that belongs to a tenant."""

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)


def _of_tenant(*more: Any) -> tuple[Any, ...]:
    tenant = ForeignKeyConstraint(["tenant_id"], [f"{SCHEMA}.tenant.id"], ondelete="CASCADE")
    return (tenant, *more, {"schema": SCHEMA})


def _of(table: str, column: str) -> ForeignKeyConstraint:
    """A reference to a row of the same tenant, gone with it."""
    return ForeignKeyConstraint(
        ["tenant_id", column],
        [f"{SCHEMA}.{table}.tenant_id", f"{SCHEMA}.{table}.id"],
        ondelete="CASCADE",
    )


class User(TenantRow, Base):
    """A person who administers a tenant's integrations."""

    __tablename__ = "app_user"
    __table_args__ = _of_tenant()

    email: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime] = _now()
    disabled_at: Mapped[datetime | None]


class ApiKey(TenantRow, Base):
    """A program's way in; only the key's hash is kept."""

    __tablename__ = "api_key"
    __table_args__ = _of_tenant(_of("app_user", "user_id"))

    user_id: Mapped[UUID]
    name: Mapped[str]
    key_hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = _empty_list()
    created_at: Mapped[datetime] = _now()
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Integration(TenantRow, Base):
    """One tenant's connection to one service."""

    __tablename__ = "integration"
    __table_args__ = _of_tenant()

    key: Mapped[str] = mapped_column(unique=True)
    """`tenant--name`: the partition key in Dagster and the name on the command line."""
    slug: Mapped[str]
    name: Mapped[str]
    type: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=text("'INACTIVE'"))
    status_reason: Mapped[str | None]
    settings: Mapped[dict[str, Any]] = _empty_object()
    client_id: Mapped[str | None]
    client_secret: Mapped[bytes | None]
    account_id: Mapped[str | None]
    schedule_cron: Mapped[str | None]
    schedule_timezone: Mapped[str] = mapped_column(server_default=text("'UTC'"))
    next_sync_at: Mapped[datetime | None]
    last_sync_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = _now()
    updated_at: Mapped[datetime] = _now()


class OAuthToken(Base):
    """The live credentials of an integration. `version` fences every refresh."""

    __tablename__ = "oauth_token"
    __table_args__ = _of_tenant(_of("integration", "integration_id"))

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(server_default=text("1"))
    access_token: Mapped[bytes]
    refresh_token: Mapped[bytes | None]
    scopes: Mapped[list[str]] = _empty_list()
    expires_at: Mapped[datetime | None]
    obtained_at: Mapped[datetime] = _now()
    refresh_holder: Mapped[str | None]
    refresh_started_at: Mapped[datetime | None]


class OAuthState(TenantRow, Base):
    """A connection under way: single use, ten minutes, bound to one browser session."""

    __tablename__ = "oauth_state"
    __table_args__ = _of_tenant(_of("integration", "integration_id"))

    state_hash: Mapped[bytes] = mapped_column(unique=True)
    integration_id: Mapped[UUID]
    user_id: Mapped[UUID]
    session_hash: Mapped[bytes]
    code_verifier: Mapped[bytes | None]
    redirect_uri: Mapped[str]
    scopes: Mapped[list[str]] = _empty_list()
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class IntegrationSyncJob(TenantRow, Base):
    """One execution for one integration. `fence` says which run may write for it."""

    __tablename__ = "integration_sync_job"
    __table_args__ = _of_tenant(_of("integration", "integration_id"))

    integration_id: Mapped[UUID]
    sync_type: Mapped[str]
    direction: Mapped[str]
    trigger: Mapped[str]
    requested_by: Mapped[str | None]
    slot: Mapped[datetime | None]
    """The scheduled time this job stands for; unique per integration."""
    resources: Mapped[list[str]]
    configuration: Mapped[dict[str, Any]] = _empty_object()
    """`{"fields": [...], "filters": {...}, "ids": [...]}`"""
    status: Mapped[str] = mapped_column(server_default=text("'PENDING'"))
    error: Mapped[str | None]
    run_id: Mapped[str | None]
    launched_at: Mapped[datetime | None]
    launches: Mapped[int] = _zero()
    fence: Mapped[int] = _zero()
    holder: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    api_calls: Mapped[int] = _zero()
    api_bytes: Mapped[int] = _zero()
    waited_seconds: Mapped[float] = _zero()
    created_at: Mapped[datetime] = _now()
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class ResourceSync(Base):
    """What a job did for one resource, kept up with every batch."""

    __tablename__ = "resource_sync"
    __table_args__ = _of_tenant(_of("integration_sync_job", "job_id"))

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(server_default=text("'PENDING'"))
    mode: Mapped[str | None]
    """`full`, `incremental` or `selective`, once decided."""
    processed: Mapped[int] = _zero()
    created: Mapped[int] = _zero()
    updated: Mapped[int] = _zero()
    deleted: Mapped[int] = _zero()
    unchanged: Mapped[int] = _zero()
    pages: Mapped[int] = _zero()
    error: Mapped[str | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class IntegrationSyncLog(TenantRow, Base):
    """A line of a job's story."""

    __tablename__ = "integration_sync_log"
    __table_args__ = _of_tenant(_of("integration_sync_job", "job_id"))

    id: Mapped[int] = mapped_column(  # type: ignore[assignment]
        primary_key=True, autoincrement=True
    )
    job_id: Mapped[UUID]
    level: Mapped[str]
    resource: Mapped[str | None]
    message: Mapped[str]
    details: Mapped[dict[str, Any]] = _empty_object()
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class Checkpoint(Base):
    """How far a resource has been read, saved with the rows it covers."""

    __tablename__ = "checkpoint"
    __table_args__ = _of_tenant(_of("integration", "integration_id"))

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(primary_key=True, server_default=text("''"))
    """Empty for the whole resource, else a digest of the fields and filters."""
    cursor: Mapped[dict[str, Any] | None]
    """Where the next incremental read begins; None until a full read was finished."""
    progress: Mapped[dict[str, Any] | None]
    """Where an unfinished read goes on."""
    updated_at: Mapped[datetime] = _now()


class SeenRecord(Base):
    """Ids met by a full read under way: what is not among them at its end was deleted."""

    __tablename__ = "seen_record"
    __table_args__ = _of_tenant(_of("integration", "integration_id"))

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    record_id: Mapped[str] = mapped_column(primary_key=True)


class IntegrationWebhook(TenantRow, Base):
    """A subscription at the service, and the secrets that its deliveries are checked with."""

    __tablename__ = "integration_webhook"
    __table_args__ = _of_tenant(_of("integration", "integration_id"))

    integration_id: Mapped[UUID]
    external_id: Mapped[str | None]
    events: Mapped[list[str]] = _empty_list()
    secret: Mapped[bytes | None]
    status: Mapped[str] = mapped_column(server_default=text("'PENDING'"))
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = _now()


class IntegrationFieldMapping(TenantRow, Base):
    """How one field of a service reaches one column of `custom`."""

    __tablename__ = "integration_field_mapping"
    __table_args__ = _of_tenant(_of("integration", "integration_id"))

    integration_id: Mapped[UUID]
    resource: Mapped[str]
    direction: Mapped[str]
    source: Mapped[str]
    target: Mapped[str]
    transforms: Mapped[dict[str, Any]] = _empty_object()
    created_at: Mapped[datetime] = _now()


class DataKey(Base):
    """A key that seals secrets, wrapped by the master key. Belongs to no tenant."""

    __tablename__ = "data_key"
    __table_args__ = {"schema": SCHEMA}

    id: Mapped[UUID] = mapped_column(primary_key=True)
    wrapped: Mapped[bytes]
    created_at: Mapped[datetime] = _now()


class WarehouseTable(Base):
    """The columns that a resource's table was made with. Belongs to no tenant."""

    __tablename__ = "warehouse_table"
    __table_args__ = {"schema": SCHEMA}

    name: Mapped[str] = mapped_column(primary_key=True)
    columns: Mapped[dict[str, Any]]
