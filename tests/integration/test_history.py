"""The story of jobs: who wanted what, what it cost, every line, and how far it is."""

import threading
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth import IntegrationRef, create_integration
from integrations_pipeline.store import Store
from integrations_pipeline.sync import (
    SyncRequest,
    create_sync_job,
    execute_sync_job,
    get_sync_job_history,
    get_sync_logs,
    log_sync,
    parts,
)
from integrations_pipeline.sync.history import get_sync_job
from tests.conftest import Sandbox, connect, sync
from tests.integration.support import run_sql

CLIENT = {"client_id": "c", "client_secret": "s"}


@pytest.fixture
def idle(store, tenant_id) -> IntegrationRef:
    """An integration whose jobs nobody carries out."""
    return create_integration(store, tenant_id, "stripe", "s", **CLIENT)


def test_a_job_tells_who_wanted_what_and_what_it_cost(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    sandbox.forget_requests()
    filters = {"lifecycle_stage": "customer"}
    request = SyncRequest(
        sync_type="SELECTIVE",
        resources=["contacts"],
        filters=filters,
        trigger="dagster",
        requested_by="ada@example.com",
    )

    result = execute_sync_job(store, ref, create_sync_job(store, ref, request), run_id="run-7")

    job = get_sync_job(store, ref, result.job_id)
    told = {name: job[name] for name in ("trigger", "requested_by", "sync_type", "run_id")}
    assert told == {
        "trigger": "dagster",
        "requested_by": "ada@example.com",
        "sync_type": "SELECTIVE",
        "run_id": "run-7",
    }
    assert job["configuration"]["filters"] == filters
    assert job["status"] == "COMPLETED"
    part = job["resources"]["contacts"]
    asked = [r for r in sandbox.requests("hubspot") if "/contacts" in r["path"]]
    assert part["api_calls"] == len(asked) > 0
    assert part["api_bytes"] > 1000
    assert (part["mode"], part["retries"], part["waited_seconds"]) == ("selective", 0, 0)
    assert job["seconds"] >= part["seconds"] > 0


def test_each_resource_has_its_own_share_of_calls_waits_and_retries(
    store, sandbox, tenant_id
) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    sandbox.fault("stripe", "error", path="/v1/invoices", count=2)

    result = sync(store, ref, resources=["invoices", "products"])

    parts_ = get_sync_job(store, ref, result.job_id)["resources"]
    assert (parts_["invoices"]["retries"], parts_["products"]["retries"]) == (2, 0)
    assert parts_["invoices"]["waited_seconds"] > parts_["products"]["waited_seconds"]
    assert parts_["invoices"]["api_calls"] >= 3
    job = get_sync_job(store, ref, result.job_id)
    assert job["api_calls"] >= sum(part["api_calls"] for part in parts_.values())
    assert job["retries"] == 2
    by_name = {one.name: one.usage for one in result.resources}
    assert by_name["invoices"].calls == parts_["invoices"]["api_calls"]


def test_a_running_job_shows_how_far_it_is(
    store, sandbox, tenant_id, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "USED_EVERY_SECONDS", 0.1)
    ref = connect(store, sandbox, tenant_id, "stripe")
    sandbox.fault("stripe", "slow", path="/v1/customers", count=10, seconds=1.2)
    job_id = create_sync_job(store, ref, SyncRequest(resources=["customers"]))
    thread = threading.Thread(target=execute_sync_job, args=(store, ref, job_id))
    thread.start()
    try:
        job = wait_for_progress(store, ref, job_id)
    finally:
        thread.join()

    part = job["resources"]["customers"]
    total = sandbox.counts("stripe")["customers"]
    assert job["status"] == part["status"] == "RUNNING"
    assert 0 < part["processed"] < total
    assert part["api_bytes"] > 0
    assert job["seconds"] > 0
    assert get_sync_job(store, ref, job_id)["processed"] == total


def wait_for_progress(store: Store, ref: IntegrationRef, job_id: UUID) -> dict[str, Any]:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        job = get_sync_job(store, ref, job_id)
        if job["status"] == "COMPLETED" or job["resources"]["customers"]["api_calls"]:
            return job
        time.sleep(0.02)
    raise AssertionError("The job showed no progress.")


def test_pages_of_the_history_follow_each_other_without_a_gap(store, idle) -> None:
    made = [str(create_sync_job(store, idle, SyncRequest())) for _ in range(7)]
    at = datetime(2026, 1, 1, tzinfo=UTC)  # all at once: only their ids order them
    run_sql(
        store,
        "UPDATE integrations.integration_sync_job SET created_at = :at WHERE integration_id = :i",
        at=at,
        i=idle.id,
    )

    found, before = [], None
    while page := get_sync_job_history(store, idle, limit=3, before=before):
        found += [job["id"] for job in page]
        before = UUID(page[-1]["id"])

    assert sorted(found) == sorted(made)
    assert found == sorted(made, reverse=True)


def test_an_unknown_job_is_named(store, idle) -> None:
    with pytest.raises(RequestError, match="no sync yet"):
        get_sync_job(store, idle)
    for ask in (
        lambda: get_sync_job(store, idle, uuid4()),
        lambda: get_sync_job_history(store, idle, before=uuid4()),
    ):
        with pytest.raises(RequestError, match=f"{idle.key}: there is no sync job"):
            ask()


def test_lines_can_be_chosen_by_level_and_resource_and_read_in_pages(store, idle) -> None:
    job_id = create_sync_job(store, idle, SyncRequest())
    for level, resource in [
        ("INFO", "prices"),
        ("WARNING", "prices"),
        ("ERROR", "products"),
        ("INFO", None),
    ]:
        log_sync(store, idle, job_id, level, f"{level} {resource}", resource=resource)

    def told(**chosen: Any) -> list[str]:
        return [line.message for line in get_sync_logs(store, idle, job_id, **chosen)]

    everything = told()
    assert len(everything) == 4
    assert told(level="WARNING") == ["WARNING prices", "ERROR products"]
    assert told(level="error") == ["ERROR products"]
    assert told(resource="prices") == ["INFO prices", "WARNING prices"]
    assert told(resource="prices", level="WARNING") == ["WARNING prices"]
    first = get_sync_logs(store, idle, job_id, limit=3)
    rest = get_sync_logs(store, idle, job_id, after=first[-1].id)
    assert [line.message for line in (*first, *rest)] == everything
    with pytest.raises(RequestError, match="no level 'LOUD'"):
        told(level="LOUD")


def test_the_lines_tell_the_job_from_its_beginning_to_its_end(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")

    result = sync(store, ref, resources=["products"])

    lines = get_sync_logs(store, ref, result.job_id)
    told = [f"{one.level} {one.message}" for one in lines]
    assert told[0] == "INFO Reading full."
    assert told[1].startswith("INFO The records have ")
    assert told[2].startswith("INFO Done in ")
    assert len(told) == 3
    assert {line.resource for line in lines} == {"products"}
    assert lines[-1].details["created"] == sandbox.counts("stripe")["products"]


def test_no_line_holds_what_is_in_records(store, sandbox: Sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    key = str(sandbox.records("stripe", "customers")[0]["id"])
    first = sync(store, ref, resources=["customers"])
    sandbox.change("stripe", "customers", key, {"secret_field": "hidden-value", "name": 7})

    second = sync(store, ref, resources=["customers"])

    lines = [
        f"{line.message} {line.details}"
        for result in (first, second)
        for line in get_sync_logs(store, ref, result.job_id)
    ]
    values = {
        str(value)
        for record in sandbox.records("stripe", "customers")
        for value in (record["email"], record["name"], "hidden-value")
        if value and len(str(value)) > 3
    }
    assert any("secret_field" in line for line in lines)
    assert not [value for value in values if any(value in line for line in lines)]
