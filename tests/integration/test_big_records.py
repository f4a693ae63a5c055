"""Odd values, equal and late stamps, checkpoints that make no sense."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from sqlalchemy import text

from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import get_sync_logs
from tests.integration.big_source import FIRST, OVERLAP, once, reset, silent, trickling, truncated
from tests.integration.big_syncs import Big
from tests.integration.support import owner, run_sql

LARGE = "y" * 5 * 1024 * 1024
ODD = {
    FIRST + 0: rb'"name":"a\u0000b"',
    FIRST + 1: rb'"name":"\ud800"',
    FIRST + 2: rb'"amount":NaN',
    FIRST + 3: rb'"amount":1e400000',
    FIRST + 4: rb'"updated":"0000-00-00"',
    FIRST + 5: b'"name":"%s"' % LARGE.encode(),
    FIRST + 6: b'"amount":123456789012345678901234567890',
    FIRST + 7: b'"amount":-Infinity,"updated":1e30',
    FIRST + 8: b'"amount":{"x":[]},"name":["a"]',
    FIRST + 9: b'"name":"' + "\U0001f600\u2028\ufeff".encode() + b'"',
}


def columns(big: Big) -> dict[int, tuple]:
    sql = "SELECT id, name, amount, updated, raw FROM big.records WHERE integration_id = :id"
    with owner(big.store) as connection:
        rows = connection.execute(text(sql), {"id": big.ref.id}).all()
    return {int(row[0]): tuple(row[1:]) for row in rows}


@pytest.mark.parametrize("second", [False, True], ids=["staged", "direct"])
def test_odd_values_spoil_nothing(make_big, second) -> None:
    big = make_big(1_000, page=100)
    if second:
        assert big.sync().status is JobStatus.COMPLETED
        big.source.records |= dict.fromkeys(ODD, (2000000000000, 7))
    big.source.odd = {key: b'{"id":"%d",%s}' % (key, odd) for key, odd in ODD.items()}

    result = big.sync()

    assert result.status is JobStatus.COMPLETED, result.error
    found = columns(big)
    assert result.resources[0].counts.rejected == 0
    assert len(found) == 1_000
    assert found[FIRST][0] == "a\ufffdb"
    assert found[FIRST + 1][0] == "\ufffd"
    assert found[FIRST + 2][1] is found[FIRST + 3][1] is found[FIRST + 4][2] is None
    assert found[FIRST + 3][3]["amount"] == "1e400000"
    assert found[FIRST + 5][0] == LARGE
    assert [found[FIRST + n][1] for n in (6, 7, 8)] == [None] * 3
    assert found[FIRST + 9][0] == "\U0001f600\u2028\ufeff"


def test_a_thousand_records_on_the_boundary_second(make_big) -> None:
    big = make_big(1_000)
    assert big.sync().status is JobStatus.COMPLETED
    since = datetime.fromisoformat(big.checkpoint()[0]["since"])
    big.source.add(1_000, at=int(since.timestamp()))
    big.source.add(1_000, at=since.timestamp() - OVERLAP.total_seconds() + 1)

    for written in (2_000, 0):
        result = big.sync()
        assert result.status is JobStatus.COMPLETED, result.error
        assert result.resources[0].counts.created == written
        assert big.state() == big.source.digest()


def test_records_that_arrive_late_are_found(make_big) -> None:
    big = make_big(500)
    for _ in range(3):
        assert big.sync().status is JobStatus.COMPLETED
        since = datetime.fromisoformat(big.checkpoint()[0]["since"]).timestamp()
        big.source.add(100, at=since - OVERLAP.total_seconds() / 2)
    result = big.sync()

    assert result.resources[0].counts.created == 100
    assert big.state() == big.source.digest()


@pytest.mark.parametrize(
    "cursor",
    [
        {"since": (datetime.now(UTC) + timedelta(days=3650)).isoformat()},
        {"since": "the day before"},
        {"since": 1e300},
        {"position": {"time": 1e12}},
    ],
    ids=["future", "text", "endless", "position"],
)
def test_a_checkpoint_that_makes_no_sense_is_told_and_replaced(make_big, cursor) -> None:
    big = make_big(1_000)
    assert big.sync().status is JobStatus.COMPLETED
    sql = "UPDATE integrations.checkpoint SET cursor = CAST(:c AS jsonb) WHERE integration_id = :id"
    run_sql(big.store, sql, c=orjson.dumps(cursor).decode(), id=big.ref.id)
    big.source.add(10, at=datetime.now(UTC).timestamp() - 3600)

    result = big.sync()

    assert (result.status, result.resources[0].mode) == (JobStatus.COMPLETED, "full")
    told = [line.message for line in get_sync_logs(big.store, big.ref, result.job_id)]
    assert any("Reading everything instead" in line for line in told)
    big.source.add(10)
    assert big.sync().resources[0].mode == "incremental"
    assert big.state() == big.source.digest()


@pytest.mark.parametrize("fault", [silent, trickling, reset, truncated])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("path", ["/v1/records", "/search"])
def test_answers_that_do_not_end(make_big, fault, lasting, path) -> None:
    big = make_big(1_000, page=100)
    assert big.sync().status is JobStatus.COMPLETED
    before = (big.state(), big.checkpoint()[0])
    big.source.add(500)
    big.store.settings.request_timeout_seconds = 0.3  # of silence; five times as much in all
    big.store.settings.retry_seconds = 0.5 if lasting else 3.0
    big.source.fail(path, fault if lasting else once(fault), after=3)

    result = big.sync(sync_type="FULL_SYNC" if path == "/v1/records" else "MANUAL")

    assert result.seconds < 20
    if lasting:
        assert result.status is JobStatus.FAILED
        assert "did not answer" in result.error
        assert big.checkpoint()[0] == before[1]
        if path == "/v1/records":
            assert big.state() == before[0]
        else:
            assert (big.state()[0] - before[0][0]) % 100 == 0  # whole pages only
        big.source.faults.clear()
        result = big.sync()
    assert result.status is JobStatus.COMPLETED, result.error
    assert big.state() == big.source.digest()
