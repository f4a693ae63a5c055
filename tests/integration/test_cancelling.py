"""Cancelling: what waits never begins, what runs stops within seconds and keeps what it has."""

import threading
import time
from uuid import uuid4

import pytest

from integrations_pipeline.errors import ConflictError, FenceLostError, RequestError
from integrations_pipeline.oauth import create_integration
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import (
    SyncRequest,
    create_sync_job,
    execute_sync_job,
    get_sync_job_history,
    get_sync_logs,
)
from integrations_pipeline.sync.cancelling import cancel_sync_job, open_jobs, retry_sync_job
from integrations_pipeline.sync.jobs import find_sync_job, request_of
from integrations_pipeline.sync.launching import take_launches
from integrations_pipeline.sync.leases import check_held, claim_sync_job, finish_sync_job
from integrations_pipeline.transport.usage import Usage
from tests.conftest import connect, point_at, sync
from tests.integration.support import integration_row, run_sql
from tests.integration.test_sync_with_sandbox import rows
from tests.integration.waiting import wait_for

SILENCE = 30.0
BY = "ada@example.com"


@pytest.fixture
def ref(store, tenant_id):
    made = create_integration(store, tenant_id, "stripe", "s", client_id="c", client_secret="s")
    run_sql(store, "UPDATE integrations.integration SET status = 'ACTIVE' WHERE id = :i", i=made.id)
    return made


class Running:
    """A sync in a thread of its own."""

    def __init__(self, store, ref, **request) -> None:
        self.job_id = create_sync_job(store, ref, SyncRequest(**request))
        self.result, self.error = None, None
        self._store, self._ref = store, ref
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.result = execute_sync_job(self._store, self._ref, self.job_id)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error


def job_of(store, ref, job_id):
    return next(job for job in get_sync_job_history(store, ref) if job["id"] == str(job_id))


def is_done(store, ref, job_id, resource) -> bool:
    return job_of(store, ref, job_id)["resources"][resource]["status"] == "COMPLETED"


def test_a_job_that_waits_never_begins(store, ref) -> None:
    job_id = create_sync_job(store, ref, SyncRequest(resources=["customers"]))

    cancel_sync_job(store, ref, job_id, by=BY)

    job = job_of(store, ref, job_id)
    assert (job["status"], job["resources"]["customers"]["status"]) == ("CANCELLED", "CANCELLED")
    assert f"cancelled by {BY}" in job["error"]
    assert job["finished_at"] is not None
    with pytest.raises(ConflictError, match="CANCELLED"):
        claim_sync_job(store, ref, job_id)
    assert job_id not in [one.job_id for one in take_launches(store, job_id=job_id)]
    assert integration_row(store, ref).status == "ACTIVE"
    assert [line.message for line in get_sync_logs(store, ref, job_id)] == [job["error"]]


def test_a_run_stops_soon_although_its_service_is_silent(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    sandbox.fault("stripe", "slow", count=1000, seconds=SILENCE, path="/customers")
    running = Running(store, ref, resources=["customers", "products"])
    wait_for(lambda: is_done(store, ref, running.job_id, "products"))
    began = time.monotonic()

    cancel_sync_job(store, ref, running.job_id, by=BY)
    freed = integration_row(store, ref).status
    running.thread.join(timeout=SILENCE / 2)

    assert time.monotonic() - began < SILENCE / 5
    assert running.error is None
    assert running.result.status is JobStatus.CANCELLED
    assert f"cancelled by {BY}" in running.result.error
    assert freed == "ACTIVE"
    job = job_of(store, ref, running.job_id)
    statuses = {name: part["status"] for name, part in job["resources"].items()}
    assert statuses == {"customers": "CANCELLED", "products": "COMPLETED"}
    assert len(rows(store, ref, "products")) == sandbox.counts("stripe")["products"]
    sandbox.send("DELETE", "/sandbox/stripe/faults")
    assert sync(store, ref, resources=["customers"]).status is JobStatus.COMPLETED
    assert job_of(store, ref, running.job_id) == job  # its last words changed nothing


def test_what_was_read_before_is_not_read_again(store, make_sandbox, tenant_id, tmp_path) -> None:
    sandbox = point_at(store, make_sandbox(records=1500), tmp_path)
    ref = connect(store, sandbox, tenant_id, "stripe")
    sandbox.fault("stripe", "slow", count=1000, seconds=0.3, path="/customers")
    running = Running(store, ref, resources=["customers"])
    wait_for(lambda: job_of(store, ref, running.job_id)["processed"] >= 500)

    cancel_sync_job(store, ref, running.job_id, by=BY)
    running.thread.join()
    kept = job_of(store, ref, running.job_id)["processed"]
    sandbox.send("DELETE", "/sandbox/stripe/faults")
    again = sync(store, ref, resources=["customers"])

    assert again.status is JobStatus.COMPLETED, again.error
    assert again.resources[0].counts.processed <= 1500 - kept
    assert len(rows(store, ref, "customers")) == sandbox.counts("stripe")["customers"]


def test_a_run_that_has_not_noticed_can_neither_go_on_nor_finish(store, ref) -> None:
    claim = claim_sync_job(store, ref, create_sync_job(store, ref, SyncRequest()))

    cancel_sync_job(store, ref, claim.job_id, by=BY)

    with pytest.raises(FenceLostError):
        check_held(store, claim)
    finish_sync_job(store, claim, JobStatus.COMPLETED, Usage())
    assert job_of(store, ref, claim.job_id)["status"] == "CANCELLED"
    assert integration_row(store, ref).last_sync_at is None
    assert claim_sync_job(store, ref, create_sync_job(store, ref, SyncRequest())).fence == 1


def test_a_job_cancelled_at_the_last_moment_is_told_as_cancelled(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    job_id = create_sync_job(store, ref, SyncRequest(resources=["products"]))

    def cancel(_part) -> None:
        if not open_jobs(store, ref):
            return
        cancel_sync_job(store, ref, job_id, by=BY)

    result = execute_sync_job(store, ref, job_id, on_progress=cancel)

    assert (result.status, job_of(store, ref, job_id)["status"]) == ("CANCELLED", "CANCELLED")
    assert f"cancelled by {BY}" in result.error


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_what_has_ended_is_not_cancelled(store, ref, status) -> None:
    claim = claim_sync_job(store, ref, create_sync_job(store, ref, SyncRequest()))
    finish_sync_job(store, claim, JobStatus(status), Usage(), "its own end")

    with pytest.raises(ConflictError, match=f"{ref.key}.*{status}"):
        cancel_sync_job(store, ref, claim.job_id, by=BY)
    assert job_of(store, ref, claim.job_id)["error"] == "its own end"


def test_a_job_of_a_sister_is_unknown(store, ref, tenant_id) -> None:
    made = {"client_id": "c", "client_secret": "s"}
    sister = create_integration(store, tenant_id, "stripe", "t", **made)
    job_id = create_sync_job(store, sister, SyncRequest())

    for unknown in (job_id, uuid4()):
        with pytest.raises(RequestError, match="no sync job"):
            cancel_sync_job(store, ref, unknown, by=BY)
        with pytest.raises(RequestError, match="no sync job"):
            retry_sync_job(store, ref, unknown, by=BY)
    assert open_jobs(store, sister) == [job_id]
    assert open_jobs(store, ref) == []


def test_a_retry_asks_for_the_same(store, ref) -> None:
    asked = SyncRequest(
        sync_type="SELECTIVE", resources=("customers",), ids=("cus_1",), fields=("name",)
    )
    job_id = create_sync_job(store, ref, asked)
    with pytest.raises(ConflictError, match="PENDING"):
        retry_sync_job(store, ref, job_id, by=BY)
    cancel_sync_job(store, ref, job_id, by=BY)

    again = request_of(find_sync_job(store, ref, retry_sync_job(store, ref, job_id, by=BY)))

    assert (again.sync_type, again.resources, again.ids, again.fields) == (
        asked.sync_type,
        asked.resources,
        asked.ids,
        asked.fields,
    )
    assert (again.trigger, again.requested_by) == ("manual", BY)
