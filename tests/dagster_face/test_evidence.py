"""What materializations and checks tell of cost, schema and records set aside; parked jobs."""

from typing import Any

import dagster as dg
import pytest

from integrations_pipeline.store.sync_models import DeadLetter
from integrations_pipeline.sync import get_sync_job_history
from tests.conftest import connect
from tests.dagster_face.conftest import Run, metadata

NEW = "New field shiny (boolean)."


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def told_of(result: dg.ExecuteInProcessResult, name: str) -> dict[str, Any]:
    found = {check.check_name: check for check in result.get_asset_check_evaluations()}
    return {key: value.value for key, value in found[name].metadata.items()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    event = next(e for e in result.all_events if e.is_step_failure)
    return event.step_failure_data.user_failure_data.description


def test_metadata_tells_what_each_resource_cost(store, sandbox, tenant_id, run: Run) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    sandbox.fault("stripe", "error", path="/v1/invoices", count=1)

    result = run(ref, "products", "invoices")

    products, invoices = metadata(result, "products"), metadata(result, "invoices")
    assert (products["retries"], invoices["retries"]) == (0, 1)
    assert invoices["waited_seconds"] > 0
    assert invoices["api_calls"] > 1
    assert products["run_api_calls"] >= products["api_calls"] + invoices["api_calls"]
    assert products["api_bytes"] > 0
    assert (products["records_rejected"], products["warnings"]) == (0, 0)
    assert products["schema_changes"] == "None."


def test_the_schema_check_warns_once_about_a_change(store, sandbox, tenant_id, run: Run) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    run(ref, "products")
    key = sandbox.records("stripe", "products")[0]["id"]
    sandbox.change("stripe", "products", key, {"shiny": True})

    changed, after = run(ref, "products"), run(ref, "products")

    assert changed.success
    assert metadata(changed, "products")["schema_changes"] == f"- {NEW}"
    assert metadata(changed, "products")["warnings"] == 1
    assert told_of(changed, "schema") == {ref.key: NEW}
    assert (checks(changed)["schema"], checks(after)["schema"]) == (False, True)


def test_records_that_were_set_aside_show_in_a_check(store, sandbox, tenant_id, run: Run) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    whose = {"tenant_id": tenant_id, "integration_id": ref.id, "resource": "products"}
    # one that was to be sent: no read closes it
    what = {"direction": "push", "reason": "Odd.", "payload": b"{}", "digest": b"1"}
    with store.tenant(tenant_id) as session:
        session.add(DeadLetter(**whose, **what))

    result = run(ref, "products")

    assert result.success
    assert not checks(result)["dead_letters"]
    assert told_of(result, "dead_letters") == {ref.key: 1}


def test_run_config_takes_a_direction_and_consent(store, sandbox, tenant_id, run: Run) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    config = {"sync_type": "SCHEDULED", "direction": "PULL", "accept_deletions": True}

    result = run(ref, "products", config=config)

    job = get_sync_job_history(store, ref)[0]
    assert result.success
    assert (job["sync_type"], job["direction"]) == ("SCHEDULED", "pull")
    assert job["configuration"]["accept_deletions"] is True


def test_run_config_takes_a_range_of_days(store, sandbox, tenant_id, run: Run) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    config = {"since": "2025-01-31", "until": "2025-02-28"}

    result = run(ref, "invoices", config={"sync_type": "SELECTIVE", **config})

    job = get_sync_job_history(store, ref)[0]
    assert result.success
    assert metadata(result, "invoices")["mode"] == "backfill"
    assert config.items() <= job["configuration"].items()


@pytest.mark.parametrize("name", ["since", "until"])
def test_a_day_that_is_none_is_refused_before_a_job_is_made(
    store, sandbox, tenant_id, run: Run, name
) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")

    result = run(ref, "products", config={name: "tomorrow"})

    assert failure(result) == f"{name}: 'tomorrow' is no day. Write it as in 2025-01-31."
    assert get_sync_job_history(store, ref) == []


def test_a_parked_job_is_not_reported_as_done(store, sandbox, tenant_id, run: Run) -> None:
    store.settings.resource_workers = 1  # one after the other
    ref = connect(store, sandbox, tenant_id, "zendesk")
    sandbox.fault("zendesk", "rate_limit", path="organizations", count=50, seconds=7200)

    result = run(ref, "users", "organizations")

    done = {e.asset_key.path[-1] for e in result.get_asset_materialization_events()}
    job = get_sync_job_history(store, ref)[0]
    assert result.success
    assert done == {"users"}
    assert job["status"] == "PENDING"
    assert job["not_before"] is not None
