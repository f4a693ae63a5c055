"""Materializing through the Dagster definitions: a materialization is a sync job."""

from typing import Any

import pytest
from sqlalchemy import text

from assets import SERVICE_JOBS
from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.orchestration.names import JOB_TAG, job_name
from integrations_pipeline.sync import SyncRequest, create_sync_job, get_sync_job_history
from resources import DatabaseResource, RecordsResource, Stripe
from tests.conftest import connect
from tests.dagster_face.conftest import Run, metadata


def test_a_run_syncs_the_chosen_resources_and_tells_of_it(
    store, sandbox, tenant_id, run: Run
) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")

    result = run(ref, "contacts", "owners")

    assert result.success
    told = metadata(result, "contacts")
    assert told["dagster/partition_row_count"] == sandbox.counts("hubspot")["contacts"]
    assert told["records_created"] == sandbox.counts("hubspot")["contacts"]
    assert told["run_api_calls"] > 0
    assert told["duration_seconds"] > 0
    assert {c.name for c in told["dagster/column_schema"].columns} >= {"email", "raw", "id"}
    assert len(result.get_asset_materialization_events()) == 2


def test_the_preview_shows_five_records_and_nothing_personal(
    store, sandbox, tenant_id, run: Run
) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")

    preview = metadata(run(ref, "contacts"), "contacts")["preview"]

    with store.tenant(tenant_id) as session:
        found = session.execute(text("SELECT email, last_name FROM hubspot.contacts")).all()
    assert len(preview.splitlines()) == 2 + 5
    assert not any(value and value in preview for row in found for value in row)


def test_checks_come_with_the_materialization(store, sandbox, tenant_id, run: Run) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")

    checks = run(ref, "products").get_asset_check_evaluations()

    assert {check.check_name: check.passed for check in checks} == {
        "primary_key": True,
        "freshness": True,
        "schema": True,
        "dead_letters": True,
    }


def test_run_config_takes_sync_type_fields_and_filters(store, sandbox, tenant_id, run: Run) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    config = {
        "sync_type": "FULL_SYNC",
        "fields": ["email"],
        "filters": {"lifecycle_stage": "customer"},
    }

    result = run(ref, "contacts", config=config)

    assert result.success
    stages = [r["properties"]["lifecyclestage"] for r in sandbox.records("hubspot", "contacts")]
    assert metadata(result, "contacts")["records_created"] == stages.count("customer") > 0
    job = get_sync_job_history(store, ref)[0]
    assert (job["sync_type"], job["trigger"]) == ("FULL_SYNC", "dagster")
    assert job["run_id"] == result.run_id


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"fields": ["no_such"]}, "no_such"),
        ({"filters": {"no_such": 1}}, "no_such"),
        ({"filters": {"total": {"about": 1}}}, "about"),
    ],
)
def test_a_senseless_request_fails_with_the_reason(
    store, sandbox, tenant_id, run: Run, config: dict[str, Any], words: str
) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")

    result = run(ref, "invoices", config=config)

    failure = next(e for e in result.all_events if e.is_step_failure)
    reason = failure.step_failure_data.user_failure_data.description
    assert not result.success
    assert words in reason
    assert ref.key in reason
    assert "invoices" in reason


def test_a_resource_that_fails_does_not_take_the_others_with_it(
    store, sandbox, tenant_id, run: Run
) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    sandbox.fault("hubspot", "html", path="/deals", count=50)

    result = run(ref, "contacts", "deals")

    done = {e.asset_key.path[-1] for e in result.get_asset_materialization_events()}
    assert not result.success
    assert done == {"contacts"}
    assert get_sync_job_history(store, ref)[0]["resources"]["deals"]["status"] == "FAILED"


def test_a_run_carries_out_the_job_it_was_launched_for(store, sandbox, tenant_id, run: Run) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    request = SyncRequest(resources=["products"], trigger="schedule")
    job_id = create_sync_job(store, ref, request)

    first = run(ref, "products", tags={JOB_TAG: str(job_id)})
    second = run(ref, "products", tags={JOB_TAG: str(job_id)})

    assert first.success
    assert second.success
    assert not second.get_asset_materialization_events()
    assert [job["id"] for job in get_sync_job_history(store, ref)] == [str(job_id)]


def test_records_come_back_as_a_dataframe(
    store, sandbox, tenant_id, run: Run, database: DatabaseResource
) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    run(ref, "invoices")

    frame = RecordsResource(database=database).frame(ref.key, "invoices")

    assert len(frame) == sandbox.counts("stripe")["invoices"]
    assert frame["total"].sum() == sum(r["total"] for r in sandbox.records("stripe", "invoices"))


def test_other_calls_go_through_an_authorized_session(
    store, sandbox, tenant_id, database: DatabaseResource
) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    stripe = Stripe(database=database)

    answer = stripe.session(ref.key).get("/v1/account")

    assert answer.json()["object"] == "account"
    assert stripe.client(ref.key).get("/v1/account") == answer.json()


def test_the_job_names_are_those_that_launches_use() -> None:
    for name, job in SERVICE_JOBS.items():
        assert job.name == job_name(CONNECTORS[name])
