"""What the end of a job means for its parts and its integration."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from integrations_pipeline.alerts import AlertKind, clear_alerts
from integrations_pipeline.store.models import Alert, Integration
from integrations_pipeline.store.states import IntegrationStatus, JobStatus
from integrations_pipeline.store.sync_models import ResourceSync


def settle(session: Session, owner: Integration, *, synced: bool) -> None:
    """Back from SYNCING. An ERROR ends when a sync went well: the service took our token."""
    if owner.status == IntegrationStatus.SYNCING:
        owner.status = IntegrationStatus.ACTIVE
    if not synced:
        return
    owner.last_sync_at = func.now()
    if owner.status == IntegrationStatus.ERROR and not _has_moved_secret(session, owner):
        owner.status, owner.status_reason = IntegrationStatus.ACTIVE, None
        clear_alerts(session, owner.tenant_id, owner.id, [AlertKind.CONNECT_AGAIN])


def _has_moved_secret(session: Session, owner: Integration) -> bool:
    """A secret that does not open stays a fault, even where this sync did not need it."""
    query = select(Alert.id).where(
        Alert.tenant_id == owner.tenant_id,
        Alert.integration_id == owner.id,
        Alert.kind == AlertKind.SEALED_VALUE,
        Alert.cleared_at.is_(None),
    )
    return session.scalar(query) is not None


def locked_integration(
    session: Session, tenant_id: UUID, integration_id: UUID
) -> Integration | None:
    """The integration, locked before any of its jobs: one order for all, so that none deadlock.

    Rows that refer to it can still be written meanwhile. None: it was erased, and its jobs with it.
    """
    key = (tenant_id, integration_id)
    return session.get(Integration, key, with_for_update={"key_share": True})


def end_parts(
    session: Session, tenant_id: UUID, job_id: UUID, status: JobStatus, error: str | None
) -> None:
    """End the parts of an ended job that were not ended themselves."""
    session.execute(
        update(ResourceSync)
        .where(
            ResourceSync.tenant_id == tenant_id,
            ResourceSync.job_id == job_id,
            ResourceSync.status.in_([JobStatus.PENDING, JobStatus.RUNNING]),
        )
        .values(status=status, error=error, finished_at=func.now())
    )
