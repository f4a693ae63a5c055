"""Runs that have died: how that is told, and what becomes of their jobs."""

import os
import socket
from functools import cache

import psutil
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from integrations_pipeline.errors import ConflictError
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.store.sync_models import IntegrationSyncJob
from integrations_pipeline.sync.endings import end_parts, locked_integration, settle

CLOCK_STEP_SECONDS = 60.0
DIED = "The run stopped reporting; what it committed is kept, and the next sync goes on from there."


@cache
def process_identity() -> str:
    """Host, process id and start time: tells a dead process from another with the same id."""
    pid = os.getpid()
    return f"{socket.gethostname()}/{pid}/{psutil.Process(pid).create_time():.2f}"


def is_dead(session: Session, job: IntegrationSyncJob) -> bool:
    """Whether a RUNNING job's run is gone: its lease ran out, or its process here has ended.

    The lease is judged by the database's clock, which also wrote it.
    """
    now = session.scalars(select(func.clock_timestamp())).one()
    if job.lease_until is None or job.lease_until < now:
        return True
    host, _, rest = (job.holder or "").partition("/")
    pid, _, started = rest.partition("/")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        # the start is reckoned from the clock, which may have been set since
        return abs(psutil.Process(int(pid)).create_time() - float(started)) > CLOCK_STEP_SECONDS
    except psutil.NoSuchProcess:
        return True
    except ValueError:
        return False


def end_dead_jobs(store: Store) -> int:
    """Fail all RUNNING jobs whose run is gone; returns how many."""
    running = select(IntegrationSyncJob).where(IntegrationSyncJob.status == JobStatus.RUNNING)
    with store.system() as session:
        suspects = [job for job in session.scalars(running) if is_dead(session, job)]
    return sum(_end_if_dead(store, job) for job in suspects)


def end_dead_job(session: Session, owner: Integration) -> None:
    """Make room for a new run of an integration that is locked, unless another one is alive.

    Raises:
        ConflictError: another one is.
    """
    running = session.scalar(
        select(IntegrationSyncJob).where(
            IntegrationSyncJob.tenant_id == owner.tenant_id,
            IntegrationSyncJob.integration_id == owner.id,
            IntegrationSyncJob.status == JobStatus.RUNNING,
        )
    )
    if running is not None and not _bury_if_dead(session, owner, running):
        raise ConflictError(
            f"{owner.key}: a sync is running already (job {running.id}).",
            action="Wait until it has finished.",
        )


def _end_if_dead(store: Store, suspect: IntegrationSyncJob) -> bool:
    """Look again under the locks, in the order that all take them."""
    with store.tenant(suspect.tenant_id) as session:
        owner = locked_integration(session, suspect.tenant_id, suspect.integration_id)
        return owner is not None and _bury_if_dead(session, owner, suspect)


def _bury_if_dead(session: Session, owner: Integration, suspect: IntegrationSyncJob) -> bool:
    """A job whose row is locked is alive: its run writes, however long, under the fence."""
    key = (suspect.tenant_id, suspect.id)
    job = session.get(IntegrationSyncJob, key, with_for_update={"skip_locked": True})
    if job is None or job.status != JobStatus.RUNNING or not is_dead(session, job):
        return False
    _bury(session, owner, job)
    return True


def _bury(session: Session, owner: Integration, job: IntegrationSyncJob) -> None:
    job.status, job.error = JobStatus.FAILED, DIED
    job.fence += 1  # should the run be alive after all, it can't write any more
    job.lease_until, job.finished_at = None, func.now()
    end_parts(session, job.tenant_id, job.id, JobStatus.FAILED, DIED)
    settle(session, owner, synced=False)
    session.flush()
