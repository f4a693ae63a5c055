"""Runs whose job is cancelled or parked, and runs that are terminated: their end says so."""

import signal
import subprocess
import sys
import threading
import time
from uuid import UUID

import pytest

from integrations_pipeline.orchestration.names import JOB_TAG, tags_of
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import SyncRequest, create_sync_job, get_sync_job_history
from integrations_pipeline.sync.cancelling import cancel_sync_job
from integrations_pipeline.sync.launching import take_launches
from tests.conftest import connect
from tests.integration.waiting import wait_for

SILENCE = 30.0
TERMINATED = """
import sys
from dagster import AssetKey, DagsterInstance
from assets import partitions_of
from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.definitions import defs
instance = DagsterInstance.ephemeral()
instance.add_dynamic_partitions(str(partitions_of(CONNECTORS["stripe"]).name), [sys.argv[1]])
chosen = [AssetKey(["stripe", name]) for name in ("customers", "products")]
defs.resolve_job_def("sync_stripe").execute_in_process(
    instance=instance, partition_key=sys.argv[1], asset_selection=chosen
)
"""


@pytest.fixture
def ref(store, sandbox, tenant_id):
    """An account whose customers take half a minute per page."""
    sandbox.fault("stripe", "slow", count=1000, seconds=SILENCE, path="/customers")
    return connect(store, sandbox, tenant_id, "stripe")


def parts(store, ref) -> dict[str, str]:
    jobs = get_sync_job_history(store, ref, limit=1)
    return {name: part["status"] for job in jobs for name, part in job["resources"].items()}


def failure(result) -> str:
    """What the run's failed step tells people."""
    (event,) = [one for one in result.all_events if one.is_step_failure]
    return str(event.step_failure_data.user_failure_data.description)


def materialized(result) -> set[str]:
    return {one.asset_key.path[-1] for one in result.get_asset_materialization_events()}


def test_cancelling_the_job_ends_its_run_with_the_reason(store, ref, run) -> None:
    results = []
    thread = threading.Thread(target=lambda: results.append(run(ref, "customers", "products")))
    thread.start()
    wait_for(lambda: parts(store, ref).get("products") == "COMPLETED")
    job_id = UUID(get_sync_job_history(store, ref)[0]["id"])
    began = time.monotonic()

    cancel_sync_job(store, ref, job_id, by="ada@example.com")
    thread.join(timeout=SILENCE)

    assert time.monotonic() - began < SILENCE / 3
    assert not results[0].success
    assert "cancelled by ada@example.com" in failure(results[0])


def test_the_run_of_a_job_that_was_cancelled_before_fails(store, ref, run) -> None:
    job_id = create_sync_job(store, ref, SyncRequest(resources=["products"]))
    cancel_sync_job(store, ref, job_id, by="ada@example.com")

    result = run(ref, "products", tags={JOB_TAG: str(job_id)})

    assert not result.success
    assert "cancelled by ada@example.com" in failure(result)
    assert len(get_sync_job_history(store, ref)) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["terminated", "killed"])
def test_terminating_a_run_cancels_its_job_soon(store, ref, home, number) -> None:
    environment = {
        "DATABASE_URL": store.url.render_as_string(hide_password=False),
        "INTEGRATIONS_HOME": str(home),
        "INTEGRATIONS_CONNECTOR_OVERRIDES": str(store.settings.connector_overrides),
    }
    words = [sys.executable, "-c", TERMINATED, ref.key]
    process = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE)
    wait_for(lambda: parts(store, ref).get("products") == "COMPLETED")
    began = time.monotonic()

    process.send_signal(number)
    process.communicate(timeout=SILENCE)

    assert time.monotonic() - began < SILENCE / 3
    assert process.returncode != 0
    job = get_sync_job_history(store, ref)[0]
    assert job["status"] == "CANCELLED"
    assert parts(store, ref) == {"customers": "CANCELLED", "products": "COMPLETED"}


def test_a_run_whose_job_is_parked_ends_well_and_the_next_goes_on(
    store,
    sandbox,
    tenant_id,
    run,
) -> None:
    store.settings.resource_workers = 1
    ref = connect(store, sandbox, tenant_id, "zendesk")
    sandbox.fault("zendesk", "rate_limit", count=1000, seconds=7200, path="organizations")
    job_id = create_sync_job(store, ref, SyncRequest(resources=["users", "organizations"]))
    (launch,) = take_launches(store, job_id=job_id)

    first = run(ref, "users", "organizations", tags=tags_of(launch))
    status = get_sync_job_history(store, ref)[0]["status"]
    sandbox.send("DELETE", "/sandbox/zendesk/faults")
    with store.system() as session:
        session.connection().exec_driver_sql("DELETE FROM integrations.quota_account")
        session.connection().exec_driver_sql(
            "UPDATE integrations.integration_sync_job SET not_before = now()"
        )
    (again,) = take_launches(store, job_id=job_id)
    second = run(ref, "users", "organizations", tags=tags_of(again))

    assert (first.success, status, materialized(first)) == (True, JobStatus.PENDING, {"users"})
    assert (second.success, materialized(second)) == (True, {"organizations"})
    assert again.attempt == launch.attempt + 1  # so that Dagster takes it for another run
