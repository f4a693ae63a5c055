"""Executing a sync job: resources side by side, each failing alone, under one lease."""

import hashlib
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import func, update

from integrations_pipeline.connectors.base import Resource
from integrations_pipeline.errors import ConnectAgainError, FenceLostError, IntegrationsError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.clients import service_client
from integrations_pipeline.oauth.granted import require_scopes
from integrations_pipeline.oauth.vault import mark_broken
from integrations_pipeline.store import Store
from integrations_pipeline.store.states import JobStatus, SyncType
from integrations_pipeline.store.sync_models import Checkpoint, ResourceSync
from integrations_pipeline.sync.batches import Batch, Wanted, ahead, grouped
from integrations_pipeline.sync.fields import service_fields, wants_associations
from integrations_pipeline.sync.filters import parse_filters
from integrations_pipeline.sync.jobs import log_sync
from integrations_pipeline.sync.leases import (
    Claim,
    claim_sync_job,
    finish_sync_job,
    kept_alive,
)
from integrations_pipeline.sync.loading import Counts, Loader, Target
from integrations_pipeline.sync.reading import ResourceReading
from integrations_pipeline.transport.client import ServiceClient, Usage

Progress = Callable[[str, Counts], None]
"""Takes a resource's name and its counts so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceResult:
    """What became of one resource of a job."""

    name: str
    status: JobStatus
    mode: str | None
    """`full`, `incremental` or `selective`; None where it did not come to that."""
    counts: Counts = field(default_factory=Counts)
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """What became of a job."""

    job_id: UUID
    status: JobStatus
    resources: tuple[ResourceResult, ...]
    usage: Usage
    seconds: float

    @property
    def error(self) -> str | None:
        """The reasons of failed resources, or None."""
        return "; ".join(dict.fromkeys(r.error for r in self.resources if r.error)) or None


def execute_sync_job(
    store: Store,
    ref: IntegrationRef,
    job_id: UUID,
    *,
    run_id: str | None = None,
    on_progress: Progress | None = None,
) -> JobResult:
    """Claim a PENDING job and carry it out; a resource that fails does not hinder the others.

    Raises:
        ConflictError: the job, or another one of the integration, is somebody else's.
        FenceLostError: the job was taken away; what was committed stays.
    """
    claim = claim_sync_job(store, ref, job_id, run_id)
    began = time.monotonic()
    try:
        client = service_client(store, ref)
    except IntegrationsError as error:
        finish_sync_job(store, claim, JobStatus.FAILED, Usage(), f"{ref.key}: {_reason(error)}")
        raise
    try:
        with kept_alive(store, claim, client):
            results = _Run(store, claim, client, on_progress).all()
    except BaseException as error:
        # an interrupt of the process is a cancellation; anything else unforeseen is a failure
        status = JobStatus.FAILED if isinstance(error, Exception) else JobStatus.CANCELLED
        finish_sync_job(store, claim, status, client.usage, _reason(error))
        raise
    finally:
        client.close()
    failed = any(result.status is not JobStatus.COMPLETED for result in results)
    result = JobResult(
        job_id=job_id,
        status=JobStatus.FAILED if failed else JobStatus.COMPLETED,
        resources=results,
        usage=client.usage,
        seconds=time.monotonic() - began,
    )
    finish_sync_job(store, claim, result.status, client.usage, result.error)
    return result


class _Run:
    """The resources of one claimed job."""

    def __init__(
        self, store: Store, claim: Claim, client: ServiceClient, on_progress: Progress | None
    ) -> None:
        self._store = store
        self._claim = claim
        self._ref = claim.ref
        self._request = claim.request
        self._client = client
        self._on_progress = on_progress or _no_progress
        self._scope = _scope(claim)

    def all(self) -> tuple[ResourceResult, ...]:
        names = self._request.resources
        try:
            self._client.authorize()
        except IntegrationsError as error:
            reason = f"{self._ref.key}: {_reason(error)}"
            return tuple(
                self._ended(name, None, Counts(), time.monotonic(), reason) for name in names
            )
        with ThreadPoolExecutor(self._store.settings.resource_workers) as pool:
            try:
                return tuple(pool.map(self._one, names))
            except BaseException:
                self._client.stop.set()  # an interrupt must not wait for the other resources
                raise

    def _one(self, name: str) -> ResourceResult:
        resource = next(r for r in self._ref.connector.resources if r.name == name)
        began, counts = time.monotonic(), Counts()
        mode = None
        try:
            cursor, progress = self._checkpoint(name)
            mode = _mode(self._request.sync_type, cursor)
            self._note_started(name, mode)
            require_scopes(self._store, self._ref, name, self._request.direction)
            loader = self._loader(resource, mode)
            for batch in ahead(grouped(self._batches(resource, mode, cursor, progress))):
                counts += loader.load(batch)
                self._on_progress(name, counts)
        except FenceLostError:
            self._client.stop.set()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the other resources go on
            reason = f"{self._ref.key} {name}: {_reason(error)}"
            if isinstance(error, ConnectAgainError):
                mark_broken(self._store, self._ref, reason, used=self._client.token_used)
            return self._ended(name, mode, counts, began, reason)
        return self._ended(name, mode, counts, began, None)

    def _batches(
        self, resource: Resource, mode: str, cursor: Any, progress: Any
    ) -> Iterator[Batch]:
        terms = parse_filters(resource, self._request.filters)
        fields = service_fields(resource, self._client, self._request.fields, terms)
        wanted = Wanted(
            mode=mode,
            fields=fields,
            terms=terms,
            ids=tuple(self._request.ids),
            linked=wants_associations(resource, self._request.fields),
        )
        reading = ResourceReading(
            self._client,
            resource,
            wanted,
            cursor=cursor,
            progress=progress,
            note=lambda level, message: self._log(level, message, resource.name),
            max_pages=self._store.settings.max_pages,
        )
        return reading.batches()

    def _loader(self, resource: Resource, mode: str) -> Loader:
        target = Target(
            tenant_id=self._ref.tenant_id,
            integration_id=self._ref.id,
            job_id=self._claim.job_id,
            fence=self._claim.fence,
            scope=self._scope,
            moves_checkpoint=mode != "selective",
            narrowed=bool(self._request.fields),
        )
        return Loader(self._store, self._ref.connector, resource, target)

    def _checkpoint(self, name: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        key = (self._ref.tenant_id, self._ref.id, name, self._scope)
        with self._store.tenant(self._ref.tenant_id) as session:
            row = session.get(Checkpoint, key)
        return (row.cursor, row.progress) if row else (None, None)

    def _note_started(self, name: str, mode: str) -> None:
        self._set(name, status=JobStatus.RUNNING, mode=mode, started_at=func.now())
        self._log("INFO", f"Reading {mode}.", name)

    def _ended(
        self, name: str, mode: str | None, counts: Counts, began: float, error: str | None
    ) -> ResourceResult:
        status = JobStatus.FAILED if error else JobStatus.COMPLETED
        seconds = time.monotonic() - began
        self._set(name, status=status, error=error, finished_at=func.now())
        if error:
            self._log("ERROR", error, name)
        else:
            self._log("INFO", f"Done in {seconds:.1f} s.", name, _told(counts))
        return ResourceResult(
            name=name, status=status, mode=mode, counts=counts, seconds=seconds, error=error
        )

    def _set(self, name: str, **values: Any) -> None:
        with self._store.tenant(self._ref.tenant_id) as session:
            session.execute(
                update(ResourceSync)
                .where(
                    ResourceSync.tenant_id == self._ref.tenant_id,
                    ResourceSync.job_id == self._claim.job_id,
                    ResourceSync.resource == name,
                )
                .values(**values)
            )

    def _log(
        self, level: str, message: str, name: str, details: dict[str, Any] | None = None
    ) -> None:
        log_sync(
            self._store,
            self._ref,
            self._claim.job_id,
            level,
            message,
            resource=name,
            details=details,
        )


def _mode(sync_type: str, cursor: dict[str, Any] | None) -> str:
    if sync_type == SyncType.SELECTIVE:
        return "selective"
    return "full" if sync_type == SyncType.FULL_SYNC or cursor is None else "incremental"


def _scope(claim: Claim) -> str:
    """Reads that leave something out keep checkpoints of their own."""
    if not claim.request.fields and not claim.request.filters:
        return ""
    asked = orjson.dumps(
        [sorted(claim.request.fields), claim.request.filters], option=orjson.OPT_SORT_KEYS
    )
    return hashlib.sha256(asked).hexdigest()[:16]


def _told(counts: Counts) -> dict[str, int]:
    return {
        "processed": counts.processed,
        "created": counts.created,
        "updated": counts.updated,
        "deleted": counts.deleted,
        "unchanged": counts.unchanged,
    }


def _reason(error: BaseException) -> str:
    if isinstance(error, IntegrationsError):
        return str(error)
    if isinstance(error, Exception):
        # its text may show values of rows; the place tells enough
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        return f"Failed unexpectedly ({type(error).__name__} at {place})."
    return f"Stopped by {type(error).__name__}."


def _no_progress(_name: str, _counts: Counts) -> None:
    """Nobody watches."""
