"""Who is launched next: tenants take turns, urgent jobs come first, one for each integration."""

import time
from uuid import UUID, uuid4

import pytest

from integrations_pipeline.errors import ConflictError
from integrations_pipeline.oauth import create_integration, create_tenant
from integrations_pipeline.orchestration.names import tags_of
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import SyncRequest, create_sync_job
from integrations_pipeline.sync.launching import MOST_WAITING, overdue_launches, take_launches
from integrations_pipeline.sync.leases import claim_sync_job, finish_sync_job
from integrations_pipeline.transport.usage import Usage
from tests.integration.support import at_once, run_sql

CLIENT = {"client_id": "c", "client_secret": "s"}
JOBS = 10_000


@pytest.fixture(autouse=True)
def _alone(store):
    """A launch looks at all tenants of the database: nothing else waits, and nothing stays."""
    end = (
        "UPDATE integrations.integration_sync_job SET status = 'CANCELLED' "
        "WHERE status IN ('PENDING', 'RUNNING')"
    )
    run_sql(store, end)
    yield
    run_sql(store, end)


def tenant(store) -> UUID:
    return create_tenant(store, f"f{uuid4().hex[:10]}", "F")


def integration(store, tenant_id):
    slug = f"s{uuid4().hex[:8]}"
    return create_integration(store, tenant_id, "stripe", slug, **CLIENT)


def ask(store, ref, trigger="manual", **request):
    return create_sync_job(store, ref, SyncRequest(trigger=trigger, **request))


def many_jobs(store, tenant_id, count: int, integrations: int) -> None:
    """Jobs that wait, spread over the tenant's integrations."""
    refs = [integration(store, tenant_id).id for _ in range(integrations)]
    run_sql(
        store,
        "INSERT INTO integrations.integration_sync_job (tenant_id, id, integration_id, sync_type, "
        "direction, trigger, resources, created_at) SELECT :tenant, gen_random_uuid(), "
        "(CAST(:refs AS uuid[]))[1 + n % :size], 'MANUAL', 'pull', 'manual', '{customers}', "
        "now() - interval '1 hour' FROM generate_series(1, :count) AS n",
        tenant=tenant_id,
        refs=refs,
        size=integrations,
        count=count,
    )


def test_small_tenants_start_first_beside_a_flood(store) -> None:
    many_jobs(store, tenant(store), JOBS, integrations=100)
    small = [integration(store, tenant(store)) for _ in range(20)]
    for ref in small:
        ask(store, ref)
    began = time.monotonic()

    launches = take_launches(store, limit=50)

    assert time.monotonic() - began < 2  # it takes some 50 ms
    assert {one.ref.id for one in launches[:21]} >= {ref.id for ref in small}
    assert len(launches) == 20 + MOST_WAITING
    assert [one.turn for one in launches] == [1] * 21 + list(range(2, MOST_WAITING + 1))


def test_who_comes_later_does_not_queue_behind_the_flood(store) -> None:
    many_jobs(store, tenant(store), 200, integrations=100)
    flood = take_launches(store)
    late = ask(store, ref := integration(store, tenant(store)))

    (mine,) = take_launches(store)
    more = take_launches(store)

    assert (mine.job_id, mine.ref.id, more) == (late, ref.id, [])
    assert len(flood) == MOST_WAITING  # so that Dagster's queue stays short
    ranks = [int(tags_of(one)["dagster/priority"]) for one in flood]
    assert ranks == sorted(ranks, reverse=True)
    assert int(tags_of(mine)["dagster/priority"]) == max(ranks)


def test_urgent_jobs_come_before_scheduled_ones_and_these_before_backfills(store) -> None:
    owner = tenant(store)
    asked = {
        trigger: ask(store, integration(store, owner), trigger)
        for trigger in ("backfill", "schedule", "webhook", "manual")
    }

    order = [one.job_id for one in take_launches(store)]

    assert order == [asked[name] for name in ("webhook", "manual", "schedule", "backfill")]


def test_one_job_of_an_integration_is_launched_at_a_time(store, tenant_id) -> None:
    ref = integration(store, tenant_id)
    backfill, first, second = (ask(store, ref, name) for name in ("backfill", "manual", "manual"))
    seen = []
    for expected in (first, second, backfill):
        (launch,) = take_launches(store)
        seen.append(launch.job_id)
        assert take_launches(store) == []  # it is on its way
        claim = claim_sync_job(store, ref, expected)
        assert take_launches(store) == []  # it runs
        finish_sync_job(store, claim, JobStatus.COMPLETED, Usage())

    assert seen == [first, second, backfill]


def test_a_named_job_is_launched_at_once_and_once(store, tenant_id) -> None:
    ref = integration(store, tenant_id)
    first, second = ask(store, ref), ask(store, ref)
    claim_sync_job(store, ref, first)

    taken = at_once(6, lambda: take_launches(store, job_id=second))

    assert [[one.job_id for one in found] for found in taken if found] == [[second]]


def test_of_twenty_triggers_at_once_one_is_active(store, tenant_id) -> None:
    ref = integration(store, tenant_id)

    def trigger():
        job_id = ask(store, ref)
        return [one.job_id for one in take_launches(store)], claim_sync_job(store, ref, job_id)

    results = at_once(20, trigger)

    won = [one for one in results if not isinstance(one, Exception)]
    lost = [one for one in results if isinstance(one, Exception)]
    assert (len(won), len(lost)) == (1, 19)
    assert all(isinstance(one, ConflictError) for one in lost)


def test_eight_launchers_launch_each_job_once(store, tenant_id) -> None:
    refs = [integration(store, tenant_id) for _ in range(15)]
    jobs = [ask(store, ref) for ref in refs for _ in range(3)]

    taken = at_once(8, lambda: take_launches(store))

    launched = [one.job_id for found in taken for one in found]
    assert len(launched) == len(set(launched)) == len(refs)
    assert set(launched) <= set(jobs)


def test_a_launch_without_a_run_frees_the_way_for_its_own_next_try_only(store, tenant_id) -> None:
    ref = integration(store, tenant_id)
    first, _ = ask(store, ref), ask(store, ref)
    take_launches(store)
    run_sql(
        store,
        "UPDATE integrations.integration_sync_job SET launched_at = now() - interval '2 minutes' "
        "WHERE id = :id",
        id=first,
    )

    assert take_launches(store) == []
    assert [one.job_id for one in overdue_launches(store)] == [first]
