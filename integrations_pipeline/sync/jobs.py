"""Sync jobs: asked for, and told about later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

import structlog
from psycopg.errors import ForeignKeyViolation
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from integrations_pipeline.connectors.base import Resource
from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.patience import patiently
from integrations_pipeline.store.states import Direction, SyncType
from integrations_pipeline.store.sync_models import (
    IntegrationSyncJob,
    IntegrationSyncLog,
    ResourceSync,
)
from integrations_pipeline.sync.filters import parse_filters
from integrations_pipeline.sync.spans import check_span, has_span, spanned

log = structlog.get_logger("integrations_pipeline.sync")
READS = (SyncType.FULL_SYNC, SyncType.INCREMENTAL, SyncType.SELECTIVE)
"""Sync types that say what is read."""


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
    since: date | None = None
    """A backfill reads the records of a range of days only: from this one …"""
    until: date | None = None
    """… up to the day before this one."""
    accept_deletions: bool = False
    """Whether a full read may delete more than the integration's rules allow."""
    replay: bool = False
    """Load the records that were set aside once more, without asking the service."""

    @property
    def configuration(self) -> dict[str, Any]:
        """What has no column of its own in a job's row."""
        return {
            "fields": list(self.fields),
            "filters": dict(self.filters),
            "ids": list(self.ids),
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "accept_deletions": self.accept_deletions,
            "replay": self.replay,
        }


def check_request(ref: IntegrationRef, request: SyncRequest) -> tuple[str, ...]:
    """The resources that a request means, in the declared order.

    Raises:
        RequestError: unknown sync type, direction, resource, field or filter; a range of days
            that makes no sense.
    """
    if request.sync_type not in SyncType.__members__:
        raise RequestError(
            f"{ref.key}: unknown sync type {request.sync_type!r}.",
            action=f"Known: {', '.join(SyncType)}.",
        )
    if request.direction not in set(Direction):
        known = ", ".join(Direction)
        raise RequestError(f"{ref.key}: direction {request.direction!r} is not one of {known}.")
    if request.ids and request.sync_type != SyncType.SELECTIVE:
        raise RequestError(f"{ref.key}: ids are for a SELECTIVE sync; this is {request.sync_type}.")
    if any(not one.strip() for one in request.ids):
        raise RequestError(f"{ref.key}: one of the ids is empty.")
    if request.direction == Direction.PUSH and request.sync_type in READS:
        raise RequestError(
            f"{ref.key}: a push reads nothing, so it can't be {request.sync_type}.",
            action="Leave the sync type out, or choose direction bidirectional.",
        )
    names = _known_resources(ref, request.resources)
    if has_span(request):
        check_span(ref.key, request)
        names = spanned(ref.connector, names, request.resources)
    if request.direction != Direction.PULL:
        names = _writable(ref, request, names)
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
        "configuration": request.configuration,
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
    public: str | None = None,
) -> None:
    """Add a line to the job's story, and to the process's log.

    `public`: what the process's log gets in place of a message that may quote a record; only the
    tenant sees the story. Of the details it gets numbers and the letter, but no id from outside.
    """

    def write() -> None:
        line = IntegrationSyncLog(tenant_id=ref.tenant_id, job_id=job_id)
        line.level, line.resource, line.message = level, resource, message
        line.details = dict(details or {})
        with store.tenant(ref.tenant_id) as session:
            session.add(line)

    try:
        patiently(write)
    except IntegrityError as error:
        if not isinstance(error.orig, ForeignKeyViolation):
            raise
        # the job was erased, and its story with it: the process's log is left
    emit = getattr(log, level.lower())
    plain = {k: v for k, v in (details or {}).items() if k == "letter" or isinstance(v, int)}
    emit(public or message, integration=ref.key, resource=resource, job=str(job_id), **plain)


def request_of(job: IntegrationSyncJob) -> SyncRequest:
    """What a job was made from."""
    told = job.configuration
    since, until = told.get("since"), told.get("until")
    return SyncRequest(
        sync_type=job.sync_type,
        resources=tuple(job.resources),
        fields=tuple(told.get("fields", ())),
        filters=told.get("filters", {}),
        ids=tuple(told.get("ids", ())),
        since=date.fromisoformat(since) if since else None,
        until=date.fromisoformat(until) if until else None,
        accept_deletions=bool(told.get("accept_deletions")),
        replay=bool(told.get("replay")),
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


def _writable(ref: IntegrationRef, request: SyncRequest, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those that can be written to, or an error where another one was named."""
    can = tuple(one.name for one in ref.connector.resources if one.push is not None)
    found = tuple(name for name in names if name in can)
    wrong = [name for name in request.resources if name not in can]
    if wrong or not found:
        raise RequestError(
            f"{ref.key}: {', '.join(wrong or names)} of {ref.connector.label} can't be written to.",
            action=f"Possible: {', '.join(can)}." if can else "Sync it with direction pull.",
        )
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


def find_sync_job(store: Store, ref: IntegrationRef, job_id: UUID) -> IntegrationSyncJob | None:
    """The integration's job with this id, if there is one."""
    with store.tenant(ref.tenant_id) as session:
        job = session.get(IntegrationSyncJob, (ref.tenant_id, job_id))
    return job if job is not None and job.integration_id == ref.id else None
