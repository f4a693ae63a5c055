"""Two runs of one integration: the one that was declared dead writes nothing more."""

import signal
from random import Random

import pytest
from sqlalchemy import text

from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync.deaths import end_dead_jobs
from tests.integration.big_syncs import Big
from tests.integration.support import owner
from tests.integration.waiting import wait_for

ROWS = """
    SELECT md5(string_agg(concat_ws(' ', id, xmin, synced_at, job_id), ',' ORDER BY id))
    FROM big.records WHERE integration_id = :id
"""


def written(big: Big) -> str:
    """Changes with every write, whatever it writes."""
    with owner(big.store) as connection:
        return str(connection.scalar(text(ROWS), {"id": big.ref.id}))


# a run that is stopped while it holds the job's row is known to be dead 20 s later
SLOW = [pytest.param(kind, marks=pytest.mark.soak) for kind in ("first", "full")]


@pytest.mark.parametrize("kind", [*SLOW, "incremental"])
def test_a_run_that_was_stopped_and_replaced_writes_nothing(make_big, kind) -> None:
    big = make_big(6_000, page=100)
    if kind != "first":
        assert big.sync().status is JobStatus.COMPLETED
        big.source.change(1, Random(1))
    asked = {"sync_type": "FULL_SYNC"} if kind == "full" else {}
    big.source.latency = 0.03
    before = big.source.count()
    first = big.job(**asked)
    run = big.start(first, quick=False)
    wait_for(lambda: big.source.count() - before >= 30)
    run.send_signal(signal.SIGSTOP)
    wait_for(lambda: end_dead_jobs(big.store) == 1, 60, "the stopped run is declared dead")
    big.source.latency = 0.0
    result = big.sync(**asked)
    after = (written(big), big.checkpoint(), big.staged(), big.job_row(first))

    run.send_signal(signal.SIGCONT)

    assert "FenceLostError" in run.result()
    assert result.status is JobStatus.COMPLETED, result.error
    assert big.state() == big.source.digest()
    assert (written(big), big.checkpoint(), big.staged(), big.job_row(first)) == after
    assert (after[3].status, after[2]) == ("FAILED", 0)


def test_two_runs_of_one_job(make_big) -> None:
    big = make_big(3_000, page=100)
    big.source.latency = 0.02
    job_id = big.job()

    runs = [big.start(job_id) for _ in range(3)]
    results = sorted(run.result() for run in runs)

    assert results[0] == "COMPLETED"
    assert all("ConflictError" in one for one in results[1:])
    assert big.source.count("/v1/records") == 30
    assert big.state() == big.source.digest()
