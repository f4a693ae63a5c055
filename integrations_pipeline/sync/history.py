"""The history of syncs, as people and programs read it: jobs, their parts and their lines."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String, cast, select, tuple_
from sqlalchemy.orm import Session

from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.store.sync_models import (
    IntegrationSyncJob,
    IntegrationSyncLog,
    ResourceSync,
)

COUNTERS = (
    *("processed", "created", "updated", "deleted", "unchanged"),
    *("rejected", "warnings", "pages"),
)
_ID = re.compile(r"[0-9a-f][0-9a-f-]{0,35}")
LEVELS = ("INFO", "WARNING", "ERROR")


def get_sync_job_history(
    store: Store, ref: IntegrationRef, *, limit: int = 50, before: UUID | None = None
) -> list[dict[str, Any]]:
    """The integration's jobs, newest first, each with the counts and the cost of its resources.

    `before`: the last job of the page before this one.

    Raises:
        RequestError: the integration has no job `before`.
    """
    order = (IntegrationSyncJob.created_at, IntegrationSyncJob.id)
    jobs = (
        select(IntegrationSyncJob)
        .where(
            IntegrationSyncJob.tenant_id == ref.tenant_id,
            IntegrationSyncJob.integration_id == ref.id,
        )
        .order_by(*(column.desc() for column in order))
        .limit(limit)
    )
    with store.tenant(ref.tenant_id) as session:
        if before is not None:
            last = _found(session, ref, before)
            jobs = jobs.where(tuple_(*order) < tuple_(last.created_at, last.id))
        return _with_parts(session, ref, list(session.scalars(jobs)))


def get_sync_job(store: Store, ref: IntegrationRef, job_id: UUID | None = None) -> dict[str, Any]:
    """One job as its history tells it; without an id the newest.

    Raises:
        RequestError: there is no such job, or none at all.
    """
    if job_id is None:
        newest = get_sync_job_history(store, ref, limit=1)
        if not newest:
            raise RequestError(f"{ref.key}: there was no sync yet.")
        return newest[0]
    with store.tenant(ref.tenant_id) as session:
        return _with_parts(session, ref, [_found(session, ref, job_id)])[0]


def find_job_id(store: Store, ref: IntegrationRef, text: str) -> UUID:
    """The id of the integration's job whose id is this text, or alone begins with it.

    Raises:
        RequestError: there is no such job, or there are several.
    """
    begin = text.strip().lower()
    if not _ID.fullmatch(begin):
        raise RequestError(f"{text!r} is no job's id.", action="See `integrations history`.")
    query = select(IntegrationSyncJob.id).where(
        IntegrationSyncJob.tenant_id == ref.tenant_id,
        IntegrationSyncJob.integration_id == ref.id,
        cast(IntegrationSyncJob.id, String).startswith(begin),
    )
    with store.tenant(ref.tenant_id) as session:
        found = list(session.scalars(query.limit(2)))
    if not found:
        raise RequestError(
            f"{ref.key}: there is no sync job {text}.", action="See `integrations history`."
        )
    if len(found) > 1:
        raise RequestError(
            f"{ref.key}: the ids of several sync jobs begin with {text}.",
            action="Give more of it; `integrations history --json` has the whole ids.",
        )
    return found[0]


def get_sync_logs(
    store: Store,
    ref: IntegrationRef,
    job_id: UUID,
    *,
    after: int = 0,
    limit: int = 500,
    level: str | None = None,
    resource: str | None = None,
) -> list[IntegrationSyncLog]:
    """The job's story after a line's id, oldest first.

    `level`: lines of at least this level. `resource`: lines about this resource.

    Raises:
        RequestError: there is no such level.
    """
    lines = (
        select(IntegrationSyncLog)
        .where(
            IntegrationSyncLog.tenant_id == ref.tenant_id,
            IntegrationSyncLog.job_id == job_id,
            IntegrationSyncLog.id > after,
        )
        .order_by(IntegrationSyncLog.id)
        .limit(limit)
    )
    if level is not None:
        lines = lines.where(IntegrationSyncLog.level.in_(_at_least(level)))
    if resource is not None:
        lines = lines.where(IntegrationSyncLog.resource == resource)
    with store.tenant(ref.tenant_id) as session:
        return list(session.scalars(lines))


def _found(session: Session, ref: IntegrationRef, job_id: UUID) -> IntegrationSyncJob:
    job = session.get(IntegrationSyncJob, (ref.tenant_id, job_id))
    if job is None or job.integration_id != ref.id:
        raise RequestError(
            f"{ref.key}: there is no sync job {job_id}.", action="See `integrations history`."
        )
    return job


def _with_parts(
    session: Session, ref: IntegrationRef, jobs: list[IntegrationSyncJob]
) -> list[dict[str, Any]]:
    query = (
        select(ResourceSync)
        .where(
            ResourceSync.tenant_id == ref.tenant_id,
            ResourceSync.job_id.in_([job.id for job in jobs]),
        )
        .order_by(ResourceSync.resource)
    )
    parts = session.scalars(query).all()
    return [_told(job, [part for part in parts if part.job_id == job.id]) for job in jobs]


def _at_least(level: str) -> Sequence[str]:
    if level.upper() not in LEVELS:
        raise RequestError(f"There is no level {level!r}.", action=f"Known: {', '.join(LEVELS)}.")
    return LEVELS[LEVELS.index(level.upper()) :]


def _told(job: IntegrationSyncJob, parts: list[ResourceSync]) -> dict[str, Any]:
    """A job as people and programs read it."""
    resources = {part.resource: _part_told(part) for part in parts}
    totals = {name: sum(part[name] for part in resources.values()) for name in COUNTERS}
    return {
        "id": str(job.id),
        "sync_type": job.sync_type,
        "direction": job.direction,
        "trigger": job.trigger,
        "requested_by": job.requested_by,
        "status": job.status,
        "error": job.error,
        "run_id": job.run_id,
        "configuration": job.configuration,
        **totals,
        "resources": resources,
        **_cost(job),
        "not_before": job.not_before,
        "cancel_asked_by": job.cancel_asked_by,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "seconds": _seconds(job),
    }


def _part_told(part: ResourceSync) -> dict[str, Any]:
    return {
        **{name: getattr(part, name) for name in COUNTERS},
        "status": part.status,
        "mode": part.mode,
        "error": part.error,
        "schema_changes": part.schema_changes,
        **_cost(part),
        "started_at": part.started_at,
        "finished_at": part.finished_at,
        "seconds": _seconds(part),
    }


def _cost(one: IntegrationSyncJob | ResourceSync) -> dict[str, Any]:
    return {
        "api_calls": one.api_calls,
        "api_bytes": one.api_bytes,
        "waited_seconds": round(one.waited_seconds, 3),
        "retries": one.retries,
    }


def _seconds(one: IntegrationSyncJob | ResourceSync) -> float | None:
    """How long it took, or has been running."""
    ended: datetime | None = one.finished_at
    if ended is None and one.status == JobStatus.RUNNING:
        ended = datetime.now(UTC)
    if one.started_at is None or ended is None:
        return None
    return max(0.0, round((ended - one.started_at).total_seconds(), 3))
