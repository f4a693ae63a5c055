"""Integrations that are erased while their jobs wait, run or die: these end quietly."""

import pytest

from integrations_pipeline.errors import FenceLostError, RequestError
from integrations_pipeline.oauth import create_integration
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import (
    SyncRequest,
    create_sync_job,
    deaths,
    execute_sync_job,
    execution,
)
from integrations_pipeline.sync.cancelling import cancel_sync_job
from integrations_pipeline.sync.deaths import end_dead_jobs
from integrations_pipeline.sync.jobs import find_sync_job
from integrations_pipeline.sync.leases import claim_sync_job, finish_sync_job
from integrations_pipeline.sync.parking import park
from integrations_pipeline.transport.usage import Usage
from tests.conftest import connect
from tests.integration.support import run_sql

OWNERS = ("tenant", "integration")


@pytest.fixture
def ref(store, tenant_id):
    made = create_integration(store, tenant_id, "stripe", "s", client_id="c", client_secret="s")
    run_sql(store, "UPDATE integrations.integration SET status = 'ACTIVE' WHERE id = :i", i=made.id)
    return made


def erase(store, ref, what) -> None:
    key = ref.tenant_id if what == "tenant" else ref.id
    run_sql(store, f"DELETE FROM integrations.{what} WHERE id = :i", i=key)


@pytest.mark.parametrize("what", OWNERS)
def test_whoever_comes_later_finds_nothing_and_breaks_nothing(store, ref, what) -> None:
    claim = claim_sync_job(store, ref, create_sync_job(store, ref, SyncRequest()))
    erase(store, ref, what)

    assert park(store, claim, Usage(), seconds=60, reason="slow down") is None
    assert not finish_sync_job(store, claim, JobStatus.FAILED, Usage(), "the real error")
    with pytest.raises(RequestError, match="no sync job"):
        claim_sync_job(store, ref, claim.job_id)
    with pytest.raises(RequestError, match="no sync job"):
        cancel_sync_job(store, ref, claim.job_id, by="ada@example.com")


@pytest.mark.parametrize("what", OWNERS)
def test_a_run_ends_and_the_process_tells_why(store, sandbox, tenant_id, what, capsys) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    job_id = create_sync_job(store, ref, SyncRequest(resources=["products"]))

    def broken(_part) -> None:
        erase(store, ref, what)
        raise LookupError("broken")

    with pytest.raises(FenceLostError, match=f"{ref.key}: the sync job was ended"):
        execute_sync_job(store, ref, job_id, on_progress=broken)
    assert "Failed: LookupError." in capsys.readouterr().out


def test_a_failure_outside_the_resources_is_not_hidden(
    store, sandbox, tenant_id, monkeypatch
) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    job_id = create_sync_job(store, ref, SyncRequest(resources=["products"]))

    def broken(*_):
        erase(store, ref, "integration")
        raise LookupError("broken")

    monkeypatch.setattr(execution, "service_client", broken)

    with pytest.raises(LookupError, match="broken"):
        execute_sync_job(store, ref, job_id)


def test_a_dead_job_that_is_erased_at_that_moment_is_passed_over(store, ref, monkeypatch) -> None:
    claim = claim_sync_job(store, ref, create_sync_job(store, ref, SyncRequest()))
    run_sql(
        store,
        "UPDATE integrations.integration_sync_job SET lease_until = now() - interval '1 minute' "
        "WHERE id = :i",
        i=claim.job_id,
    )
    suspicion = deaths.is_dead

    def erased_next(session, job):
        found = suspicion(session, job)
        if job.id == claim.job_id:
            erase(store, ref, "integration")
        return found

    monkeypatch.setattr(deaths, "is_dead", erased_next)

    end_dead_jobs(store)

    assert find_sync_job(store, ref, claim.job_id) is None
