"""`kill -9` at random points of large syncs: nothing is lost, doubled or half shown."""

import time
from dataclasses import dataclass
from datetime import datetime
from random import Random
from uuid import UUID

import pytest

from integrations_pipeline.store.states import JobStatus
from tests.integration.big_syncs import Big
from tests.integration.vault_kills import told
from tests.integration.waiting import wait_for

PAGE = 1000
KINDS = {"first": "MANUAL", "full": "FULL_SYNC", "incremental": "MANUAL"}
"""Ways to read, with the type of sync that leads to them."""
SOAK = [pytest.mark.soak, pytest.mark.timeout(900)]
COUNTS = [
    pytest.param(20_000, 2, id="20k-2"),
    pytest.param(100_000, 17, id="100k-17", marks=SOAK),
]


@dataclass
class Kill:
    """What is read, where the process is killed, and how it went on."""

    kind: str
    quick: bool
    late: bool
    """After all pages were sent: while they are merged or shown."""
    requests: int = 0
    seconds: float = 0.0
    had_ended: bool = False
    resumed: bool = False
    asked_again: int = 0


def prepare(big: Big, kind: str, rng: Random) -> None:
    """Bring the integration to where a sync of this kind begins, and the source further."""
    if kind == "first":
        big.forget()
        return
    if big.checkpoint()[0] is None:
        assert big.sync().status is JobStatus.COMPLETED
    big.source.change(rng.uniform(0.01, 0.2), rng)
    big.source.delete(rng.sample(sorted(big.source.records), 50), told=kind == "incremental")
    big.source.add(50)


def killed(big: Big, job_id: UUID, kill: Kill) -> None:
    """Let a job run up to the point, and kill it there."""
    run = big.start(job_id, quick=kill.quick)
    before = big.source.count()
    wait_for(
        lambda: big.source.count() - before >= kill.requests or not run.is_alive,
        what=f"{kill.requests} requests",
    )
    time.sleep(kill.seconds)  # the point is random, not waited for
    run.kill()
    kill.had_ended = big.job_row(job_id).status == "COMPLETED"


def point(big: Big, kind: str, number: int, rng: Random) -> Kill:
    """A random point of the read that comes."""
    quick, late = number % 4 > 1, number % 2 == 1
    records = len(big.source.records)
    if kind == "incremental":
        since = datetime.fromisoformat(big.checkpoint()[0]["since"]).timestamp() - 10
        records = sum(at >= since * 1000 for at, _ in big.source.records.values())
    pages = -(-records // PAGE) + 1  # the deleted ones come last
    if late:
        return Kill(kind, quick, late, pages, rng.uniform(0, records * 4e-6))
    return Kill(kind, quick, late, rng.randint(1, pages), rng.uniform(0, 0.05))


def check_while_dead(big: Big, kind: str, old, cursor) -> None:
    """Readers see no half of a full read, and a checkpoint is no further than the rows."""
    found, new = big.state(), big.source.digest()
    if kind != "incremental":
        assert found in (old, new)
    if big.checkpoint()[0] != cursor:
        assert found == new


def pages_left(big: Big) -> int | None:
    """Pages that a full read has still to ask for; None where it would begin anew."""
    progress = big.checkpoint()[1] or {}
    if "position" not in progress or big.staged() != progress["staged"]:
        return None
    last = int(progress["position"]["last_id"])
    return max(1, -(-sum(key > last for key in big.source.records) // PAGE))


def carry_on(big: Big, kill: Kill, job_id: UUID) -> None:
    """The next sync ends what the one that was killed had begun."""
    left = pages_left(big) if kill.kind != "incremental" else None
    before = big.source.count("/v1/records")
    result = big.sync(sync_type=KINDS[kill.kind])
    kill.asked_again = big.source.count("/v1/records") - before
    assert result.status is JobStatus.COMPLETED, result.error
    assert big.state() == big.source.digest(), kill
    assert (big.staged(), big.checkpoint()[1]) == (0, None)
    if left is not None:
        kill.resumed = True
        assert kill.asked_again <= left, kill
    row = big.job_row(job_id)
    assert kill.had_ended or (row.status == "FAILED" and "stopped reporting" in row.error)


@pytest.mark.parametrize(("records", "kills"), COUNTS)
@pytest.mark.parametrize("kind", KINDS)
def test_kills_lose_double_and_half_show_nothing(
    make_big, record_property, kind, records, kills
) -> None:
    big, done = make_big(records), []
    for number in range(2 * kills):
        rng = Random(f"{kind} {number}")
        prepare(big, kind, rng)
        old, cursor = big.state(), big.checkpoint()[0]
        kill = point(big, kind, number, rng)
        job_id = big.job(sync_type=KINDS[kind])

        killed(big, job_id, kill)

        check_while_dead(big, kind, old, cursor)
        carry_on(big, kill, job_id)
        done += [kill] * (not kill.had_ended)
        if len(done) == kills:
            break
    told(
        record_property,
        kills=len(done),
        late=sum(kill.late for kill in done),
        resumed=sum(kill.resumed for kill in done),
        requests=f"{sum(k.asked_again for k in done)} instead of {len(done) * records // PAGE}",
    )
    assert len(done) == kills
    assert any(kill.resumed for kill in done) or kind == "incremental"
