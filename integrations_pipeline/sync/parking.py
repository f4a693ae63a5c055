"""Parking: a job that would have to wait long for its service gives its run up and waits alone."""

from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from integrations_pipeline.errors import TransientError
from integrations_pipeline.store import Store
from integrations_pipeline.store.patience import patiently
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.store.sync_models import IntegrationSyncJob, ResourceSync
from integrations_pipeline.sync.endings import locked_integration, settle
from integrations_pipeline.sync.leases import Claim, held, used
from integrations_pipeline.transport.usage import Usage

MOST_PARKS = 3
LONGEST = timedelta(days=31)
"""A month's quota is over by then; whoever asks for more is mistaken."""


def wait_of(store: Store, error: BaseException) -> float | None:
    """The seconds that the service asks us to wait, where a run is too dear to spend on it."""
    asked = error.retry_after if isinstance(error, TransientError) else None
    if asked is None or not store.settings.retry_seconds < asked <= LONGEST.total_seconds():
        return None
    return asked


def park(
    store: Store, claim: Claim, usage: Usage, *, seconds: float, reason: str
) -> datetime | None:
    """Put our job back to PENDING for that long; returns until when.

    Parts that are COMPLETED stay so, the others begin again. None, and nothing is done: it was
    parked too often already, is not ours any more, or was erased.
    """

    def put_back() -> datetime | None:
        with store.tenant(claim.ref.tenant_id) as session:
            owner = locked_integration(session, claim.ref.tenant_id, claim.ref.id)
            if owner is None:
                return None
            until: datetime | None = session.scalar(
                update(IntegrationSyncJob)
                .where(*held(claim), IntegrationSyncJob.parks < MOST_PARKS)
                .values(
                    status=JobStatus.PENDING,
                    error=reason,
                    not_before=func.now() + timedelta(seconds=seconds),
                    parks=IntegrationSyncJob.parks + 1,
                    fence=IntegrationSyncJob.fence + 1,
                    launched_at=None,
                    lease_until=None,
                    **used(claim, usage),
                )
                .returning(IntegrationSyncJob.not_before)
            )
            if until is None:
                return _parked_until(session, claim)
            _put_parts_back(session, claim)
            settle(session, owner, synced=False)
            return until

    return patiently(put_back)


def _parked_until(session: Session, claim: Claim) -> datetime | None:
    """Set where an earlier try of ours went through, although its answer was lost."""
    return session.scalar(
        select(IntegrationSyncJob.not_before).where(
            IntegrationSyncJob.tenant_id == claim.ref.tenant_id,
            IntegrationSyncJob.id == claim.job_id,
            IntegrationSyncJob.fence == claim.fence + 1,
            IntegrationSyncJob.status == JobStatus.PENDING,
        )
    )


def _put_parts_back(session: Session, claim: Claim) -> None:
    session.execute(
        update(ResourceSync)
        .where(
            ResourceSync.tenant_id == claim.ref.tenant_id,
            ResourceSync.job_id == claim.job_id,
            ResourceSync.status != JobStatus.COMPLETED,
        )
        .values(status=JobStatus.PENDING, error=None, finished_at=None)
    )
