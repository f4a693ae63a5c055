"""Postgres crashes, is cut off, or its answer to a COMMIT is lost: the result is the same."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from random import Random

import pytest
from pydantic import SecretStr

from integrations_pipeline.settings import Settings
from integrations_pipeline.store import patience
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import get_sync_job_history
from tests.integration.big_syncs import Big, big, open_big, small_batches
from tests.integration.own_postgres import Wire, own_postgres
from tests.integration.vault_kills import told
from tests.integration.waiting import wait_for

COUNTS = [
    pytest.param(10_000, 3, id="10k-3"),
    pytest.param(100_000, 20, id="100k-20", marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
]


@pytest.fixture(scope="module")
def own():
    """A server that may be crashed, and its folder."""
    with own_postgres() as made:
        yield made


@pytest.fixture
def wire(own):
    """A way to it that may be cut."""
    made = Wire(own[0].url)
    yield made
    made.close()


@pytest.fixture(params=[True, False], ids=["quick", "staged"])
def make(request, own, wire, tmp_path, monkeypatch):
    """Makes sources whose integration is synced over the wire."""
    small_batches(monkeypatch.setattr, quick=request.param)
    settings = Settings(home=own[1])
    settings.database_url = SecretStr(wire.url.render_as_string(hide_password=False))
    base = open_big(settings)
    with ExitStack() as stack:
        yield lambda count: big(base, own[1], tmp_path, stack, count)
    base.close()


def prepare(made: Big, number: int) -> dict[str, str]:
    """Bring it to where a full or an incremental sync begins; what to ask for."""
    rng = Random(number)
    if number % 3 == 0:
        made.forget()
        return {}
    if made.checkpoint()[0] is None:
        assert made.sync().status is JobStatus.COMPLETED
    made.source.change(rng.uniform(0.05, 0.2), rng)
    made.source.delete(rng.sample(sorted(made.source.records), 20), told=number % 3 == 2)
    return {"sync_type": "FULL_SYNC" if number % 3 == 1 else "MANUAL"}


def lose_commit(made: Big, wire: Wire, said: bytes) -> None:
    """See `Wire.lose_commit_after`; on new connections, which have not prepared what is said."""
    made.store.engine.dispose()
    wire.lose_commit_after(said)


def synced_through(made: Big, trouble, requests: int, asked: dict[str, str]):
    """The result of a sync during which there is trouble after so many requests."""
    before = made.source.count()
    with ThreadPoolExecutor(1) as pool:
        syncing = pool.submit(made.sync, **asked)
        wait_for(lambda: made.source.count() - before >= requests or syncing.done())
        assert not syncing.done()
        trouble()
        return syncing.result()


@pytest.mark.parametrize(("records", "crashes"), COUNTS)
def test_crashes_of_the_database_change_nothing(
    own, make, record_property, records, crashes
) -> None:
    made, again = make(records), 0
    made.source.latency = 0.02
    for number in range(crashes):
        asked, rng = prepare(made, number), Random(number)
        pages = 2 if number % 3 == 2 else records // 1000
        before = made.source.count("/v1/records")

        result = synced_through(made, own[0].crash, rng.randint(1, pages), asked)

        assert result.status is JobStatus.COMPLETED, result.error
        assert made.state() == made.source.digest(), (number, asked)
        assert (made.staged(), made.checkpoint()[1]) == (0, None)
        again += made.source.count("/v1/records") - before > records // 1000 + 2
    told(record_property, crashes=crashes, begun_again=again)


@pytest.mark.parametrize("make", [False], indirect=True, ids=["staged"])
@pytest.mark.parametrize("number", [1, *(pytest.param(n, marks=pytest.mark.soak) for n in (0, 2))])
def test_a_cut_of_three_seconds_is_sat_out(make, wire, number) -> None:
    made = make(10_000)
    made.source.latency = 0.02
    asked = prepare(made, number)

    def cut() -> None:
        wire.cut()
        threading.Timer(3, wire.mend).start()

    result = synced_through(made, cut, 2, asked)

    assert result.status is JobStatus.COMPLETED, result.error
    assert result.seconds > 2
    assert made.state() == made.source.digest()
    assert made.staged() == 0


@pytest.mark.parametrize("make", [False], indirect=True, ids=["staged"])
def test_a_cut_for_good_ends_the_job(make, wire, monkeypatch) -> None:
    monkeypatch.setattr(patience.patiently, "__defaults__", (0.5,))
    made = make(10_000)
    made.source.latency = 0.05

    with pytest.raises(Exception, match=r"refused|closed|lost|server"):
        synced_through(made, wire.cut, 7, {})

    wire.mend()
    before = made.source.count("/v1/records")
    result = made.sync()  # as soon as the lease of the first one has ended
    assert result.status is JobStatus.COMPLETED, result.error
    assert made.state() == made.source.digest()
    assert made.source.count("/v1/records") - before < 10
    first = get_sync_job_history(made.store, made.ref)[-1]
    assert (first["status"], "stopped reporting" in first["error"]) == ("FAILED", True)


@pytest.mark.parametrize(
    "said", ["INSERT INTO integrations.staged_batch", "INSERT INTO integrations.checkpoint"]
)
@pytest.mark.parametrize("number", [0, 1])
def test_a_full_read_is_staged_and_shown_once(make, wire, said, number) -> None:
    made = make(5_000)
    asked = prepare(made, number)
    before = made.source.count("/v1/records")
    lose_commit(made, wire, said.encode())

    result = made.sync(**asked)

    assert (result.status, wire.lost) == (JobStatus.COMPLETED, 1), result.error
    assert made.state() == made.source.digest()
    row = made.job_row(result.job_id)
    assert row.processed == result.resources[0].counts.processed
    assert (row.processed, row.pages) == (len(made.source.records), 6)
    assert made.source.count("/v1/records") - before == 5


@pytest.mark.parametrize("said", ["UPDATE big.records", "DELETE FROM integrations.staged_batch"])
def test_what_was_shown_is_not_read_again(make, wire, said) -> None:
    made = make(5_000)
    made.sync()
    made.source.delete(sorted(made.source.records)[:30], told=False)
    made.source.change(0.1, Random(1))
    before = made.source.count("/v1/records")
    threading.Thread(
        target=lambda: (
            wait_for(lambda: made.source.count("/v1/archived") > 1),
            lose_commit(made, wire, said.encode()),
        )
    ).start()
    made.source.latency = 0.05

    result = made.sync(sync_type="FULL_SYNC")

    assert (result.status, wire.lost) == (JobStatus.COMPLETED, 1), result.error
    assert made.state() == made.source.digest()
    assert result.resources[0].counts.deleted == 30
    assert made.job_row(result.job_id).deleted == 30
    assert made.source.count("/v1/records") - before == 5


def test_a_batch_is_loaded_and_counted_once(make, wire) -> None:
    made = make(3_000)
    made.sync()
    made.source.change(0.5, Random(1))
    lose_commit(made, wire, b"INSERT INTO big.records")

    result = made.sync()

    assert (result.status, wire.lost) == (JobStatus.COMPLETED, 1), result.error
    row = made.job_row(result.job_id)
    assert (row.processed, row.updated, row.created) == (1500, 1500, 0)
    assert made.state() == made.source.digest()
