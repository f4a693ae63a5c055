"""Which jobs still want a run. A launch is idempotent by the job: of many runs one claims it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from integrations_pipeline.oauth.accounts import IntegrationRef, reference
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.store.sync_models import IntegrationSyncJob
from integrations_pipeline.sync.leases import end_parts

OVERDUE = timedelta(seconds=60)
"""A job that was launched this long ago and still waits is looked at again."""
MOST_LAUNCHES = 5
NEVER_RAN = "Its runs ended before they began to sync; see them in the Dagster UI."


@dataclass(frozen=True, slots=True)
class Launch:
    """A job to launch a run for."""

    ref: IntegrationRef
    job_id: UUID
    resources: tuple[str, ...]
    attempt: int


def take_launches(store: Store, limit: int = 50, job_id: UUID | None = None) -> list[Launch]:
    """Pending jobs that nobody has launched, marked as launched by us."""
    wanted = (
        select(IntegrationSyncJob.id)
        .where(
            IntegrationSyncJob.status == JobStatus.PENDING,
            IntegrationSyncJob.launched_at.is_(None),
        )
        .order_by(IntegrationSyncJob.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if job_id is not None:
        wanted = wanted.where(IntegrationSyncJob.id == job_id)
    with store.system() as session:
        jobs = session.scalars(
            update(IntegrationSyncJob)
            .where(IntegrationSyncJob.id.in_(session.scalars(wanted).all()))
            .values(launched_at=func.now(), launches=IntegrationSyncJob.launches + 1)
            .returning(IntegrationSyncJob)
        ).all()
        return _launches(session, jobs)


def overdue_launches(store: Store, limit: int = 50) -> list[Launch]:
    """Jobs that were launched some time ago and that no run has claimed yet."""
    overdue = (
        select(IntegrationSyncJob)
        .where(
            IntegrationSyncJob.status == JobStatus.PENDING,
            IntegrationSyncJob.launched_at < func.now() - OVERDUE,
        )
        .order_by(IntegrationSyncJob.launched_at)
        .limit(limit)
    )
    with store.system() as session:
        return _launches(session, session.scalars(overdue).all())


def keep_waiting(store: Store, launch: Launch) -> None:
    """Its run is still in Dagster's queue, or starting."""
    _change(store, launch, launched_at=func.now())


def launch_again(store: Store, launch: Launch) -> None:
    """Its run has ended without claiming the job: another one, a few times."""
    if launch.attempt < MOST_LAUNCHES:
        _change(store, launch, launched_at=None)
    else:
        end_pending_job(store, launch.ref, launch.job_id, JobStatus.FAILED, NEVER_RAN)


def end_pending_job(
    store: Store, ref: IntegrationRef, job_id: UUID, status: JobStatus, reason: str
) -> None:
    """End a job that no run has claimed."""
    with store.tenant(ref.tenant_id) as session:
        ended = session.execute(
            update(IntegrationSyncJob)
            .where(*_pending(ref, job_id))
            .values(status=status, error=reason, finished_at=func.now())
            .returning(IntegrationSyncJob.id)
        ).first()
        if ended is not None:
            end_parts(session, ref.tenant_id, job_id, status, reason)


def _launches(session: Session, jobs: Sequence[IntegrationSyncJob]) -> list[Launch]:
    wanted = [job.integration_id for job in jobs]
    rows = session.scalars(select(Integration).where(Integration.id.in_(wanted)))
    owners = {row.id: reference(row) for row in rows}
    return [
        Launch(owners[job.integration_id], job.id, tuple(job.resources), job.launches)
        for job in jobs
    ]


def _pending(ref: IntegrationRef, job_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return (
        IntegrationSyncJob.tenant_id == ref.tenant_id,
        IntegrationSyncJob.id == job_id,
        IntegrationSyncJob.status == JobStatus.PENDING,
    )


def _change(store: Store, launch: Launch, **values: Any) -> None:
    with store.tenant(launch.ref.tenant_id) as session:
        session.execute(
            update(IntegrationSyncJob).where(*_pending(launch.ref, launch.job_id)).values(**values)
        )


def note_run(store: Store, launch: Launch, run_id: str) -> None:
    """Remember which run was launched for a job."""
    with store.tenant(launch.ref.tenant_id) as session:
        session.execute(
            update(IntegrationSyncJob)
            .where(
                IntegrationSyncJob.tenant_id == launch.ref.tenant_id,
                IntegrationSyncJob.id == launch.job_id,
                IntegrationSyncJob.run_id.is_(None),
            )
            .values(run_id=run_id)
        )
