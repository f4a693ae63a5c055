"""Who may write for a job: one claim, a lease, and a fence that outlives the dead."""

import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from integrations_pipeline.errors import ConflictError, FenceLostError, RequestError
from integrations_pipeline.oauth import create_integration, create_tenant
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.store.sync_models import IntegrationSyncJob
from integrations_pipeline.sync import SyncRequest, create_sync_job
from integrations_pipeline.sync.deaths import end_dead_jobs, is_dead, process_identity
from integrations_pipeline.sync.jobs import find_sync_job
from integrations_pipeline.sync.leases import claim_sync_job, finish_sync_job, renew_lease
from integrations_pipeline.sync.loading import Loader, Target
from integrations_pipeline.sync.reading import Batch
from integrations_pipeline.sync.records import Change
from integrations_pipeline.transport.usage import Usage
from tests.integration.support import at_once, integration_row, one_row, run_sql


@pytest.fixture
def ref(store, tenant_id):
    made = create_integration(store, tenant_id, "stripe", "s", client_id="c", client_secret="s")
    run_sql(store, "UPDATE integrations.integration SET status = 'ACTIVE' WHERE id = :i", i=made.id)
    return made


def job_of(store, ref, **request):
    return create_sync_job(store, ref, SyncRequest(**request))


def job_row(store, job_id):
    return one_row(store, "SELECT * FROM integrations.integration_sync_job WHERE id = :i", i=job_id)


def set_job(store, job_id, values, **parameters) -> None:
    sql = f"UPDATE integrations.integration_sync_job SET {values} WHERE id = :id"
    run_sql(store, sql, id=job_id, **parameters)


def test_of_eight_claims_one_wins(store, ref) -> None:
    job_id = job_of(store, ref)

    results = at_once(8, lambda: claim_sync_job(store, ref, job_id))

    kinds = [type(one).__name__ for one in results]
    assert sorted(kinds) == ["Claim"] + ["ConflictError"] * 7
    row = job_row(store, job_id)
    assert (row.status, row.fence, row.holder) == ("RUNNING", 1, process_identity())
    assert integration_row(store, ref).status == "SYNCING"


def test_of_eight_jobs_of_an_integration_one_runs(store, ref) -> None:
    jobs = iter([job_of(store, ref) for _ in range(8)])

    results = at_once(8, lambda: claim_sync_job(store, ref, next(jobs)))

    assert sorted(type(one).__name__ for one in results) == ["Claim"] + ["ConflictError"] * 7


def test_integrations_run_side_by_side(store, tenant_id) -> None:
    made = {"client_id": "c", "client_secret": "s"}
    refs = [create_integration(store, tenant_id, "stripe", f"s{n}", **made) for n in range(3)]

    for ref in refs:
        assert claim_sync_job(store, ref, job_of(store, ref)).fence == 1


def test_forty_jobs_are_claimed_once_each(store, tenant_id) -> None:
    made = {"client_id": "c", "client_secret": "s"}
    refs = [create_integration(store, tenant_id, "stripe", f"s{n}", **made) for n in range(40)]
    jobs = [(ref, job_of(store, ref)) for ref in refs]

    def claim_all() -> list:
        won = []
        for ref, job_id in jobs:
            try:
                won.append(claim_sync_job(store, ref, job_id).job_id)
            except ConflictError:
                continue
        return won

    won = [job_id for part in at_once(8, claim_all) for job_id in part]
    assert sorted(won) == sorted(job_id for _, job_id in jobs)


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED", "RUNNING"])
def test_only_a_pending_job_can_be_claimed(store, ref, status) -> None:
    job_id = job_of(store, ref)
    set_job(store, job_id, "status = :status", status=status)

    with pytest.raises(ConflictError, match=f"{ref.key}.*{status}"):
        claim_sync_job(store, ref, job_id)


def test_a_job_that_is_not_there_or_anothers_is_unknown(store, ref) -> None:
    other = create_tenant(store, f"o{uuid4().hex[:9]}", "O")
    foreign = create_integration(store, other, "stripe", "s", client_id="c", client_secret="s")

    for job_id in (uuid4(), job_of(store, foreign)):
        with pytest.raises(RequestError, match=f"{ref.key}.*no sync job"):
            claim_sync_job(store, ref, job_id)


def test_a_job_of_a_sister_integration_is_not_claimed(store, ref, tenant_id) -> None:
    sister = create_integration(store, tenant_id, "stripe", "t", client_id="c", client_secret="s")
    job_id = job_of(store, sister)

    with pytest.raises(RequestError):
        claim_sync_job(store, ref, job_id)
    waiting = find_sync_job(store, sister, job_id)
    assert waiting is not None
    assert waiting.status == "PENDING"


def dead_process() -> str:
    """The identity of a process that has ended on this host."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return f"{socket.gethostname()}/{ended.pid}/1700000000.00"


DEATHS = {
    "its process ended": ("holder = :holder", dead_process),
    "its process id was used again": (
        "holder = :holder",
        lambda: process_identity().rsplit("/", 1)[0] + "/1.00",
    ),
    "its lease ran out": ("lease_until = now() - interval '1 second'", None),
    "it ran out elsewhere": (
        "lease_until = now() - interval '1 second', holder = :holder",
        lambda: "other-host/1/1.00",
    ),
    "it has no lease": ("lease_until = NULL", None),
}


def kill(store, job_id, kind) -> None:
    values, holder = DEATHS[kind]
    set_job(store, job_id, values, **({"holder": holder()} if holder else {}))


def loader(store, claim) -> Loader:
    connector = claim.ref.connector
    target = Target(
        tenant_id=claim.ref.tenant_id,
        integration_id=claim.ref.id,
        job_id=claim.job_id,
        fence=claim.fence,
        resource="customers",
        scope="",
        moves_checkpoint=True,
    )
    return Loader(store, connector, connector.resource("customers"), target)


def batch(name: str) -> Batch:
    raw = b'{"id": "cus_1", "name": "' + name.encode() + b'"}'
    return Batch(changes=[Change("cus_1", raw, name.encode())], cursor={"since": name})


def written(store, ref) -> tuple:
    with store.tenant(ref.tenant_id) as session:
        return (
            session.scalars(text("SELECT name FROM stripe.customers")).all(),
            session.scalars(text("SELECT cursor->>'since' FROM integrations.checkpoint")).all(),
        )


@pytest.mark.parametrize("kind", DEATHS)
def test_a_dead_run_is_followed_and_can_write_no_more(store, ref, kind) -> None:
    first = claim_sync_job(store, ref, job_of(store, ref))
    loader(store, first).load(batch("first"))
    kill(store, first.job_id, kind)

    second = claim_sync_job(store, ref, job_of(store, ref))

    row = job_row(store, first.job_id)
    assert (row.status, row.fence > first.fence, row.lease_until) == ("FAILED", True, None)
    with pytest.raises(FenceLostError):
        renew_lease(store, first, Usage())
    with pytest.raises(FenceLostError):
        loader(store, first).load(batch("late"))
    assert written(store, ref) == (["first"], ["first"])
    finish_sync_job(store, first, JobStatus.COMPLETED, Usage())
    assert job_row(store, first.job_id).status == "FAILED"
    loader(store, second).load(batch("second"))
    assert written(store, ref) == (["second"], ["second"])


def test_a_live_run_is_left_alone(store, ref) -> None:
    first = claim_sync_job(store, ref, job_of(store, ref))

    with pytest.raises(ConflictError, match=f"{ref.key}.*{first.job_id}"):
        claim_sync_job(store, ref, job_of(store, ref))
    end_dead_jobs(store)
    renew_lease(store, first, Usage())


def test_a_run_that_writes_for_longer_than_its_lease_is_alive(store, ref) -> None:
    first = claim_sync_job(store, ref, job_of(store, ref))
    set_job(store, first.job_id, "lease_until = now() - interval '1 hour'")
    with store.tenant(ref.tenant_id) as session:
        # the lock of a commit under the fence, which keeps the heartbeat out as well
        session.get(
            IntegrationSyncJob, (ref.tenant_id, first.job_id), with_for_update={"read": True}
        )
        end_dead_jobs(store)
        with pytest.raises(ConflictError, match="running already"):
            claim_sync_job(store, ref, job_of(store, ref))
        assert job_row(store, first.job_id).status == "RUNNING"
    renew_lease(store, first, Usage())
    end_dead_jobs(store)
    assert job_row(store, first.job_id).status == "RUNNING"


def test_a_live_run_on_another_host_is_left_alone(store, ref) -> None:
    first = claim_sync_job(store, ref, job_of(store, ref))
    set_job(store, first.job_id, "holder = 'other-host/1/1.00'")

    end_dead_jobs(store)

    assert job_row(store, first.job_id).status == "RUNNING"


@pytest.mark.parametrize("holder", [None, "", "nonsense", "a/b", "a/b/c/d", "//", "host/x/1.00"])
def test_an_odd_holder_is_judged_by_its_lease(store, holder) -> None:
    for left, dead in ((60, False), (-1, True)):
        until = datetime.now(UTC) + timedelta(seconds=left)
        with store.system() as session:
            job = IntegrationSyncJob(holder=holder, lease_until=until)
            assert is_dead(session, job) is dead


def test_a_claim_leaves_the_status_of_an_unconnected_integration_alone(store, ref) -> None:
    run_sql(
        store, "UPDATE integrations.integration SET status = 'INACTIVE' WHERE id = :i", i=ref.id
    )
    claim = claim_sync_job(store, ref, job_of(store, ref))

    finish_sync_job(store, claim, JobStatus.FAILED, Usage(), "not connected")

    sql = "SELECT status FROM integrations.integration WHERE id = :i"
    assert one_row(store, sql, i=ref.id)[0] == "INACTIVE"


@pytest.mark.parametrize("kind", DEATHS)
def test_dead_jobs_are_ended_without_a_new_one(store, ref, kind) -> None:
    claim = claim_sync_job(store, ref, job_of(store, ref))
    kill(store, claim.job_id, kind)

    assert end_dead_jobs(store) >= 1

    row = job_row(store, claim.job_id)
    assert (row.status, "stopped reporting" in row.error) == ("FAILED", True)
    assert row.finished_at is not None
    assert integration_row(store, ref).status == "ACTIVE"


def test_a_lease_is_renewed_with_what_was_used(store, ref) -> None:
    claim = claim_sync_job(store, ref, job_of(store, ref))
    set_job(store, claim.job_id, "lease_until = now() + interval '1 second'")

    renew_lease(store, claim, Usage(calls=3, received_bytes=5, waited_seconds=0.5))

    row = job_row(store, claim.job_id)
    assert (row.api_calls, row.api_bytes, row.waited_seconds) == (3, 5, 0.5)
    sql = "SELECT lease_until - now() > interval '3 seconds' FROM integrations.integration_sync_job"
    assert one_row(store, f"{sql} WHERE id = :id", id=claim.job_id)[0]


def test_a_finished_job_is_nobodys(store, ref) -> None:
    claim = claim_sync_job(store, ref, job_of(store, ref))
    finish_sync_job(store, claim, JobStatus.COMPLETED, Usage())

    for late in (claim, replace(claim, fence=claim.fence + 1)):
        with pytest.raises(FenceLostError):
            renew_lease(store, late, Usage())
        with pytest.raises(FenceLostError):
            loader(store, late).load(batch("late"))
    assert written(store, ref) == ([], [])
    assert integration_row(store, ref).last_sync_at is not None


def test_an_error_that_arose_meanwhile_stays(store, ref) -> None:
    claim = claim_sync_job(store, ref, job_of(store, ref))
    run_sql(store, "UPDATE integrations.integration SET status = 'ERROR' WHERE id = :i", i=ref.id)

    finish_sync_job(store, claim, JobStatus.FAILED, Usage(), "broken")

    assert integration_row(store, ref).status == "ERROR"
    assert job_row(store, claim.job_id).error == "broken"
