"""The sensor and the schedules: pending jobs become runs, due integrations become jobs."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from sqlalchemy import text

from integrations_pipeline.definitions import defs
from integrations_pipeline.orchestration.names import JOB_TAG
from integrations_pipeline.store import Store
from integrations_pipeline.sync import SyncRequest, create_sync_job, get_sync_job_history
from integrations_pipeline.sync.scheduling import set_schedule
from resources import DatabaseResource
from schedules.dispatch import DISPATCH_SCHEDULES
from sensors import pending_jobs
from tests.conftest import connect


@pytest.fixture
def database(store: Store, monkeypatch: pytest.MonkeyPatch) -> DatabaseResource:
    monkeypatch.setattr("resources.database.open_store", lambda *_: store)
    monkeypatch.setattr(store, "close", lambda: None)
    return DatabaseResource()


@pytest.fixture(autouse=True)
def _no_other_job_waits(store: Store) -> None:
    """The sensor looks at all tenants, and takes some jobs at a time."""
    with store.system() as session:
        session.execute(
            text(
                "UPDATE integrations.integration_sync_job SET status = 'CANCELLED' "
                "WHERE status = 'PENDING'"
            )
        )


def tick(database: DatabaseResource, instance: dg.DagsterInstance) -> dg.SensorResult:
    with dg.build_sensor_context(instance=instance, resources={"database": database}) as context:
        return pending_jobs(context)  # type: ignore[return-value]


def test_a_pending_job_gets_one_run_request_and_its_partition(
    store, sandbox, tenant_id, database
) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    job_id = create_sync_job(store, ref, SyncRequest(resources=["products", "customers"]))
    instance = dg.DagsterInstance.ephemeral()

    first, second = tick(database, instance), tick(database, instance)

    mine = [r for r in first.run_requests if r.tags[JOB_TAG] == str(job_id)]
    assert len(mine) == 1
    assert mine[0].partition_key == ref.key
    assert mine[0].job_name == "sync_stripe"
    assert {k.path[-1] for k in mine[0].asset_selection} == {"products", "customers"}
    added = {key for r in first.dynamic_partitions_requests for key in r.partition_keys}
    assert ref.key in added
    assert not [r for r in second.run_requests if r.tags[JOB_TAG] == str(job_id)]


def test_a_launch_that_came_to_nothing_is_repeated_with_another_key(
    store, sandbox, tenant_id, database
) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    job_id = create_sync_job(store, ref, SyncRequest(resources=["products"]))
    instance = dg.DagsterInstance.ephemeral()
    keys = []
    for _ in range(2):
        keys += [
            r.run_key
            for r in tick(database, instance).run_requests
            if r.tags[JOB_TAG] == str(job_id)
        ]
        with store.tenant(tenant_id) as session:
            session.execute(
                text(
                    "UPDATE integrations.integration_sync_job "
                    "SET launched_at = now() - interval '2 minutes' WHERE id = :job"
                ),
                {"job": job_id},
            )

    assert len(set(keys)) == 2


def test_a_job_whose_runs_never_begin_is_given_up(store, sandbox, tenant_id, database) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    create_sync_job(store, ref, SyncRequest(resources=["products"]))
    with store.tenant(tenant_id) as session:
        session.execute(
            text(
                "UPDATE integrations.integration_sync_job "
                "SET launches = 5, launched_at = now() - interval '2 minutes'"
            )
        )

    result = tick(database, dg.DagsterInstance.ephemeral())

    job = get_sync_job_history(store, ref)[0]
    assert job["status"] == "FAILED"
    assert "Dagster UI" in job["error"]
    assert not [r for r in result.run_requests if r.tags[JOB_TAG] == job["id"]]


def test_a_job_whose_run_waits_in_the_queue_is_left_alone(
    store, sandbox, tenant_id, database
) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    job_id = create_sync_job(store, ref, SyncRequest(resources=["products"]))
    instance = dg.DagsterInstance.ephemeral()
    tick(database, instance)
    tags = {JOB_TAG: str(job_id)}
    run = instance.create_run_for_job(defs.resolve_job_def("sync_stripe"), tags=tags)
    with store.tenant(tenant_id) as session:
        session.execute(
            text(
                "UPDATE integrations.integration_sync_job "
                "SET launches = 5, launched_at = now() - interval '2 minutes'"
            )
        )

    waiting = tick(database, instance)
    still = get_sync_job_history(store, ref)[0]["status"]
    instance.report_run_canceled(run)
    with store.tenant(tenant_id) as session:
        session.execute(
            text(
                "UPDATE integrations.integration_sync_job "
                "SET launched_at = now() - interval '2 minutes'"
            )
        )
    tick(database, instance)

    assert not [r for r in waiting.run_requests if r.tags[JOB_TAG] == str(job_id)]
    assert still == "PENDING"
    assert get_sync_job_history(store, ref)[0]["status"] == "CANCELLED"


def test_a_due_integration_becomes_one_scheduled_job(store, sandbox, tenant_id, database) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    due = set_schedule(store, ref, "*/5 * * * *")
    schedule = next(s for s in DISPATCH_SCHEDULES if s.name == "dispatch_stripe")
    requests = []
    for moment in (due - timedelta(minutes=1), due, due):
        with (
            dg.instance_for_test() as instance,
            dg.build_schedule_context(
                scheduled_execution_time=moment.astimezone(UTC),
                resources={"database": database},
                repository_def=defs.get_repository_def(),
                instance=instance,
            ) as context,
        ):
            data = schedule.evaluate_tick(context)
        requests.append([r for r in data.run_requests if r.partition_key == ref.key])

    assert [len(found) for found in requests] == [0, 1, 0]
    job = get_sync_job_history(store, ref)[0]
    assert (job["sync_type"], job["trigger"]) == ("SCHEDULED", "schedule")
    assert datetime.now(UTC) - job["created_at"] < timedelta(minutes=5)
