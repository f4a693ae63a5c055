"""The application's own tables. Every row of a tenant carries the tenant in its key."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from integrations_pipeline.store.tables import (
    SCHEMA,
    Base,
    TenantRow,
    list_column,
    now_column,
    object_column,
    of_row,
    of_tenant,
    zero_column,
)


class Tenant(Base):
    """An organisation; the wall that data never crosses."""

    __tablename__ = "tenant"
    __table_args__ = {"schema": SCHEMA}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = now_column()


class User(TenantRow, Base):
    """A person who administers a tenant's integrations."""

    __tablename__ = "app_user"
    __table_args__ = of_tenant()

    email: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime] = now_column()
    disabled_at: Mapped[datetime | None]


class ApiKey(TenantRow, Base):
    """A program's way in; only the key's hash is kept."""

    __tablename__ = "api_key"
    __table_args__ = of_tenant(of_row("app_user", "user_id"))

    user_id: Mapped[UUID]
    name: Mapped[str]
    key_hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = list_column()
    created_at: Mapped[datetime] = now_column()
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Integration(TenantRow, Base):
    """One tenant's connection to one service."""

    __tablename__ = "integration"
    __table_args__ = of_tenant()

    key: Mapped[str] = mapped_column(unique=True)
    """`tenant--name`: the partition key in Dagster and the name on the command line."""
    slug: Mapped[str]
    name: Mapped[str]
    type: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=text("'INACTIVE'"))
    status_reason: Mapped[str | None]
    way: Mapped[str] = mapped_column(server_default=text("'oauth'"))
    """By which of its service's ways in the account is connected."""
    resources: Mapped[list[str]] = list_column()
    """What it was connected for; empty: everything that the service has."""
    direction: Mapped[str] = mapped_column(server_default=text("'pull'"))
    settings: Mapped[dict[str, Any]] = object_column()
    policy: Mapped[dict[str, Any]] = object_column()
    """How its syncs behave: see `SyncPolicy`."""
    facts: Mapped[dict[str, Any]] = object_column()
    """What the service told about the account: its id, its name, where its API is."""
    client_id: Mapped[str | None]
    client_secret: Mapped[bytes | None]
    account_id: Mapped[str | None]
    schedule_cron: Mapped[str | None]
    schedule_timezone: Mapped[str] = mapped_column(server_default=text("'UTC'"))
    next_sync_at: Mapped[datetime | None]
    last_sync_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()


class OAuthToken(Base):
    """The live credentials of an integration. `version` fences every refresh."""

    __tablename__ = "oauth_token"
    __table_args__ = of_tenant(of_row("integration", "integration_id"))

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(server_default=text("1"))
    access_token: Mapped[bytes]
    refresh_token: Mapped[bytes | None]
    scopes: Mapped[list[str]] = list_column()
    expires_at: Mapped[datetime | None]
    obtained_at: Mapped[datetime] = now_column()
    refresh_expires_at: Mapped[datetime | None]
    consent_expires_at: Mapped[datetime | None]
    """When a person must consent again, however often the token is refreshed."""
    refresh_holder: Mapped[str | None]
    refresh_started_at: Mapped[datetime | None]
    """The holder's last sign of life: a mark that is old was left by a process that died."""
    refresh_failures: Mapped[int] = zero_column()
    refresh_not_before: Mapped[datetime | None]


class OAuthState(TenantRow, Base):
    """A connection under way: single use, ten minutes, bound to one browser session."""

    __tablename__ = "oauth_state"
    __table_args__ = of_tenant(of_row("integration", "integration_id"))

    state_hash: Mapped[bytes] = mapped_column(unique=True)
    integration_id: Mapped[UUID]
    user_id: Mapped[UUID]
    session_hash: Mapped[bytes]
    code_verifier: Mapped[bytes | None]
    redirect_uri: Mapped[str]
    scopes: Mapped[list[str]] = list_column()
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    another_account: Mapped[bool] = mapped_column(server_default=text("false"))
    """The user confirmed that this may be another account than before."""


class Alert(TenantRow, Base):
    """Something that a person must look after; open until it is cleared."""

    __tablename__ = "alert"
    __table_args__ = of_tenant(of_row("integration", "integration_id"))

    integration_id: Mapped[UUID]
    kind: Mapped[str]
    subject: Mapped[str] = mapped_column(server_default=text("''"))
    """Which part of the integration: a resource, or empty for the whole."""
    message: Mapped[str]
    raised_at: Mapped[datetime] = now_column()
    sent_at: Mapped[datetime | None]
    cleared_at: Mapped[datetime | None]


class IntegrationWebhook(TenantRow, Base):
    """A subscription at the service, and the secrets that its deliveries are checked with."""

    __tablename__ = "integration_webhook"
    __table_args__ = of_tenant(of_row("integration", "integration_id"))

    integration_id: Mapped[UUID]
    external_id: Mapped[str | None]
    events: Mapped[list[str]] = list_column()
    secret: Mapped[bytes | None]
    status: Mapped[str] = mapped_column(server_default=text("'PENDING'"))
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = now_column()


class IntegrationFieldMapping(TenantRow, Base):
    """How one field of a service reaches one key of `custom`, or one of a row the service."""

    __tablename__ = "integration_field_mapping"
    __table_args__ = of_tenant(of_row("integration", "integration_id"))

    integration_id: Mapped[UUID]
    resource: Mapped[str]
    direction: Mapped[str]
    source: Mapped[str]
    target: Mapped[str]
    transforms: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    """Steps, in order; see `sync.mapping.steps`."""
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()


class MappingState(Base):
    """What `custom` of a resource's rows was made by."""

    __tablename__ = "mapping_state"
    __table_args__ = of_tenant(of_row("integration", "integration_id"))

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    """Of the mappings; empty where there are none."""
    fields: Mapped[list[str]] = list_column()
    """What every whole read since then has asked of the service for the mappings' sake."""
    updated_at: Mapped[datetime] = now_column()


class MappingSecret(TenantRow, Base):
    """The key under which a tenant's mappings hash, sealed; its id is the tenant's."""

    __tablename__ = "mapping_secret"
    __table_args__ = of_tenant()

    secret: Mapped[bytes]


class DataKey(Base):
    """A key that seals secrets, wrapped by the master key. Belongs to no tenant."""

    __tablename__ = "data_key"
    __table_args__ = {"schema": SCHEMA}

    id: Mapped[UUID] = mapped_column(primary_key=True)
    wrapped: Mapped[bytes]
    created_at: Mapped[datetime] = now_column()


class WarehouseTable(Base):
    """The columns that a resource's table was made with. Belongs to no tenant."""

    __tablename__ = "warehouse_table"
    __table_args__ = {"schema": SCHEMA}

    name: Mapped[str] = mapped_column(primary_key=True)
    columns: Mapped[dict[str, Any]]


class QuotaAccount(Base):
    """What an account or an app allows at the moment, shared by all that call it.

    It belongs to no tenant: the key is a digest, and so are the users in the state.
    """

    __tablename__ = "quota_account"
    __table_args__ = {"schema": SCHEMA}

    key: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[dict[str, Any]] = object_column()
    updated_at: Mapped[datetime] = now_column()
