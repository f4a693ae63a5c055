"""Which jobs still want a run. A launch is idempotent by the job: of many runs one claims it."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, or_, select, update

from integrations_pipeline.oauth.accounts import IntegrationRef, reference
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.store.sync_models import IntegrationSyncJob

RETRY_LAUNCH = timedelta(seconds=60)
"""A job that was launched this long ago and still waits is launched once more."""
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
    """Pending jobs that nobody launches at the moment, marked as launched by us."""
    wanted = (
        select(IntegrationSyncJob.tenant_id, IntegrationSyncJob.id)
        .where(
            IntegrationSyncJob.status == JobStatus.PENDING,
            or_(
                IntegrationSyncJob.launched_at.is_(None),
                IntegrationSyncJob.launched_at < func.now() - RETRY_LAUNCH,
            ),
            IntegrationSyncJob.launches < MOST_LAUNCHES,
        )
        .order_by(IntegrationSyncJob.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if job_id is not None:
        wanted = wanted.where(IntegrationSyncJob.id == job_id)
    with store.system() as session:
        keys = [key for _, key in session.execute(wanted)]
        jobs = session.scalars(
            update(IntegrationSyncJob)
            .where(IntegrationSyncJob.id.in_(keys), IntegrationSyncJob.status == JobStatus.PENDING)
            .values(launched_at=func.now(), launches=IntegrationSyncJob.launches + 1)
            .returning(IntegrationSyncJob)
        ).all()
        owners = {
            row.id: row
            for row in session.scalars(
                select(Integration).where(Integration.id.in_([j.integration_id for j in jobs]))
            )
        }
    return [
        Launch(reference(owners[job.integration_id]), job.id, tuple(job.resources), job.launches)
        for job in jobs
    ]


def give_up_launching(store: Store) -> int:
    """Fail jobs whose runs never came to claim them; returns how many."""
    hopeless = (
        IntegrationSyncJob.status == JobStatus.PENDING,
        IntegrationSyncJob.launches >= MOST_LAUNCHES,
        IntegrationSyncJob.launched_at < func.now() - RETRY_LAUNCH,
    )
    with store.system() as session:
        ended = session.scalars(
            update(IntegrationSyncJob)
            .where(*hopeless)
            .values(status=JobStatus.FAILED, error=NEVER_RAN, finished_at=func.now())
            .returning(IntegrationSyncJob.id)
        ).all()
    return len(ended)


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
