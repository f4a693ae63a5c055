"""A part of a job: one resource, what it works with, and where it tells its story."""

import hashlib
import time
from collections.abc import Callable
from typing import Any

import orjson
from sqlalchemy import func, select, update

from integrations_pipeline.connectors.base import Resource
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.patience import patiently
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.store.sync_models import IntegrationSyncJob, ResourceSync
from integrations_pipeline.sync.counts import Counts
from integrations_pipeline.sync.jobs import SyncRequest, log_sync
from integrations_pipeline.sync.leases import Claim, held
from integrations_pipeline.transport.client import ServiceClient

Progress = Callable[["Part"], None]
"""Is shown a part when it begins, and whenever more of it is committed."""
USED_EVERY_SECONDS = 2.0
"""What a part used so far is written no more often than this."""


class Part:
    """One resource of a claimed job. What it asked and waited for is counted by itself."""

    def __init__(
        self,
        store: Store,
        claim: Claim,
        resource: Resource,
        client: ServiceClient,
        on_progress: Progress,
    ) -> None:
        self.store = store
        self.claim = claim
        self.resource = resource
        self.client = client.part()
        self.counts = Counts()
        self.mode: str | None = None
        """`full`, `incremental`, `selective`, `backfill` or `push`, once decided."""
        self.schema_changes: list[str] = []
        """What its records' fields showed to be new, other or gone, in words."""
        self.warnings = 0
        self._on_progress = on_progress
        self._used: dict[str, float] = {}
        self._used_told = time.monotonic()

    @property
    def ref(self) -> IntegrationRef:
        """The integration."""
        return self.claim.ref

    @property
    def request(self) -> SyncRequest:
        """What was asked for."""
        return self.claim.request

    @property
    def scope(self) -> str:
        """Reads that leave something out keep checkpoints of their own: '' is the whole."""
        asked = [
            sorted(self.request.fields),
            self.request.filters,
            self.request.since and self.request.since.isoformat(),
            self.request.until and self.request.until.isoformat(),
        ]
        if not any(asked):
            return ""
        told = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(told).hexdigest()[:16]

    def add(self, counts: Counts) -> None:
        """Count what was committed, and show it."""
        self.counts += counts
        self._on_progress(self)
        if time.monotonic() >= self._used_told + USED_EVERY_SECONDS:
            self._used_told = time.monotonic()
            self.set(**self.used())

    def begin(self, mode: str) -> None:
        """Say that work begins, and how."""
        self.mode = mode
        self.set(status=JobStatus.RUNNING, mode=mode, started_at=_FIRST_START)
        self._on_progress(self)

    def set(self, **values: Any) -> None:
        """Write columns of the part's own row, as long as the job is ours."""
        change = (
            update(ResourceSync)
            .where(
                ResourceSync.tenant_id == self.ref.tenant_id,
                ResourceSync.job_id == self.claim.job_id,
                ResourceSync.resource == self.resource.name,
                select(IntegrationSyncJob.id).where(*held(self.claim)).exists(),
            )
            .values(**values)
        )

        def write() -> None:
            with self.store.tenant(self.ref.tenant_id) as session:
                session.execute(change)

        patiently(write)

    def note(
        self,
        level: str,
        message: str,
        details: dict[str, Any] | None = None,
        *,
        public: str | None = None,
    ) -> None:
        """Add a line to the job's story; `details["record"]` is the id of the record concerned.

        `public` takes the message's place in the process's log where it may quote a record.
        """
        if level == "WARNING":
            self.warnings += 1
            self.set(warnings=ResourceSync.warnings + 1)
        log_sync(
            self.store,
            self.ref,
            self.claim.job_id,
            level,
            message,
            resource=self.resource.name,
            details=details,
            public=public,
        )

    def used(self) -> dict[str, Any]:
        """What it asked of the service since the last call, to add to the columns of its row.

        A job that was parked goes on in another run: its sums begin with those of the first one.
        """
        usage, told = self.client.usage, self._used
        self._used = {
            "api_calls": usage.calls,
            "api_bytes": usage.received_bytes,
            "waited_seconds": usage.waited_seconds,
            "retries": usage.retries,
        }
        return {
            name: getattr(ResourceSync, name) + (value - told.get(name, 0))
            for name, value in self._used.items()
        }


_FIRST_START = func.coalesce(ResourceSync.started_at, func.now())
