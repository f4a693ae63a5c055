"""Rolling windows, on a clock that only waiting moves."""

import gc
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations_pipeline.connectors.access import Quota
from integrations_pipeline.transport import pacing
from integrations_pipeline.transport.pacing import Pacer, pacer_of


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pacing, "time", clock)
    return clock


def test_requests_within_the_quota_do_not_wait(clock) -> None:
    pacer = Pacer([Quota(5, 1.0)])

    for _ in range(5):
        pacer.admit("/x", clock.wait)

    assert clock.waits == []


def test_the_next_one_waits_for_the_oldest(clock) -> None:
    pacer = Pacer([Quota(2, 10.0)])
    for pause in (0, 4, 0):
        clock.now += pause
        pacer.admit("/x", clock.wait)

    assert clock.waits == pytest.approx([6.0])


def test_a_quota_is_kept_in_every_window(clock) -> None:
    pacer, sent = Pacer([Quota(7, 1.5)]), []
    for number in range(100):
        clock.now += 0.01 * (number % 13)
        pacer.admit("/x", clock.wait)
        sent.append(clock.now)

    for first, eighth in zip(sent, sent[7:], strict=False):
        assert eighth - first >= 1.5 - 1e-6


@given(
    quota=st.integers(1, 6),
    seconds=st.floats(0.1, 60),
    pauses=st.lists(st.floats(0, 30), min_size=1, max_size=40),
)
def test_waiting_is_neither_too_short_nor_too_long(quota, seconds, pauses) -> None:
    clock, sent = Clock(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pacing, "time", clock)
        pacer = Pacer([Quota(quota, seconds)])
        for pause in pauses:
            clock.now += pause
            pacer.admit("/x", clock.wait)
            sent.append(clock.now)

    assert all(
        later - one >= seconds - 1e-6 for one, later in zip(sent, sent[quota:], strict=False)
    )
    assert all(wait <= seconds + 1e-6 for wait in clock.waits)


def test_the_first_quota_that_matches_counts(clock) -> None:
    pacer = Pacer([Quota(1, 60.0, "/search"), Quota(3, 60.0)])

    pacer.admit("/crm/search", clock.wait)
    for _ in range(3):
        pacer.admit("/crm/contacts", clock.wait)

    assert clock.waits == []
    pacer.admit("/crm/search", clock.wait)
    assert clock.waits == pytest.approx([60.0])


def test_no_quota_no_wait(clock) -> None:
    pacer = Pacer([Quota(1, 60.0, "/search")])

    for _ in range(100):
        pacer.admit("/other", clock.wait)

    assert clock.waits == []


def test_a_wait_that_is_broken_off_books_nothing(clock) -> None:
    pacer = Pacer([Quota(1, 10.0)])
    pacer.admit("/x", clock.wait)

    def stopped(seconds: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        pacer.admit("/x", stopped)
    clock.now += 10
    pacer.admit("/x", clock.wait)
    assert clock.waits == []


def test_threads_share_the_quota(clock) -> None:
    pacer, waited = Pacer([Quota(10, 60.0)]), []

    class Waited(Exception):  # noqa: N818
        """Ends a thread that would have to wait."""

    def refuse(seconds: float) -> None:
        waited.append(seconds)
        raise Waited

    def send() -> None:
        for _ in range(5):
            try:
                pacer.admit("/x", refuse)
            except Waited:
                return

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # eight threads wanted forty requests; ten fit, so at least six threads met the limit
    assert len(waited) >= 6


def test_jobs_of_an_account_share_a_pacer() -> None:
    one, same = pacer_of("account-1", [Quota(1, 1.0)]), pacer_of("account-1", [Quota(1, 1.0)])

    assert one is same
    assert pacer_of("account-2", [Quota(1, 1.0)]) is not one


def test_long_unused_pacers_are_forgotten() -> None:
    pacer_of("first", [])
    for number in range(1000):
        pacer_of(f"other-{number}", [])
    gc.collect()

    assert "first" not in pacing._pacers
    assert "other-999" in pacing._pacers
