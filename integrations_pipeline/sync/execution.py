"""Executing a sync job: resources side by side, each failing alone, under one lease."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func
from sqlalchemy.exc import DBAPIError

from integrations_pipeline.errors import (
    ConnectAgainError,
    FenceLostError,
    IntegrationsError,
    kind_of,
)
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.clients import service_client
from integrations_pipeline.oauth.granted import require_scopes
from integrations_pipeline.oauth.vault import mark_broken
from integrations_pipeline.store import Store
from integrations_pipeline.store.patience import is_outage, patiently
from integrations_pipeline.store.states import Direction, JobStatus
from integrations_pipeline.sync.cancelling import cancellation_of
from integrations_pipeline.sync.counts import Counts
from integrations_pipeline.sync.jobs import log_sync
from integrations_pipeline.sync.leases import (
    Claim,
    claim_sync_job,
    finish_sync_job,
    kept_alive,
)
from integrations_pipeline.sync.memory import suit_syncing
from integrations_pipeline.sync.parking import park, wait_of
from integrations_pipeline.sync.parts import Part, Progress
from integrations_pipeline.sync.pulling import pull
from integrations_pipeline.sync.pushing import push
from integrations_pipeline.sync.reasons import reason_of, stopped
from integrations_pipeline.transport.client import ServiceClient
from integrations_pipeline.transport.usage import Usage

log = structlog.get_logger("integrations_pipeline.sync")
OUTAGES = 20
"""How often a part goes on after the database was away; each time, it waits for it."""


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
    usage: Usage = field(default_factory=Usage)
    warnings: int = 0
    schema_changes: tuple[str, ...] = ()
    """Fields that are new, other or gone, in words."""
    wait: float | None = None
    """Seconds that the service asks us to wait, where it is too long for this run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """What became of a job."""

    job_id: UUID
    status: JobStatus
    resources: tuple[ResourceResult, ...]
    usage: Usage
    seconds: float
    reason: str | None = None
    """Why the job as a whole did not come to its end: cancelled, or parked (then PENDING)."""

    @property
    def error(self) -> str | None:
        """The reason of the whole, else those of the failed resources, or None."""
        return self.reason or _joined(self.resources)


def execute_sync_job(
    store: Store,
    ref: IntegrationRef,
    job_id: UUID,
    *,
    run_id: str | None = None,
    on_progress: Progress | None = None,
) -> JobResult:
    """Claim a PENDING job and carry it out; a resource that fails does not hinder the others.

    A job that somebody cancels meanwhile comes back CANCELLED; one whose service asks for a long
    wait comes back PENDING, to be launched again when that is over.

    Raises:
        ConflictError: the job, or another one of the integration, is somebody else's.
        FenceLostError: the job was taken away; what was committed stays.
    """
    claim = claim_sync_job(store, ref, job_id, run_id)
    suit_syncing()
    began = time.monotonic()
    usage = Usage()
    try:
        client = patiently(lambda: service_client(store, ref))
        usage = client.usage
        with closing(client):
            run = _Run(store, claim, client, on_progress)
            with kept_alive(store, claim, client):
                results = run.all()
        results, status, told = _conclude(store, claim, usage, results)
    except FenceLostError:
        told = cancellation_of(store, ref, job_id)
        if told is None:
            raise
        results, status = run.cut_short(), JobStatus.CANCELLED
    except BaseException as error:
        # an interrupt of the process is a cancellation; anything else unforeseen is a failure
        if isinstance(error, Exception):
            status, told = JobStatus.FAILED, f"{ref.key}: {reason_of(error)}"
        else:
            status, told = JobStatus.CANCELLED, stopped(ref, error)
        finish_sync_job(store, claim, status, usage, told)
        raise
    return JobResult(
        job_id=job_id,
        status=status,
        resources=results,
        usage=usage,
        seconds=time.monotonic() - began,
        reason=told,
    )


def _conclude(
    store: Store, claim: Claim, usage: Usage, results: tuple[ResourceResult, ...]
) -> tuple[tuple[ResourceResult, ...], JobStatus, str | None]:
    """Park the job where the service asks for a long wait; else end it.

    Raises:
        FenceLostError: it was cancelled or taken away at the last moment.
    """
    waits = [result.wait for result in results if result.wait is not None]
    why = _joined(results)
    if waits and why:
        until = park(store, claim, usage, seconds=max(waits), reason=why)
        if until is not None:
            told = f"The service asks to wait until {until:%Y-%m-%d %H:%M} UTC; the sync goes on "
            told += "then by itself."
            whole = f"{told} {why}"
            log_sync(store, claim.ref, claim.job_id, "WARNING", whole, public=told)
            return results, JobStatus.PENDING, whole
        results = tuple(_given_up(result) for result in results)
    ok = all(result.status is JobStatus.COMPLETED for result in results)
    status = JobStatus.COMPLETED if ok else JobStatus.FAILED
    if not finish_sync_job(store, claim, status, usage, why):
        raise FenceLostError(f"{claim.ref.key}: the sync job was ended or taken over.")
    return results, status, None


def _joined(results: tuple[ResourceResult, ...]) -> str | None:
    """The reasons of failed resources, each once."""
    return "; ".join(dict.fromkeys(r.error for r in results if r.error)) or None


def _given_up(result: ResourceResult) -> ResourceResult:
    return result if result.wait is None else replace(result, status=JobStatus.FAILED)


class _Run:
    """The resources of one claimed job."""

    def __init__(
        self, store: Store, claim: Claim, client: ServiceClient, on_progress: Progress | None
    ) -> None:
        self._store = store
        self._claim = claim
        self._ref = claim.ref
        self._client = client
        self._on_progress = on_progress or _no_progress
        self._parts = [self._part(name) for name in claim.request.resources]

    def all(self) -> tuple[ResourceResult, ...]:
        """Carry all of them out.

        Raises:
            FenceLostError: the job was cancelled or taken away.
        """
        try:
            patiently(self._client.authorize)
        except IntegrationsError as error:
            reason = f"{self._ref.key}: {reason_of(error)}"
            kind = kind_of(error)
            return tuple(_ended(part, time.monotonic(), reason, kind) for part in self._parts)
        with ThreadPoolExecutor(self._store.settings.resource_workers) as pool:
            try:
                return tuple(pool.map(self._one, self._parts))
            except BaseException:
                self._client.abort()  # an interrupt must not wait for what is still being asked
                raise

    def cut_short(self) -> tuple[ResourceResult, ...]:
        """What the parts of a cancelled job had committed."""
        return tuple(_result(part, JobStatus.CANCELLED) for part in self._parts)

    def _part(self, name: str) -> Part:
        resource = next(r for r in self._ref.connector.resources if r.name == name)
        return Part(self._store, self._claim, resource, self._client, self._on_progress)

    def _one(self, part: Part) -> ResourceResult:
        began = time.monotonic()
        try:
            self._work(part)
        except FenceLostError:
            self._client.abort()
            raise
        except Exception as error:
            if self._client.stop.is_set():  # whatever it is, it comes from being stopped
                raise FenceLostError(f"{self._ref.key}: the sync was stopped.") from error
            reason = f"{self._ref.key} {part.resource.name}: {reason_of(error)}"
            if isinstance(error, ConnectAgainError):
                mark_broken(self._store, self._ref, reason, used=part.client.token_used)
            wait = wait_of(self._store, error)
            if wait is not None:
                return _waits(part, reason, wait)
            return _ended(part, began, reason, kind_of(error))
        return _ended(part, began, None)

    def _work(self, part: Part) -> None:
        """Pull and push; where the database was away, again from what was committed last."""
        for left in reversed(range(OUTAGES)):
            try:
                self._work_once(part)
            except DBAPIError as error:
                if not left or not is_outage(error):
                    raise
            else:
                return
            # this line waits until the database is back
            part.note("WARNING", "The database was away; going on from the last commit.")

    def _work_once(self, part: Part) -> None:
        direction = part.request.direction
        require_scopes(self._store, self._ref, part.resource.name, direction)
        if direction != Direction.PUSH:
            pull(part)
        if direction != Direction.PULL:
            push(part)


def _ended(part: Part, began: float, error: str | None, kind: str = "") -> ResourceResult:
    status = JobStatus.FAILED if error else JobStatus.COMPLETED
    seconds = time.monotonic() - began
    part.set(status=status, error=error, finished_at=func.now(), **part.used())
    if error:
        part.note("ERROR", error, public=f"Failed: {kind}.")
    else:
        part.note("INFO", f"Done in {seconds:.1f} s.", part.counts.told())
    return _result(part, status, seconds=seconds, error=error)


def _waits(part: Part, reason: str, wait: float) -> ResourceResult:
    part.set(status=JobStatus.PENDING, error=reason, **part.used())
    return _result(part, JobStatus.PENDING, error=reason, wait=wait)


def _result(part: Part, status: JobStatus, **more: Any) -> ResourceResult:
    return ResourceResult(
        name=part.resource.name,
        status=status,
        mode=part.mode,
        counts=part.counts,
        usage=part.client.usage,
        warnings=part.warnings,
        schema_changes=tuple(part.schema_changes),
        **more,
    )


def _no_progress(_part: Part) -> None:
    """Nobody watches."""
