"""Which jobs still want a run. A launch is idempotent by the job: of many runs one claims it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text, tuple_, update
from sqlalchemy.orm import Session

from integrations_pipeline.oauth.accounts import IntegrationRef, reference
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.store.sync_models import IntegrationSyncJob
from integrations_pipeline.sync.endings import end_parts

OVERDUE = timedelta(seconds=60)
"""A job that was launched this long ago and still waits is looked at again."""
MOST_LAUNCHES = 5
MOST_WAITING = 20
"""A tenant's jobs that are launched and wait for their run: more would only fill the queue."""
NEVER_RAN = "Its runs ended before they began to sync; see them in the Dagster UI."


@dataclass(frozen=True, slots=True)
class Launch:
    """A job to launch a run for."""

    ref: IntegrationRef
    job_id: UUID
    resources: tuple[str, ...]
    attempt: int
    turn: int = 1
    """Its place in its tenant's own line, behind what is launched already; the first is 1."""


def take_launches(store: Store, limit: int = 50, job_id: UUID | None = None) -> list[Launch]:
    """Pending jobs that want a run now, marked as launched by us; fairest first.

    Tenants take turns: the first job of each comes before the second of any. Within a tenant,
    what people and webhooks asked for comes before schedules, and these before backfills. Only one
    job of an integration is launched at a time, since only one may run. `job_id` names a job that
    is launched at once, whatever else waits.
    """
    with store.system() as session:
        if job_id is None:
            rows = session.execute(text(_TURNS), {"most": MOST_WAITING, "limit": limit}).all()
        else:
            rows = session.execute(text(_THE_JOB), {"job": job_id}).all()
        turns = {row.id: row.turn for row in rows}
        free = (
            select(IntegrationSyncJob.tenant_id, IntegrationSyncJob.id)
            .where(
                _JOB_KEY.in_([(row.tenant_id, row.id) for row in rows]),
                IntegrationSyncJob.status == JobStatus.PENDING,
                IntegrationSyncJob.launched_at.is_(None),
            )
            .with_for_update(skip_locked=True)
        )
        taken = [tuple(row) for row in session.execute(free)]
        jobs = session.scalars(
            update(IntegrationSyncJob)
            .where(_JOB_KEY.in_(taken))
            .values(launched_at=func.now(), launches=IntegrationSyncJob.launches + 1)
            .returning(IntegrationSyncJob)
        ).all()
        launches = _launches(session, sorted(jobs, key=lambda job: list(turns).index(job.id)))
        return [replace(launch, turn=turns[launch.job_id]) for launch in launches]


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


_JOB_KEY = tuple_(IntegrationSyncJob.tenant_id, IntegrationSyncJob.id)
_TURNS = """
    WITH open AS MATERIALIZED (
        SELECT tenant_id, integration_id, id, created_at, status, launched_at,
            status = 'RUNNING' OR launched_at IS NOT NULL AS busy,
            not_before IS NULL OR not_before <= now() AS due,
            CASE WHEN trigger = 'backfill' THEN 3 WHEN trigger = 'schedule' THEN 2 ELSE 1 END
                AS rank
        FROM integrations.integration_sync_job WHERE status IN ('PENDING', 'RUNNING')
    ), ahead AS (
        SELECT tenant_id, count(*) AS jobs FROM open
        WHERE status = 'PENDING' AND launched_at IS NOT NULL GROUP BY tenant_id
    ), first AS (
        SELECT DISTINCT ON (tenant_id, integration_id) * FROM open
        ORDER BY tenant_id, integration_id, busy DESC, due DESC, rank, created_at, id
    ), line AS (
        SELECT first.*, COALESCE(ahead.jobs, 0) + row_number()
            OVER (PARTITION BY first.tenant_id ORDER BY rank, created_at, id) AS turn
        FROM first LEFT JOIN ahead USING (tenant_id) WHERE NOT busy AND due
    )
    SELECT tenant_id, id, turn FROM line WHERE turn <= :most
    ORDER BY turn, rank, created_at, id LIMIT :limit
"""
"""The first open job of each integration, unless that one is launched or running; then, of each
tenant, the first of these, the second of these ..."""
_THE_JOB = """
    SELECT tenant_id, id, 1 + (
            SELECT count(*) FROM integrations.integration_sync_job AS ahead
            WHERE ahead.tenant_id = job.tenant_id AND ahead.status = 'PENDING'
                AND ahead.launched_at IS NOT NULL
        ) AS turn
    FROM integrations.integration_sync_job AS job
    WHERE id = :job AND status = 'PENDING' AND launched_at IS NULL
        AND (not_before IS NULL OR not_before <= now())
"""
