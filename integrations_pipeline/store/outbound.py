"""What goes out: an outbound table per resource, each a partition of one ledger.

Who wants a record written inserts an intent (operation, ids, data); the engine fills the rest.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, FetchedValue, text
from sqlalchemy.orm import Mapped, mapped_column

from integrations_pipeline.connectors.base import Connector, Resource
from integrations_pipeline.store.tables import (
    Base,
    now_column,
    object_column,
    of_row,
    of_tenant,
    zero_column,
)
from integrations_pipeline.store.warehouse import table_name, wall


class Operation(StrEnum):
    """What an intent wants."""

    CREATE = "create"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"


class IntentState(StrEnum):
    """How far an intent is."""

    PENDING = "PENDING"
    SENDING = "SENDING"
    """On its way; until it is confirmed, its outcome is unknown."""
    DONE = "DONE"
    REJECTED = "REJECTED"
    HELD = "HELD"
    """A person must decide."""
    SKIPPED = "SKIPPED"
    """There was nothing to change."""


class Outbound(Base):
    """An intent to write a record at a service, and what became of it."""

    __tablename__ = "outbound"
    __table_args__ = of_tenant(of_row("integration", "integration_id"))

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)
    """The record table that it belongs to: `hubspot.contacts`."""
    id: Mapped[int] = mapped_column(primary_key=True, server_default=FetchedValue())
    integration_id: Mapped[UUID]
    operation: Mapped[str]
    record_id: Mapped[str | None]
    """The service's id of the record; None: found by `external_id`, or still to be made."""
    external_id: Mapped[str | None]
    """Our own id of it, in the service's field for that."""
    data: Mapped[dict[str, Any]] = object_column()
    created_at: Mapped[datetime] = now_column()
    base: Mapped[dict[str, Any] | None]
    """The record as it was last synced when the intent was written."""
    state: Mapped[str]
    decision: Mapped[str | None]
    """`ours` or `theirs`, where a person decided a conflict."""
    attempts: Mapped[int] = zero_column()
    idempotency_key: Mapped[str | None]
    """Of the last attempt; another attempt has another."""
    sent: Mapped[dict[str, Any] | None]
    """The fields that really went out, by the service's names."""
    sent_as: Mapped[str | None]
    """The operation that was sent: an upsert may have become an update."""
    sent_at: Mapped[datetime | None]
    """When it was about to be sent: it may have waited for limits or retries after that."""
    lost_at: Mapped[datetime | None]
    """Since when nothing of ours is sending it, although its outcome is unknown."""
    remote_job: Mapped[str | None]
    """The service's background job that does it, as long as nobody knows what came of that."""
    remote_place: Mapped[int | None]
    """Its place among the records of that job."""
    confirmed_at: Mapped[datetime | None]
    remote_id: Mapped[str | None]
    reason: Mapped[str | None]
    conflict: Mapped[dict[str, Any] | None]
    """Of a HELD intent: each field with `base`, `ours` and `theirs`."""
    job_id: Mapped[UUID | None]


def outbound_name(connector: Connector, resource: Resource) -> str:
    """Schema and name of the table that takes a resource's intents."""
    return f"{table_name(connector, resource)}_outbound"


def missing_outbound(
    connection: Connection, connectors: Iterable[Connector]
) -> list[tuple[Connector, Resource]]:
    """Resources that can be written, but have no outbound table yet."""
    writable = [(c, r) for c in connectors for r in c.resources if r.push is not None]
    exists = text("SELECT to_regclass(:name) IS NOT NULL")
    return [
        (connector, resource)
        for connector, resource in writable
        if not connection.scalar(exists, {"name": outbound_name(connector, resource)})
    ]


def make_outbound(connection: Connection, connector: Connector, resource: Resource) -> None:
    """Create the resource's outbound table; its record table must be there."""
    name, target = outbound_name(connector, resource), table_name(connector, resource)
    connection.exec_driver_sql(
        f"CREATE TABLE {name} PARTITION OF integrations.outbound "
        f"(target DEFAULT '{target}') FOR VALUES IN ('{target}')"
    )
    wall(connection, name)
