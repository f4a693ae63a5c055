"""Syncs of the big source: here, or in a process of their own that a test kills or stops."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
from pydantic import SecretStr
from sqlalchemy import text

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.errors import ConflictError
from integrations_pipeline.oauth import (
    IntegrationRef,
    create_integration,
    create_tenant,
    find_integration,
    store_oauth_token,
)
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.settings import Settings
from integrations_pipeline.store import Store, open_store
from integrations_pipeline.sync import (
    JobResult,
    SyncRequest,
    batches,
    create_sync_job,
    execute_sync_job,
)
from integrations_pipeline.sync.parts import Progress
from tests.integration.big_source import BIG, Source, connector, serving
from tests.integration.support import one_row, owner

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])

DIGEST = """
    SELECT count(*), md5(COALESCE(string_agg(concat_ws(' ', id, raw->>'updated', amount), E'\n'
        ORDER BY id COLLATE "C"), ''))
    FROM big.records WHERE integration_id = :id AND deleted_at IS NULL
"""
State = tuple[int, str]
"""How many records there are, and a checksum over ids and contents."""


@dataclass
class Big:
    """A source, a store that leads to it, and an integration of it."""

    source: Source
    store: Store
    ref: IntegrationRef
    home: Path
    page: int = 1000

    def sync(self, *, on_progress: Progress | None = None, **request: Any) -> JobResult:
        """A sync, carried out here; it waits until a run that has died is known to be dead."""
        job_id = self.job(**request)
        ends = time.monotonic() + 60
        while True:
            try:
                return execute_sync_job(self.store, self.ref, job_id, on_progress=on_progress)
            except ConflictError:
                assert time.monotonic() < ends, "a run that is gone counts as alive"
                time.sleep(0.05)

    def job(self, **request: Any) -> UUID:
        """A job that waits to be carried out."""
        return create_sync_job(self.store, self.ref, SyncRequest(**request))

    def start(self, job_id: UUID, *, quick: bool = True) -> "Run":
        """Carry a job out in a process of its own; see `small_batches`."""
        url = self.store.url.render_as_string(hide_password=False)
        overrides = str(self.store.settings.connector_overrides)
        where = (url, str(self.home), overrides, self.ref.key, job_id, self.page, quick)
        return Run(where)

    def state(self) -> State:
        """What readers see."""
        return tuple(one_row(self.store, DIGEST, id=self.ref.id))

    def checkpoint(self) -> tuple[Any, Any]:
        """Cursor and progress."""
        sql = "SELECT cursor, progress FROM integrations.checkpoint WHERE integration_id = :id"
        with owner(self.store) as connection:
            found = connection.execute(text(sql), {"id": self.ref.id}).one_or_none()
        return (None, None) if found is None else tuple(found)

    def job_row(self, job_id: UUID) -> Any:
        """The job with the counters of its only part."""
        sql = """
            SELECT job.status, job.error, job.fence, part.mode, part.processed, part.created,
                part.updated, part.deleted, part.rejected, part.pages
            FROM integrations.integration_sync_job job
            JOIN integrations.resource_sync part ON part.job_id = job.id WHERE job.id = :id
        """
        return one_row(self.store, sql, id=job_id)

    def staged(self) -> int:
        """How many batches are staged."""
        sql = "SELECT count(*) FROM integrations.staged_batch WHERE integration_id = :id"
        return one_row(self.store, sql, id=self.ref.id)[0]

    def forget(self) -> None:
        """As if nothing had been read yet."""
        with owner(self.store) as connection:
            for table in ("big.records", "integrations.checkpoint", "integrations.staged_batch"):
                sql = f"DELETE FROM {table} WHERE integration_id = :id"
                connection.execute(text(sql), {"id": self.ref.id})


def small_batches(setattr_: Callable[[Any, str, Any], None], *, quick: bool) -> None:
    """More commits, so more points to be killed at; one that is not `quick` goes by time, and a
    full read of it counts as one of a slow service, which stages all that it meets."""
    setattr_(batches, "GROUP_ROWS", 1000 if quick else 10**9)
    setattr_(batches, "GROUP_SECONDS", 1.0 if quick else 0.05)


class Run:
    """A process that carries one job out."""

    def __init__(self, where: tuple[Any, ...]) -> None:
        self._ours, theirs = _context.Pipe()
        self.process = _context.Process(target=_work, args=(theirs, *where), daemon=True)
        self.process.start()
        theirs.close()

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self.send_signal(signal.SIGKILL)
        self.process.join()

    def send_signal(self, number: signal.Signals) -> None:
        """SIGSTOP, SIGCONT, SIGKILL."""
        os.kill(self.process.pid, number)

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.is_alive()

    def result(self, seconds: float = 60) -> str:
        """The job's status, or the error that it ended with."""
        assert self._ours.poll(seconds), "the run does not come to an end"
        found = self._ours.recv()
        self.process.join()
        return str(found)


def _work(
    parent: Any,
    url: str,
    home: str,
    overrides: str,
    key: str,
    job_id: UUID,
    page: int,
    quick: bool,
) -> None:
    small_batches(setattr, quick=quick)
    settings = Settings(home=Path(home), connector_overrides=Path(overrides), lease_seconds=3)
    settings.database_url = SecretStr(url)
    store = open_store(settings, [*CONNECTORS.values(), BIG])
    ref = replace(find_integration(store, key), connector=connector(page))
    try:
        parent.send(str(execute_sync_job(store, ref, job_id).status))
    except Exception as error:  # noqa: BLE001 - the test looks at it
        parent.send(f"{type(error).__name__}: {error}")


MakeBig = Callable[..., Big]


def big(
    base: Store, home: Path, folder: Path, stack: ExitStack, count: int, *, page: int = 1000
) -> Big:
    """A source of so many records, and an integration of it; all ends with the stack."""
    source = stack.enter_context(serving(Source.of(count)))
    overrides = folder / f"{uuid4().hex}.json"
    options = {"api_base_url": source.url, "allow_private_network": True}
    overrides.write_bytes(orjson.dumps({"big": options}))
    changes = {"connector_overrides": overrides, "retry_seconds": 5.0, "lease_seconds": 3}
    store = Store(base.url, base.settings.model_copy(update=changes), base.keyring)
    store.settings.__dict__.pop("overrides", None)
    stack.callback(store.close)
    slug = f"t{uuid4().hex[:12]}"
    tenant = create_tenant(store, slug, slug.upper())
    made = create_integration(store, tenant, "stripe", "b", client_id="c", client_secret="s")
    store_oauth_token(store, made, TokenSet("token", None, None, ()))
    found = find_integration(store, made.key)
    return Big(source, store, replace(found, connector=connector(page)), home, page)


def open_big(settings: Settings) -> Store:
    """The store with the tables of the big source."""
    return open_store(settings, [*CONNECTORS.values(), BIG])
