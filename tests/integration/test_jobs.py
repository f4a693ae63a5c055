"""Asking for syncs: what is refused, one job per slot, and what a tick dispatches."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth import create_integration, create_tenant
from integrations_pipeline.sync import SyncRequest, create_sync_job, get_sync_job_history
from integrations_pipeline.sync.launching import (
    launch_again,
    note_run,
    overdue_launches,
    take_launches,
)
from integrations_pipeline.sync.scheduling import dispatch_due, set_schedule
from tests.integration.support import at_once, integration_row, run_sql

SLOT = datetime(2025, 3, 1, 9, tzinfo=UTC)
CLIENT = {"client_id": "c", "client_secret": "s"}


@pytest.fixture
def ref(store, tenant_id):
    return create_integration(store, tenant_id, "stripe", "s", **CLIENT)


@pytest.fixture(autouse=True)
def _nothing_stays_due(store):
    """A tick sees all integrations of the database: none is left over for the next test."""
    yield
    run_sql(store, "UPDATE integrations.integration SET next_sync_at = NULL")


BAD = [
    ({"sync_type": "SOMETIMES"}, "'SOMETIMES'"),
    ({"sync_type": "full_sync"}, "'full_sync'"),
    ({"direction": "sideways"}, "'sideways'"),
    ({"direction": "push", "resources": ["invoices"]}, "invoices of Stripe can't be written to"),
    ({"resources": ["customers", "nope"]}, "nope"),
    ({"resources": ["customers"], "fields": ["name", "nope"]}, "customers has no field nope"),
    ({"resources": ["customers"], "filters": {"nope": 1}}, "customers can't be filtered"),
    ({"resources": ["customers"], "filters": {"metadata": 1}}, "customers can't be filtered"),
    ({"resources": ["customers"], "filters": {"email": {"like": "x"}}}, "customers.email"),
    ({"resources": ["customers"], "filters": {"balance": "much"}}, "customers.balance"),
    ({"filters": {"email": "x"}}, "can't be filtered by 'email'"),
]


@pytest.mark.parametrize(("request_", "told"), BAD)
def test_a_senseless_request_is_refused_by_name(store, ref, request_, told) -> None:
    with pytest.raises(RequestError) as refused:
        create_sync_job(store, ref, SyncRequest(**request_))

    assert str(refused.value).startswith(f"{ref.key}:")
    assert told in str(refused.value)
    assert get_sync_job_history(store, ref) == []


def test_resources_come_in_the_declared_order_and_once(store, ref) -> None:
    create_sync_job(store, ref, SyncRequest(resources=["products", "customers", "products"]))

    (job,) = get_sync_job_history(store, ref)
    assert list(job["resources"]) == ["customers", "products"]
    assert job["status"] == "PENDING"


def test_a_slot_becomes_one_job(store, ref) -> None:
    request = SyncRequest(sync_type="SCHEDULED", slot=SLOT)

    made = at_once(8, lambda: create_sync_job(store, ref, request))

    assert len(set(made)) == 1
    assert len(get_sync_job_history(store, ref)) == 1
    assert create_sync_job(store, ref, SyncRequest(slot=SLOT + timedelta(days=1))) != made[0]
    assert len({create_sync_job(store, ref, SyncRequest()) for _ in range(3)}) == 3


def due(store, *refs, status="ACTIVE", at=SLOT) -> None:
    """Let integrations be due at a time."""
    for ref in refs:
        set_schedule(store, ref, "0 9 * * *")
        run_sql(
            store,
            "UPDATE integrations.integration SET next_sync_at = :at, status = :s WHERE id = :id",
            at=at,
            s=status,
            id=ref.id,
        )


def tick(store, ref, now=SLOT):
    """What a tick did about one integration (others share the database)."""
    return [done for done in dispatch_due(store, "STRIPE", now) if done.key == ref.key]


def test_a_due_integration_gets_a_job_and_its_next_time(store, ref) -> None:
    due(store, ref)

    (done,) = tick(store, ref)

    assert (done.reason, tick(store, ref)) == (None, [])
    (job,) = get_sync_job_history(store, ref)
    assert (job["id"], job["trigger"]) == (str(done.job_id), "schedule")
    assert job["sync_type"] == "SCHEDULED"
    assert integration_row(store, ref).next_sync_at == SLOT + timedelta(days=1)


def test_a_tick_that_is_repeated_writes_no_second_job(store, ref) -> None:
    due(store, ref)
    (first,) = tick(store, ref)
    due(store, ref)  # as if the tick had died before it moved the time on

    assert tick(store, ref) == [first]
    assert len(get_sync_job_history(store, ref)) == 1


def test_ticks_at_once_write_one_job(store, ref) -> None:
    due(store, ref)

    results = at_once(6, lambda: tick(store, ref))

    assert [one for one in results if isinstance(one, Exception)] == []
    assert len(get_sync_job_history(store, ref)) == 1


def test_after_a_long_silence_there_is_one_catch_up(store, ref) -> None:
    due(store, ref, at=SLOT - timedelta(days=30))
    now = SLOT + timedelta(hours=1)

    assert [len(tick(store, ref, now)) for _ in range(3)] == [1, 0, 0]
    assert integration_row(store, ref).next_sync_at == SLOT + timedelta(days=1)


@pytest.mark.parametrize("status", ["PAUSED", "ERROR", "INACTIVE"])
def test_an_integration_that_is_not_ready_is_passed_over(store, ref, status) -> None:
    due(store, ref, status=status)

    (done,) = tick(store, ref)

    assert (done.job_id, done.reason) == (None, f"it is {status}")
    assert get_sync_job_history(store, ref) == []
    assert integration_row(store, ref).next_sync_at == SLOT + timedelta(days=1)


def test_what_is_not_due_or_not_scheduled_is_left_alone(store, ref) -> None:
    due(store, ref)

    assert tick(store, ref, SLOT - timedelta(seconds=1)) == []
    set_schedule(store, ref, None)
    assert tick(store, ref, SLOT + timedelta(days=9)) == []
    assert dispatch_due(store, "HUBSPOT", SLOT) == []


def test_one_broken_schedule_does_not_hold_up_the_others(store, ref, tenant_id) -> None:
    after = create_integration(store, tenant_id, "stripe", "z", **CLIENT)
    due(store, ref, at=SLOT - timedelta(hours=1))
    due(store, after)
    sql = "UPDATE integrations.integration SET schedule_timezone = 'Mars/X' WHERE id = :id"
    run_sql(store, sql, id=ref.id)
    try:
        (done,) = tick(store, after)
    finally:
        run_sql(store, sql.replace("'Mars/X'", "'UTC'"), id=ref.id)

    assert done.job_id is not None


@pytest.mark.parametrize(("cron", "timezone"), [("nonsense", "UTC"), ("0 9 * * *", "Mars/X")])
def test_a_bad_schedule_is_refused_and_the_old_one_stays(store, ref, cron, timezone) -> None:
    set_schedule(store, ref, "0 9 * * *", "Asia/Kolkata")
    before = integration_row(store, ref)

    with pytest.raises(RequestError):
        set_schedule(store, ref, cron, timezone)
    assert integration_row(store, ref) == before


def launches_of(store, ref):
    return [one for one in take_launches(store, limit=1000) if one.ref.key == ref.key]


def test_a_job_is_launched_once_and_again_when_it_still_waits(store, ref) -> None:
    job_id = create_sync_job(store, ref, SyncRequest())

    taken = at_once(6, lambda: launches_of(store, ref))
    found = [launch for part in taken for launch in part]
    assert [(launch.job_id, launch.attempt) for launch in found] == [(job_id, 1)]
    run_sql(
        store,
        "UPDATE integrations.integration_sync_job "
        "SET launched_at = now() - interval '2 minutes' WHERE id = :id",
        id=job_id,
    )
    assert launches_of(store, ref) == []
    (overdue,) = [one for one in overdue_launches(store) if one.job_id == job_id]
    launch_again(store, overdue)
    assert [launch.attempt for launch in launches_of(store, ref)] == [2]


def test_the_first_run_of_a_job_is_remembered(store, ref) -> None:
    create_sync_job(store, ref, SyncRequest())
    (launch,) = launches_of(store, ref)

    for run_id in ("run-1", "run-2"):
        note_run(store, launch, run_id)

    assert get_sync_job_history(store, ref)[0]["run_id"] == "run-1"


def test_another_tenants_history_is_empty(store, ref) -> None:
    create_sync_job(store, ref, SyncRequest())
    other = create_tenant(store, f"o{ref.id.hex[:9]}", "O")

    assert get_sync_job_history(store, replace(ref, tenant_id=other)) == []
