"""Who may write for a job: claimed by one run, kept by a lease, fenced against the last one."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

import psutil
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from integrations_pipeline.alerts import AlertKind, clear_alerts
from integrations_pipeline.errors import ConflictError, FenceLostError, RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Alert, Integration
from integrations_pipeline.store.states import IntegrationStatus, JobStatus
from integrations_pipeline.store.sync_models import IntegrationSyncJob, ResourceSync
from integrations_pipeline.sync.jobs import SyncRequest, request_of
from integrations_pipeline.transport.client import ServiceClient, Usage

CLOCK_STEP_SECONDS = 60.0
DIED = "The run stopped reporting; what it committed is kept, and the next sync goes on from there."


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that is ours until our fence is passed by another's."""

    ref: IntegrationRef
    job_id: UUID
    fence: int
    request: SyncRequest


def claim_sync_job(
    store: Store, ref: IntegrationRef, job_id: UUID, run_id: str | None = None
) -> Claim:
    """Make a PENDING job ours and RUNNING.

    A job of the same integration whose run has died is ended first.

    Raises:
        ConflictError: the job is not PENDING, or another one of the integration runs.
        RequestError: there is no such job.
    """
    with store.tenant(ref.tenant_id) as session:
        # Whoever claims a job of this integration waits here for the others.
        owner = _locked_integration(session, ref.tenant_id, ref.id)
        job = session.get(IntegrationSyncJob, (ref.tenant_id, job_id))
        if job is None or job.integration_id != ref.id:
            raise RequestError(f"{ref.key}: there is no sync job {job_id}.")
        if job.status != JobStatus.PENDING:
            raise ConflictError(f"{ref.key}: the sync job {job_id} is {job.status} already.")
        _end_dead_job(session, owner)
        job.status = JobStatus.RUNNING
        job.run_id = run_id or job.run_id
        job.holder = process_identity()
        job.fence += 1
        job.started_at = func.now()
        job.lease_until = func.clock_timestamp() + _lease(store)
        if owner.status == IntegrationStatus.ACTIVE:  # an ERROR stays until a sync goes well
            owner.status, owner.status_reason = IntegrationStatus.SYNCING, None
        session.flush()
        return Claim(ref, job_id, job.fence, request_of(job))


def renew_lease(store: Store, claim: Claim, usage: Usage) -> None:
    """Say that the job's run is alive, and what it used so far.

    Raises:
        FenceLostError: the job is not ours any more.
    """
    with store.tenant(claim.ref.tenant_id) as session:
        renewed = session.execute(
            update(IntegrationSyncJob)
            .where(*_held(claim))
            .values(lease_until=func.clock_timestamp() + _lease(store), **_used(usage))
            .returning(IntegrationSyncJob.id)
        ).first()
    if renewed is None:
        raise FenceLostError(f"{claim.ref.key}: the sync job was ended or taken over.")


def finish_sync_job(
    store: Store, claim: Claim, status: JobStatus, usage: Usage, error: str | None = None
) -> None:
    """End the job; nothing happens when it is not ours any more."""
    with store.tenant(claim.ref.tenant_id) as session:
        owner = _locked_integration(session, claim.ref.tenant_id, claim.ref.id)
        ended = session.execute(
            update(IntegrationSyncJob)
            .where(*_held(claim))
            .values(
                status=status,
                error=error,
                finished_at=func.now(),
                lease_until=None,
                **_used(usage),
            )
            .returning(IntegrationSyncJob.id)
        ).first()
        if ended is not None:
            end_parts(session, claim.ref.tenant_id, claim.job_id, status, error)
            _settle(session, owner, synced=status is JobStatus.COMPLETED)


@contextmanager
def kept_alive(store: Store, claim: Claim, client: ServiceClient) -> Iterator[None]:
    """Renew the lease from a thread; stop the job's requests when it was lost."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(store.settings.lease_seconds / 3):
            try:
                renew_lease(store, claim, client.usage)
            except FenceLostError:
                client.stop.set()
                return
            except SQLAlchemyError:
                continue  # the database may be back before the lease ends

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


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


def _end_if_dead(store: Store, suspect: IntegrationSyncJob) -> bool:
    """Look again under the locks, in the order that all take them."""
    with store.tenant(suspect.tenant_id) as session:
        owner = _locked_integration(session, suspect.tenant_id, suspect.integration_id)
        job = session.get_one(
            IntegrationSyncJob, (suspect.tenant_id, suspect.id), with_for_update=True
        )
        dead = job.status == JobStatus.RUNNING and is_dead(session, job)
        if dead:
            _bury(session, owner, job)
    return dead


def _end_dead_job(session: Session, owner: Integration) -> None:
    """Make room for a new run of the integration, unless another one is alive."""
    job = session.scalar(
        select(IntegrationSyncJob)
        .where(
            IntegrationSyncJob.tenant_id == owner.tenant_id,
            IntegrationSyncJob.integration_id == owner.id,
            IntegrationSyncJob.status == JobStatus.RUNNING,
        )
        .with_for_update()
    )
    if job is None:
        return
    if not is_dead(session, job):
        raise ConflictError(
            f"{owner.key}: a sync is running already (job {job.id}).",
            action="Wait until it has finished.",
        )
    _bury(session, owner, job)


def _bury(session: Session, owner: Integration, job: IntegrationSyncJob) -> None:
    job.status, job.error = JobStatus.FAILED, DIED
    job.fence += 1  # should the run be alive after all, it can't write any more
    job.lease_until, job.finished_at = None, func.now()
    end_parts(session, job.tenant_id, job.id, JobStatus.FAILED, DIED)
    _settle(session, owner, synced=False)
    session.flush()


def _held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return (
        IntegrationSyncJob.tenant_id == claim.ref.tenant_id,
        IntegrationSyncJob.id == claim.job_id,
        IntegrationSyncJob.fence == claim.fence,
        IntegrationSyncJob.status == JobStatus.RUNNING,
    )


def _lease(store: Store) -> timedelta:
    return timedelta(seconds=store.settings.lease_seconds)


def _used(usage: Usage) -> dict[str, Any]:
    return {
        "api_calls": usage.calls,
        "api_bytes": usage.received_bytes,
        "waited_seconds": usage.waited_seconds,
    }


def _settle(session: Session, owner: Integration, *, synced: bool) -> None:
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


def _locked_integration(session: Session, tenant_id: UUID, integration_id: UUID) -> Integration:
    """The integration, locked before any of its jobs: one order for all, so that none deadlock.

    Rows that refer to it can still be written meanwhile.
    """
    key = (tenant_id, integration_id)
    return session.get_one(Integration, key, with_for_update={"key_share": True})


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
