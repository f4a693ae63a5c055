"""Cancelling a sync job, and asking for the same again."""

from dataclasses import replace
from uuid import UUID

from sqlalchemy import func, select

from integrations_pipeline.errors import ConflictError, RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.patience import patiently
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.store.sync_models import IntegrationSyncJob
from integrations_pipeline.sync.endings import end_parts, locked_integration, settle
from integrations_pipeline.sync.jobs import (
    SyncRequest,
    create_sync_job,
    find_sync_job,
    log_sync,
    request_of,
)

OPEN = (JobStatus.PENDING, JobStatus.RUNNING)


def open_jobs(store: Store, ref: IntegrationRef) -> list[UUID]:
    """The integration's jobs that wait or run, oldest first."""
    found = (
        select(IntegrationSyncJob.id)
        .where(
            IntegrationSyncJob.tenant_id == ref.tenant_id,
            IntegrationSyncJob.integration_id == ref.id,
            IntegrationSyncJob.status.in_(OPEN),
        )
        .order_by(IntegrationSyncJob.created_at)
    )
    with store.tenant(ref.tenant_id) as session:
        return list(session.scalars(found))


def cancel_sync_job(store: Store, ref: IntegrationRef, job_id: UUID, *, by: str) -> None:
    """End a job that waits or runs; `by` says who asked for it. What was committed is kept.

    Its run can write nothing more from now on. It notices within two seconds and stops.

    Raises:
        RequestError: the integration has no such job.
        ConflictError: it has ended already.
    """
    told = f"{ref.key}: cancelled by {by}; what was committed is kept."

    def cancel() -> None:
        with store.tenant(ref.tenant_id) as session:
            owner = locked_integration(session, ref.tenant_id, ref.id)
            # a batch that is being committed is waited for
            job = session.get(IntegrationSyncJob, (ref.tenant_id, job_id), with_for_update=True)
            if owner is None or job is None or job.integration_id != ref.id:
                raise RequestError(f"{ref.key}: there is no sync job {job_id}.")
            if job.status not in OPEN:
                raise ConflictError(f"{ref.key}: the sync job {job_id} is {job.status} already.")
            if job.status == JobStatus.RUNNING:
                settle(session, owner, synced=False)
            job.status, job.error, job.cancel_asked_by = JobStatus.CANCELLED, told, by
            job.fence += 1
            job.lease_until, job.finished_at = None, func.now()
            end_parts(session, ref.tenant_id, job_id, JobStatus.CANCELLED, told)

    patiently(cancel)
    log_sync(store, ref, job_id, "WARNING", told, public=f"{ref.key}: cancelled.")


def cancellation_of(store: Store, ref: IntegrationRef, job_id: UUID) -> str | None:
    """Why the job was cancelled, if somebody asked for that."""
    job = patiently(lambda: find_sync_job(store, ref, job_id))
    return job.error if job is not None and job.cancel_asked_by is not None else None


def retry_sync_job(store: Store, ref: IntegrationRef, job_id: UUID, *, by: str) -> UUID:
    """A new PENDING job that asks for the same as one that failed or was cancelled.

    Raises:
        RequestError: there is no such job, or what it asks for is not known any more.
        ConflictError: it did not fail, or the same waits already.
    """
    job = find_sync_job(store, ref, job_id)
    if job is None:
        raise RequestError(f"{ref.key}: there is no sync job {job_id}.")
    if job.status not in (JobStatus.FAILED, JobStatus.CANCELLED):
        raise ConflictError(
            f"{ref.key}: the sync job {job_id} is {job.status}.",
            action="Only a failed or cancelled one can be tried again.",
        )
    request = replace(request_of(job), trigger="manual", requested_by=by, slot=None)
    if waiting := _same_waiting(store, ref, request):
        raise ConflictError(
            f"{ref.key}: a sync job that asks for the same waits already: {waiting}.",
            action="It begins as soon as `integrations serve` runs.",
        )
    return create_sync_job(store, ref, request)


def _same_waiting(store: Store, ref: IntegrationRef, request: SyncRequest) -> UUID | None:
    """A job of the integration that waits, and asks for the same."""
    same = select(IntegrationSyncJob.id).where(
        IntegrationSyncJob.tenant_id == ref.tenant_id,
        IntegrationSyncJob.integration_id == ref.id,
        IntegrationSyncJob.status == JobStatus.PENDING,
        IntegrationSyncJob.sync_type == request.sync_type,
        IntegrationSyncJob.direction == request.direction,
        IntegrationSyncJob.resources == list(request.resources),
        IntegrationSyncJob.configuration == request.configuration,
    )
    with store.tenant(ref.tenant_id) as session:
        return session.scalar(same.limit(1))
