"""What others see of a full read: the old records or the new ones, never a half."""

import threading
import time
from random import Random

import pytest
from sqlalchemy import text

from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import get_sync_job_history
from tests.integration.big_source import refusing
from tests.integration.big_syncs import Big
from tests.integration.support import owner

POLL_SECONDS = 0.05
STATE = """
    SELECT count(*), COALESCE(sum(amount), 0), (SELECT cursor->>'since' FROM integrations.checkpoint
        WHERE integration_id = :id) FROM big.records
    WHERE integration_id = :id AND deleted_at IS NULL
"""
COUNTS = [20_000, pytest.param(100_000, marks=pytest.mark.soak)]


class Readers:
    """Look every 50 ms, as the database's owner and as the application."""

    def __init__(self, big: Big) -> None:
        self.seen: list[tuple] = []
        self._big = big
        self._done = threading.Event()
        self._threads = [threading.Thread(target=look) for look in (self._owner, self._application)]

    def __enter__(self) -> "Readers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _owner(self) -> None:
        with owner(self._big.store) as connection:
            connection.exec_driver_sql("COMMIT")
            while not self._done.wait(POLL_SECONDS):
                self._note(connection)
                connection.exec_driver_sql("COMMIT")

    def _application(self) -> None:
        while not self._done.wait(POLL_SECONDS):
            with self._big.store.tenant(self._big.ref.tenant_id) as session:
                self._note(session)

    def _note(self, database) -> None:
        found = tuple(database.execute(text(STATE), {"id": self._big.ref.id}).one())
        self.seen.append((found[0], int(found[1]), found[2]))


def expected(big: Big) -> tuple[int, int]:
    """The count and the sum that readers see once the source is read."""
    records = big.source.records.values()
    return len(records), sum(amount for _, amount in records)


@pytest.mark.parametrize("count", COUNTS)
def test_readers_see_the_old_or_the_new(make_big, count) -> None:
    big, rng = make_big(count), Random(count)
    states = [(0, 0), expected(big)]
    with Readers(big) as first:
        assert big.sync().status is JobStatus.COMPLETED
    cursor = big.checkpoint()[0]["since"]
    assert {found[:2] for found in first.seen} <= set(states)
    assert {found for found in first.seen if found[2]} <= {(*states[1], cursor)}
    big.source.change(0.3, rng)
    big.source.delete(rng.sample(sorted(big.source.records), count // 5), told=False)
    big.source.add(count // 10)
    states = [states[1], expected(big)]

    with Readers(big) as second:
        result = big.sync(sync_type="FULL_SYNC")

    after = big.checkpoint()[0]["since"]
    assert result.status is JobStatus.COMPLETED, result.error
    assert set(second.seen) <= {(*states[0], cursor), (*states[1], after)}
    assert len(second.seen) > 10
    assert big.state() == big.source.digest()


@pytest.mark.parametrize("first", [True, False], ids=["first", "second"])
@pytest.mark.parametrize("status", ["500 Error", "403 Forbidden", "404 Not Found"])
def test_a_full_read_that_fails_at_its_end_changes_nothing(make_big, first, status) -> None:
    big, rng = make_big(3000, page=100), Random(1)
    if not first:
        assert big.sync().status is JobStatus.COMPLETED
        big.source.change(0.5, rng)
        big.source.delete(rng.sample(sorted(big.source.records), 500), told=False)
    before = (big.state(), big.checkpoint()[0])
    big.store.settings.retry_seconds = 0.1
    big.source.fail("/v1/records", refusing(status), after=24)

    with Readers(big) as readers:
        result = big.sync(sync_type="FULL_SYNC")

    assert result.status is JobStatus.FAILED
    assert {found[0] for found in readers.seen} <= {before[0][0]}
    assert (big.state(), big.checkpoint()[0]) == before
    assert get_sync_job_history(big.store, big.ref)[0]["status"] == "FAILED"
    big.source.faults.clear()
    assert big.sync(sync_type="FULL_SYNC").status is JobStatus.COMPLETED
    assert big.state() == big.source.digest()


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found"])
def test_a_listing_that_is_refused_means_no_deletion(make_big, status) -> None:
    big = make_big(500)
    assert big.sync().status is JobStatus.COMPLETED
    before = (big.state(), big.checkpoint())
    for path in ("/v1/records", "/search"):
        big.source.fail(path, refusing(status))

    for kind in ("FULL_SYNC", "MANUAL"):
        result = big.sync(sync_type=kind)
        assert result.status is JobStatus.FAILED
        assert (big.state(), big.checkpoint()[0]) == (before[0], before[1][0])


def test_a_stop_in_the_middle_of_an_incremental_read_keeps_the_checkpoint(make_big) -> None:
    big = make_big(4000, page=100)
    assert big.sync().status is JobStatus.COMPLETED
    cursor = big.checkpoint()[0]
    big.source.change(0.5, Random(1))
    big.store.settings.retry_seconds = 0.1
    big.source.fail("/search", refusing("503 Busy"), after=15)

    result = big.sync()

    assert (result.status, big.checkpoint()[0]) == (JobStatus.FAILED, cursor)
    big.source.faults.clear()
    assert big.sync().status is JobStatus.COMPLETED
    assert big.state() == big.source.digest()


def test_checkpoints_are_never_ahead_of_the_rows(make_big) -> None:
    """While the source goes on changing, what changed before a read began is in with its end."""
    big, rng = make_big(5000), Random(7)
    assert big.sync().status is JobStatus.COMPLETED
    for _ in range(5):
        big.source.change(0.1, rng)
        changed, rows = big.source.digest(), expected(big)
        before = big.checkpoint()[0]["since"]
        with Readers(big) as readers:
            assert big.sync().status is JobStatus.COMPLETED
            time.sleep(2 * POLL_SECONDS)
        moved = [found for found in readers.seen if found[2] != before]
        assert moved
        assert {found[:2] for found in moved} == {rows}
        assert big.state() == changed
