"""The database goes away for moments: what a job does is done all the same, and once."""

import threading
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from integrations_pipeline.oauth import create_integration
from integrations_pipeline.oauth.clients import service_client
from integrations_pipeline.store.patience import patiently
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import (
    SyncRequest,
    create_sync_job,
    execute_sync_job,
    get_sync_job_history,
    get_sync_logs,
    log_sync,
)
from integrations_pipeline.sync.leases import claim_sync_job, finish_sync_job, kept_alive
from integrations_pipeline.transport.usage import Usage
from tests.conftest import connect, point_at
from tests.e2e.test_kill import digest, digest_here, live
from tests.integration.support import owner, run_sql
from tests.integration.waiting import wait_for

TERMINATE = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def cut_all(store) -> int:
    """End every connection to the database but this one; returns how many."""
    with owner(store) as connection:
        return connection.execute(text(TERMINATE)).scalar_one()


@contextmanager
def cut_again_and_again(store, pause: float):
    """Every connection of the database ends several times a second, however busy."""
    done, cuts = threading.Event(), []

    def cut() -> None:
        while not done.wait(pause):
            cuts.append(cut_all(store))

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        yield cuts
    finally:
        done.set()
        thread.join()


@pytest.fixture
def ref(store, tenant_id):
    made = create_integration(store, tenant_id, "stripe", "s", client_id="c", client_secret="s")
    run_sql(store, "UPDATE integrations.integration SET status = 'ACTIVE' WHERE id = :i", i=made.id)
    return made


def test_a_transaction_that_was_cut_off_is_done_again(store, tenant_id) -> None:
    tries = []

    def work() -> str:
        with store.tenant(tenant_id) as session:
            tries.append(session.scalar(text("SELECT pg_backend_pid()")))
            if len(tries) < 3:
                cut_all(store)
            return str(session.scalar(text("SELECT 'done'")))

    assert patiently(work) == "done"
    assert len(set(tries)) == 3


def test_a_job_is_claimed_told_and_finished_although_connections_end(store, ref) -> None:
    job_id = create_sync_job(store, ref, SyncRequest(resources=["customers"]))

    for _ in range(3):  # the pool's own connections are dead each time
        cut_all(store)
        log_sync(store, ref, job_id, "INFO", "still here")
    cut_all(store)
    claim = claim_sync_job(store, ref, job_id)
    cut_all(store)
    finish_sync_job(store, claim, JobStatus.COMPLETED, Usage())

    assert get_sync_job_history(store, ref)[0]["status"] == "COMPLETED"
    assert len(get_sync_logs(store, ref, job_id)) == 3


def test_the_lease_is_kept_through_an_outage(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    claim = claim_sync_job(store, ref, create_sync_job(store, ref, SyncRequest()))
    client = service_client(store, ref)
    sql = text("SELECT lease_until FROM integrations.integration_sync_job WHERE id = :id")

    def lease():
        def read():
            with store.tenant(tenant_id) as session:
                return session.scalar(sql, {"id": claim.job_id})

        return patiently(read)

    before = lease()
    with kept_alive(store, claim, client), cut_again_and_again(store, 0.3) as cuts:
        wait_for(lambda: len(cuts) > 5 and lease() > before)
        assert not client.stop.is_set()


@pytest.mark.parametrize("service", ["stripe", "hubspot"])
def test_a_sync_survives_connections_that_end(
    store, make_sandbox, tenant_id, tmp_path, service
) -> None:
    resource = {"stripe": "customers", "hubspot": "contacts"}[service]
    sandbox = point_at(store, make_sandbox(records=2000), tmp_path)
    ref = connect(store, sandbox, tenant_id, service)
    sandbox.fault(service, "slow", count=1000, seconds=0.2)
    job_id = create_sync_job(store, ref, SyncRequest(resources=[resource]))

    with cut_again_and_again(store, 0.4) as cuts:
        result = execute_sync_job(store, ref, job_id)

    assert len(cuts) > 2
    assert result.status is JobStatus.COMPLETED, result.error
    assert digest_here(store, ref, resource) == digest(live(sandbox, ref, resource), ref)
