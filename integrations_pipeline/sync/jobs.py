"""Sync jobs: asked for, and told about later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from integrations_pipeline.connectors.base import Resource
from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.states import Direction, SyncType
from integrations_pipeline.store.sync_models import (
    IntegrationSyncJob,
    IntegrationSyncLog,
    ResourceSync,
)
from integrations_pipeline.sync.filters import parse_filters

log = structlog.get_logger("integrations_pipeline.sync")
COUNTERS = ("processed", "created", "updated", "deleted", "unchanged", "pages")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """What somebody wants synced. Empty `resources` means all of the service's."""

    sync_type: str = SyncType.MANUAL
    resources: Sequence[str] = ()
    fields: Sequence[str] = ()
    filters: Mapping[str, Any] = field(default_factory=dict)
    ids: Sequence[str] = ()
    direction: str = Direction.PULL
    trigger: str = "manual"
    requested_by: str | None = None
    slot: datetime | None = None


def check_request(ref: IntegrationRef, request: SyncRequest) -> tuple[str, ...]:
    """The resources that a request means, in the declared order.

    Raises:
        RequestError: unknown sync type, direction, resource, field or filter.
    """
    if request.sync_type not in SyncType.__members__:
        raise RequestError(
            f"{ref.key}: unknown sync type {request.sync_type!r}.",
            action=f"Known: {', '.join(SyncType)}.",
        )
    if request.direction != Direction.PULL:
        raise RequestError(f"{ref.key}: direction {request.direction!r} is not known; use pull.")
    if request.ids and request.sync_type != SyncType.SELECTIVE:
        raise RequestError(f"{ref.key}: ids are for a SELECTIVE sync; this is {request.sync_type}.")
    names = _known_resources(ref, request.resources)
    for name in names:
        _check_resource(ref, name, request)
    return names


def create_sync_job(store: Store, ref: IntegrationRef, request: SyncRequest) -> UUID:
    """A new PENDING job. For a slot that has its job already, that one's id.

    Raises:
        RequestError: see `check_request`.
    """
    resources = check_request(ref, request)
    job_id = uuid4()
    values = {
        "tenant_id": ref.tenant_id,
        "id": job_id,
        "integration_id": ref.id,
        "sync_type": str(request.sync_type),
        "direction": str(request.direction),
        "trigger": request.trigger,
        "requested_by": request.requested_by,
        "slot": request.slot,
        "resources": list(resources),
        "configuration": {
            "fields": list(request.fields),
            "filters": dict(request.filters),
            "ids": list(request.ids),
        },
    }
    with store.tenant(ref.tenant_id) as session:
        made = session.execute(
            insert(IntegrationSyncJob)
            .values(values)
            .on_conflict_do_nothing()
            .returning(IntegrationSyncJob.id)
        ).first()
        if made is None:
            return session.scalars(
                select(IntegrationSyncJob.id).where(
                    IntegrationSyncJob.tenant_id == ref.tenant_id,
                    IntegrationSyncJob.integration_id == ref.id,
                    IntegrationSyncJob.slot == request.slot,
                )
            ).one()
        session.add_all(
            ResourceSync(tenant_id=ref.tenant_id, job_id=job_id, resource=name)
            for name in resources
        )
    return job_id


def log_sync(
    store: Store,
    ref: IntegrationRef,
    job_id: UUID,
    level: str,
    message: str,
    *,
    resource: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add a line to the job's story, and to the process's log."""
    with store.tenant(ref.tenant_id) as session:
        session.add(
            IntegrationSyncLog(
                tenant_id=ref.tenant_id,
                job_id=job_id,
                level=level,
                resource=resource,
                message=message,
                details=dict(details or {}),
            )
        )
    emit = getattr(log, level.lower())
    emit(message, integration=ref.key, resource=resource, job=str(job_id), **(details or {}))


def get_sync_job_history(
    store: Store, ref: IntegrationRef, *, limit: int = 50, before: datetime | None = None
) -> list[dict[str, Any]]:
    """The integration's jobs, newest first, each with the counts of its resources."""
    jobs = (
        select(IntegrationSyncJob)
        .where(
            IntegrationSyncJob.tenant_id == ref.tenant_id,
            IntegrationSyncJob.integration_id == ref.id,
        )
        .order_by(IntegrationSyncJob.created_at.desc())
        .limit(limit)
    )
    if before is not None:
        jobs = jobs.where(IntegrationSyncJob.created_at < before)
    with store.tenant(ref.tenant_id) as session:
        found = list(session.scalars(jobs))
        parts = session.scalars(
            select(ResourceSync)
            .where(
                ResourceSync.tenant_id == ref.tenant_id,
                ResourceSync.job_id.in_([job.id for job in found]),
            )
            .order_by(ResourceSync.resource)
        ).all()
    return [_told(job, [part for part in parts if part.job_id == job.id]) for job in found]


def get_sync_logs(
    store: Store, ref: IntegrationRef, job_id: UUID, *, after: int = 0, limit: int = 500
) -> list[IntegrationSyncLog]:
    """The job's story after a line's id, oldest first."""
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
    with store.tenant(ref.tenant_id) as session:
        return list(session.scalars(lines))


def request_of(job: IntegrationSyncJob) -> SyncRequest:
    """What a job was made from."""
    return SyncRequest(
        sync_type=job.sync_type,
        resources=tuple(job.resources),
        fields=tuple(job.configuration.get("fields", ())),
        filters=job.configuration.get("filters", {}),
        ids=tuple(job.configuration.get("ids", ())),
        direction=job.direction,
        trigger=job.trigger,
        requested_by=job.requested_by,
        slot=job.slot,
    )


def _known_resources(ref: IntegrationRef, names: Sequence[str]) -> tuple[str, ...]:
    known = ref.connector.resource_names
    if not known:
        raise RequestError(
            f"{ref.key}: {ref.connector.label} can be connected and called, but not synced yet."
        )
    if unknown := [name for name in names if name not in known]:
        raise RequestError(
            f"{ref.key}: {ref.connector.label} has no resource {', '.join(unknown)}.",
            action=f"Known: {', '.join(known)}.",
        )
    chosen = set(names or ref.resources or known)
    found = tuple(name for name in known if name in chosen)
    if not found:
        raise RequestError(f"{ref.key}: {', '.join(sorted(chosen))} can't be synced yet.")
    return found


def _check_resource(ref: IntegrationRef, name: str, request: SyncRequest) -> None:
    resource = ref.connector.resource(name)
    if resource is None:
        return
    try:
        parse_filters(resource, request.filters)
        if resource.catalog is None:
            check_fields(resource, request.fields, known=())
    except RequestError as error:
        raise RequestError(f"{ref.key}: {error}") from error
    if request.ids and resource.lookup is None:
        raise RequestError(f"{ref.key}: {name} can't be read by id.")


def check_fields(resource: Resource, fields: Sequence[str], *, known: Sequence[str]) -> None:
    """Refuse fields that are neither a column nor `known` to the service."""
    columns = [column.name for column in resource.columns]
    if unknown := [name for name in fields if name not in columns and name not in known]:
        raise RequestError(
            f"{resource.name} has no field {', '.join(unknown)}.",
            action=f"Columns: {', '.join(columns)}.",
        )


def _told(job: IntegrationSyncJob, parts: list[ResourceSync]) -> dict[str, Any]:
    """A job as people and programs read it."""
    resources = {part.resource: _part_told(part) for part in parts}
    totals = {name: sum(part[name] for part in resources.values()) for name in COUNTERS}
    seconds = None
    if job.started_at and job.finished_at:
        seconds = round((job.finished_at - job.started_at).total_seconds(), 3)
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
        "api_calls": job.api_calls,
        "api_bytes": job.api_bytes,
        "waited_seconds": round(job.waited_seconds, 3),
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "seconds": seconds,
    }


def _part_told(part: ResourceSync) -> dict[str, Any]:
    told: dict[str, Any] = {name: getattr(part, name) for name in COUNTERS}
    return {**told, "status": part.status, "mode": part.mode, "error": part.error}


def find_sync_job(store: Store, ref: IntegrationRef, job_id: UUID) -> IntegrationSyncJob | None:
    """The integration's job with this id, if there is one."""
    with store.tenant(ref.tenant_id) as session:
        job = session.get(IntegrationSyncJob, (ref.tenant_id, job_id))
    return job if job is not None and job.integration_id == ref.id else None
