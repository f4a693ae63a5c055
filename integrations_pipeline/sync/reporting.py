"""What people see of the loaded records: counts, health of the key, freshness, a masked preview."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text

from integrations_pipeline.connectors.base import Resource
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration
from integrations_pipeline.store.states import IntegrationStatus
from integrations_pipeline.store.sync_models import (
    Checkpoint,
    IntegrationSyncJob,
    ResourceSync,
)
from integrations_pipeline.store.warehouse import table_name

MASK = "•••"
OF_INTEGRATION = "WHERE tenant_id = :tenant AND integration_id = :integration"


@dataclass(frozen=True, slots=True)
class TableState:
    """A resource's table, as far as one integration goes."""

    rows: int
    """Without tombstones."""
    tombstones: int
    bad_keys: int
    """Keys that are empty or stand more than once."""


def table_state(store: Store, ref: IntegrationRef, resource: Resource) -> TableState:
    """Counts of an integration's rows."""
    sql = f"""
        SELECT count(*) FILTER (WHERE deleted_at IS NULL), count(deleted_at),
            count(*) - count(DISTINCT NULLIF(id, ''))
        FROM {table_name(ref.connector, resource)} {OF_INTEGRATION}
    """
    with store.tenant(ref.tenant_id) as session:
        found = session.execute(text(sql), {"tenant": ref.tenant_id, "integration": ref.id}).one()
    return TableState(*found)


def preview(
    store: Store, ref: IntegrationRef, resource: Resource, limit: int = 5
) -> list[dict[str, str]]:
    """The records written last, as text, with everything personal masked."""
    names = ", ".join(f'"{column.name}"' for column in resource.columns)
    sql = f"""
        SELECT id, {names} FROM {table_name(ref.connector, resource)} {OF_INTEGRATION}
        AND deleted_at IS NULL ORDER BY synced_at DESC, id LIMIT :limit
    """
    values = {"tenant": ref.tenant_id, "integration": ref.id, "limit": limit}
    with store.tenant(ref.tenant_id) as session:
        rows = session.execute(text(sql), values).mappings().all()
    personal = {column.name for column in resource.columns if column.personal}
    return [{k: _shown(v, masked=k in personal) for k, v in row.items()} for row in rows]


def last_schema_changes(store: Store, ref: IntegrationRef, resource: Resource) -> list[str]:
    """What the last sync of a resource noticed about its fields, in words."""
    last = (
        select(ResourceSync.schema_changes)
        .join(
            IntegrationSyncJob,
            (IntegrationSyncJob.tenant_id == ResourceSync.tenant_id)
            & (IntegrationSyncJob.id == ResourceSync.job_id),
        )
        .where(
            IntegrationSyncJob.tenant_id == ref.tenant_id,
            IntegrationSyncJob.integration_id == ref.id,
            ResourceSync.resource == resource.name,
            ResourceSync.started_at.is_not(None),
        )
        .order_by(IntegrationSyncJob.created_at.desc())
        .limit(1)
    )
    with store.tenant(ref.tenant_id) as session:
        return session.scalar(last) or []


def stale_integrations(
    store: Store, type_name: str, resource: str, older_than: timedelta
) -> dict[str, datetime]:
    """Live integrations whose resource was not read for so long, with the last time.

    One that was never read counts from the day it was made.
    """
    live = [IntegrationStatus.ACTIVE, IntegrationStatus.SYNCING, IntegrationStatus.ERROR]
    query = (
        select(Integration.key, func.coalesce(Checkpoint.updated_at, Integration.created_at))
        .outerjoin(
            Checkpoint,
            (Checkpoint.integration_id == Integration.id)
            & (Checkpoint.tenant_id == Integration.tenant_id)
            & (Checkpoint.resource == resource)
            & (Checkpoint.scope == ""),
        )
        .where(Integration.type == type_name, Integration.status.in_(live))
    )
    border = datetime.now(UTC) - older_than
    with store.system() as session:
        found = session.execute(query).all()
    return {key: read for key, read in found if read < border}


def _shown(value: Any, *, masked: bool) -> str:
    if value is None:
        return ""
    if masked:
        return MASK
    shown = value.isoformat() if isinstance(value, datetime) else str(value)
    return shown if len(shown) <= 40 else shown[:39] + "…"
