"""Runs of a service's job for one integration, the way a launched run does them."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from assets import SERVICE_JOBS, partitions_of
from integrations_pipeline.definitions import defs
from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.store import Store
from resources import DatabaseResource

Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


@pytest.fixture
def database(store: Store, monkeypatch: pytest.MonkeyPatch) -> DatabaseResource:
    """The resource, opened on the test's store instead of the environment's."""
    resource = DatabaseResource()
    monkeypatch.setattr("resources.database.open_store", lambda *_: store)
    monkeypatch.setattr(store, "close", lambda: None)
    return resource


@pytest.fixture
def run(instance: dg.DagsterInstance, database: DatabaseResource) -> Run:
    """Runs a service's job for one integration, the way a launched run does."""

    def execute(ref: IntegrationRef, *names: str, config: Any = None, tags: Any = None) -> Any:
        instance.add_dynamic_partitions(str(partitions_of(ref.connector).name), [ref.key])
        job = defs.resolve_job_def(SERVICE_JOBS[ref.connector.name].name)
        chosen = [dg.AssetKey([ref.connector.name, name]) for name in names]
        op = f"{ref.connector.name}_sync"
        return job.execute_in_process(
            instance=instance,
            partition_key=ref.key,
            asset_selection=chosen or None,
            run_config={"ops": {op: {"config": config or {}}}},
            tags=tags,
            raise_on_error=False,
        )

    return execute


def metadata(result: dg.ExecuteInProcessResult, name: str) -> dict[str, Any]:
    """What the materialization of a resource tells, as plain values."""
    event = next(
        e for e in result.get_asset_materialization_events() if e.asset_key.path[-1] == name
    )
    return {k: v.value for k, v in event.materialization.metadata.items()}
