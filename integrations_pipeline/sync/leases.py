"""Who may write for a job: claimed by one run, kept by a lease, fenced against the last one."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from integrations_pipeline.errors import ConflictError, FenceLostError, RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.patience import patiently
from integrations_pipeline.store.states import IntegrationStatus, JobStatus
from integrations_pipeline.store.sync_models import IntegrationSyncJob, ResourceSync
from integrations_pipeline.sync.deaths import end_dead_job, process_identity
from integrations_pipeline.sync.endings import end_parts, locked_integration, settle
from integrations_pipeline.sync.jobs import SyncRequest, request_of
from integrations_pipeline.transport.client import ServiceClient
from integrations_pipeline.transport.usage import Usage

WATCH_SECONDS = 1.0
"""How often a run looks whether its job is still its own."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that is ours until our fence is passed by another's."""

    ref: IntegrationRef
    job_id: UUID
    fence: int
    request: SyncRequest
    """What is left to do: parts that were completed before the job was parked are not in it."""
    before: Usage = field(default_factory=Usage)
    """What the job used before it was parked."""


def claim_sync_job(
    store: Store, ref: IntegrationRef, job_id: UUID, run_id: str | None = None
) -> Claim:
    """Make a PENDING job ours and RUNNING.

    A job of the same integration whose run has died is ended first.

    Raises:
        ConflictError: the job is not PENDING, waits for its service, or another one of the
            integration runs.
        RequestError: there is no such job.
    """

    def claim() -> Claim:
        with store.tenant(ref.tenant_id) as session:
            return _claimed(session, store, ref, job_id, run_id)

    return patiently(claim)


def _claimed(
    session: Session, store: Store, ref: IntegrationRef, job_id: UUID, run_id: str | None
) -> Claim:
    # Whoever claims a job of this integration waits here for the others.
    owner = locked_integration(session, ref.tenant_id, ref.id)
    job = session.get(IntegrationSyncJob, (ref.tenant_id, job_id))
    if owner is None or job is None or job.integration_id != ref.id:
        raise RequestError(f"{ref.key}: there is no sync job {job_id}.")
    if job.status != JobStatus.PENDING:
        raise ConflictError(f"{ref.key}: the sync job {job_id} is {job.status} already.")
    _check_due(session, ref, job)
    end_dead_job(session, owner)
    job.status = JobStatus.RUNNING
    job.run_id = run_id or job.run_id
    job.holder = process_identity()
    job.fence += 1
    job.started_at = func.now()
    job.not_before = None
    job.lease_until = func.clock_timestamp() + _lease(store)
    if owner.status == IntegrationStatus.ACTIVE:  # an ERROR stays until a sync goes well
        owner.status, owner.status_reason = IntegrationStatus.SYNCING, None
    session.flush()
    left = replace(request_of(job), resources=_left(session, job))
    before = Usage(job.api_calls, job.api_bytes, job.waited_seconds, job.retries)
    return Claim(ref, job_id, job.fence, left, before)


def _check_due(session: Session, ref: IntegrationRef, job: IntegrationSyncJob) -> None:
    """A job that was parked waits, by the database's clock, whoever comes for it.

    Raises:
        ConflictError: its time has not come.
    """
    until = job.not_before
    if until is not None and until > session.scalars(select(func.clock_timestamp())).one():
        raise ConflictError(
            f"{ref.key}: the service asked to wait, so the sync job {job.id} is not due before "
            f"{until:%Y-%m-%d %H:%M:%S} UTC.",
            action="Nothing need be done: it goes on then by itself.",
        )


def _left(session: Session, job: IntegrationSyncJob) -> tuple[str, ...]:
    """The job's resources whose part is not COMPLETED."""
    done = session.scalars(
        select(ResourceSync.resource).where(
            ResourceSync.tenant_id == job.tenant_id,
            ResourceSync.job_id == job.id,
            ResourceSync.status == JobStatus.COMPLETED,
        )
    ).all()
    return tuple(name for name in job.resources if name not in done)


def renew_lease(store: Store, claim: Claim, usage: Usage) -> None:
    """Say that the job's run is alive, and what it used so far.

    Raises:
        FenceLostError: the job is not ours any more.
    """
    with store.tenant(claim.ref.tenant_id) as session:
        renewed = session.execute(
            update(IntegrationSyncJob)
            .where(*held(claim))
            .values(lease_until=func.clock_timestamp() + _lease(store), **used(claim, usage))
            .returning(IntegrationSyncJob.id)
        ).first()
    if renewed is None:
        raise _lost(claim)


def check_held(store: Store, claim: Claim) -> None:
    """Nothing, as long as the job is ours.

    Raises:
        FenceLostError: it is not any more.
    """
    with store.tenant(claim.ref.tenant_id) as session:
        if session.scalar(select(IntegrationSyncJob.id).where(*held(claim))) is None:
            raise _lost(claim)


def finish_sync_job(
    store: Store, claim: Claim, status: JobStatus, usage: Usage, error: str | None = None
) -> bool:
    """End the job, and say so; nothing happens when it is not ours any more, or was erased."""
    values = {
        "status": status,
        "error": error,
        "finished_at": func.now(),
        "lease_until": None,
        **used(claim, usage),
    }

    def finish() -> bool:
        with store.tenant(claim.ref.tenant_id) as session:
            owner = locked_integration(session, claim.ref.tenant_id, claim.ref.id)
            if owner is None:
                return False
            change = update(IntegrationSyncJob).where(*held(claim)).values(**values)
            if session.scalar(change.returning(IntegrationSyncJob.id)) is None:
                # others raise the fence: an earlier try of ours may have gone through unheard
                job = session.get(IntegrationSyncJob, (claim.ref.tenant_id, claim.job_id))
                return job is not None and job.fence == claim.fence
            end_parts(session, claim.ref.tenant_id, claim.job_id, status, error)
            settle(session, owner, synced=status is JobStatus.COMPLETED)
            return True

    return patiently(finish)


@contextmanager
def kept_alive(store: Store, claim: Claim, client: ServiceClient) -> Iterator[None]:
    """Renew the lease from a thread; when the job is lost or cancelled, abort its requests."""
    done = threading.Event()

    def watch() -> None:
        due = 0.0
        while not done.wait(WATCH_SECONDS):
            try:
                if time.monotonic() < due:
                    check_held(store, claim)
                else:
                    renew_lease(store, claim, client.usage)
                    due = time.monotonic() + store.settings.lease_seconds / 3
            except FenceLostError:
                client.abort()
                return
            except SQLAlchemyError:
                continue  # the database may be back before the lease ends

    thread = threading.Thread(target=watch, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _lost(claim: Claim) -> FenceLostError:
    return FenceLostError(f"{claim.ref.key}: the sync job was ended or taken over.")


def held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """Whether a job is still ours."""
    return (
        IntegrationSyncJob.tenant_id == claim.ref.tenant_id,
        IntegrationSyncJob.id == claim.job_id,
        IntegrationSyncJob.fence == claim.fence,
        IntegrationSyncJob.status == JobStatus.RUNNING,
    )


def _lease(store: Store) -> timedelta:
    return timedelta(seconds=store.settings.lease_seconds)


def used(claim: Claim, usage: Usage) -> dict[str, Any]:
    """What the job asked of the service so far, as columns of its row."""
    before = claim.before
    return {
        "api_calls": before.calls + usage.calls,
        "api_bytes": before.received_bytes + usage.received_bytes,
        "waited_seconds": before.waited_seconds + usage.waited_seconds,
        "retries": before.retries + usage.retries,
    }
