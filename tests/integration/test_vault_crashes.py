"""The vault when processes die or stand still in the middle of a refresh."""

import random
import signal
import threading
import time
from collections import Counter

import pytest

from integrations_pipeline.oauth import claims
from tests.integration.support import expire, integration_row, token_row
from tests.integration.token_server import Reuse, running_server
from tests.integration.vault_kills import (
    BAR,
    MARK,
    OF_SERVER,
    OF_WORKER,
    SPENT,
    assert_no_loop,
    care_until_resolved,
    kill_after,
    kill_at_points,
    outcome,
    prepare,
    told,
)
from tests.integration.vault_oddities import lower_mark
from tests.integration.vault_workers import (
    allow_loopback,
    ask,
    connect_custom,
    is_usable,
    place,
    workers,
)
from tests.integration.waiting import wait_for


@pytest.fixture
def server(store, tmp_path):
    """A scripted OAuth server that custom integrations may use."""
    allow_loopback(store, tmp_path)
    with running_server() as running:
        yield running


@pytest.mark.parametrize("reuse", [Reuse.REVOKE, Reuse.GRACE])
def test_after_a_kill_at_any_point_the_connection_is_well_or_a_person_is_told(
    store, home, tenant_id, server, monkeypatch, record_property, reuse
) -> None:
    server.reuse = reuse
    lower_mark(monkeypatch.setattr, MARK)
    kills = prepare(store, home, tenant_id, server, [*OF_WORKER, *OF_SERVER])

    kill_at_points(kills, server)
    # the service goes on with what it was thinking about, and answers nobody
    wait_for(lambda: server.counts["rotated:thinking"] == 1)
    seconds = care_until_resolved(store, kills)
    ends = {kill.point: outcome(store, kill) for kill in kills}

    told(record_property, seconds=round(seconds, 1), **ends)
    assert_no_loop(store, server, kills)
    lost = {point for point, end in ends.items() if end != "usable"}
    assert lost == (SPENT if reuse is Reuse.REVOKE else set())


def test_a_late_request_of_the_dead_ends_with_a_person_told(
    store, home, tenant_id, server, monkeypatch
) -> None:
    lower_mark(monkeypatch.setattr, MARK)
    kills = prepare(store, home, tenant_id, server, ["thinking"])
    kills[0].worker.go()
    server.wait_until_reached("thinking:thinking")
    kills[0].worker.send_signal(signal.SIGKILL)

    with workers([place(store, home, kills[0].ref, mark=MARK)], ask, 1) as asking:
        server.wait_until_reached("thinking:thinking", 2)
        server.release("thinking:thinking")  # whichever comes second ends the family
        asking[0].result()
    wait_for(lambda: server.counts["rotated"] + server.counts["invalid_grant"] == 2)
    care_until_resolved(store, kills)

    assert outcome(store, kills[0]) == "needs a person"
    assert_no_loop(store, server, kills)


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(8, id="8"),
        pytest.param(50, id="50", marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
    ],
)
def test_after_kills_at_random_moments_everyone_is_well_or_told(
    store, home, tenant_id, server, monkeypatch, record_property, count
) -> None:
    server.before = server.after = 0.1
    lower_mark(monkeypatch.setattr, MARK)
    chance = random.Random()
    kills, seconds = [], []
    while len(kills) < count:
        some = prepare(store, home, tenant_id, server, [""] * min(10, count - len(kills)))
        for kill in some:
            kill_after(kill, server, store, chance.uniform(0.0, 0.35))
        seconds.append(care_until_resolved(store, some))
        kills += some
    ends = Counter(f"{kill.point}: {outcome(store, kill)}" for kill in kills)

    told(record_property, kills=count, slowest=round(max(seconds), 1), **ends)
    assert_no_loop(store, server, kills)


@pytest.mark.soak
@pytest.mark.parametrize("reuse", [Reuse.REVOKE, Reuse.GRACE])
def test_after_a_kill_everyone_is_well_or_told_in_a_minute_of_real_time(
    store, home, tenant_id, server, record_property, reuse
) -> None:
    server.reuse = reuse
    real = claims.MARK.total_seconds()
    kills = prepare(store, home, tenant_id, server, [*OF_WORKER, *OF_SERVER], real)

    kill_at_points(kills, server)
    seconds = care_until_resolved(store, kills)
    ends = {kill.point: outcome(store, kill) for kill in kills}

    told(record_property, mark=real, seconds=round(seconds, 1), **ends)
    assert_no_loop(store, server, kills)


STILL = [
    ("claimed", Reuse.REVOKE),
    ("claimed", Reuse.REFUSE),
    ("claimed", Reuse.GRACE),
    ("thinking", Reuse.REFUSE),
    ("thinking", Reuse.GRACE),
    ("answered", Reuse.GRACE),
]


@pytest.mark.parametrize(("point", "reuse"), STILL)
def test_a_holder_that_stood_still_changes_nothing_when_it_wakes(
    store, home, tenant_id, server, point, reuse
) -> None:
    server.reuse = reuse
    [still] = prepare(store, home, tenant_id, server, [point])
    still.worker.go()
    server.wait_until_reached(f"{point}:{point}")
    still.worker.send_signal(signal.SIGSTOP)
    try:
        if point == "thinking":  # the first request stays where it is, later ones pass
            server.let_later_ones_pass(f"{point}:{point}")
        with workers([place(store, home, still.ref, mark=MARK)], ask, 1) as asking:
            [newer] = asking[0].result()
        stored = token_row(store, still.ref)
    finally:
        still.worker.send_signal(signal.SIGCONT)
        server.release(f"{point}:{point}")
    [found] = still.worker.result()

    row = token_row(store, still.ref)
    assert newer.startswith("at-")
    assert found == newer
    assert bytes(row.access_token) == bytes(stored.access_token)
    assert bytes(row.refresh_token) == bytes(stored.refresh_token)
    assert (row.version, row.refresh_holder) == (2, None)
    assert integration_row(store, still.ref).status == "ACTIVE"
    assert is_usable(store, still.ref)
    assert server.counts["refresh"] <= 2


def test_a_holder_that_stands_still_in_its_commit_stops_nobody(
    store, home, tenant_id, server, monkeypatch, record_property
) -> None:
    server.reuse = Reuse.GRACE
    lower_mark(monkeypatch.setattr, MARK)
    [still] = prepare(store, home, tenant_id, server, ["committing"])
    still.worker.go()
    server.wait_until_reached("committing:committing")
    still.worker.send_signal(signal.SIGSTOP)

    watchdog = threading.Timer(BAR, still.worker.send_signal, [signal.SIGKILL])
    watchdog.start()  # ends the test where its transaction keeps its locks for good
    seconds = care_until_resolved(store, [still])
    watchdog.cancel()
    stored = token_row(store, still.ref)
    still.worker.send_signal(signal.SIGCONT)
    server.release("committing:committing")
    still.worker.result()

    told(record_property, seconds=round(seconds, 1))
    assert bytes(token_row(store, still.ref).access_token) == bytes(stored.access_token)
    assert integration_row(store, still.ref).status == "ACTIVE"
    assert is_usable(store, still.ref)


def test_a_holder_whose_service_is_slow_is_not_overtaken(
    store, home, server, tenant_id, record_property
) -> None:
    ref = connect_custom(store, tenant_id, server)
    expire(store, ref)
    server.hold("thinking:thing")
    began = time.monotonic()

    with workers([place(store, home, ref, mark=MARK)] * 2, ask, 3) as asking:
        server.wait_until_reached("thinking:thing")
        wait_for(lambda: time.monotonic() - began > 3 * MARK)
        server.release("thinking:thing")
        found = {token for one in asking for token in one.result()}

    told(record_property, marks_outlasted=3, refresh_requests=server.counts["refresh"])
    assert len(found) == server.counts["refresh"] == 1
