"""The vault under load: many processes, slow and sick providers, wrong clocks, long syncs."""

import time

import pytest

from integrations_pipeline.errors import TransientError
from integrations_pipeline.oauth import get_valid_token
from integrations_pipeline.oauth.care import care_for_tokens
from integrations_pipeline.oauth.clients import service_client
from integrations_pipeline.oauth.vault import mark_broken
from tests.integration.support import expire, integration_row, run_sql, token_row
from tests.integration.token_server import running_server
from tests.integration.vault_workers import (
    allow_loopback,
    ask,
    ask_on,
    call,
    call_on,
    connect_custom,
    place,
    workers,
)
from tests.integration.waiting import wait_for

FULL = pytest.mark.soak


@pytest.fixture
def server(store, tmp_path):
    """A scripted OAuth server that custom integrations may use."""
    allow_loopback(store, tmp_path)
    with running_server() as running:
        yield running


@pytest.fixture
def ref(store, tenant_id, server):
    """An integration connected with it."""
    return connect_custom(store, tenant_id, server)


@pytest.fixture
def tell(record_property):
    """Keeps figures with the test's result, and shows them to who looks."""

    def record(**figures: object) -> None:
        print(figures)  # seen with -rP
        for name, value in figures.items():
            record_property(name, value)

    return record


@pytest.mark.parametrize(
    ("delay", "mark"),
    [
        pytest.param(0.0, 20.0, id="fast"),
        pytest.param(8.0, 3.0, id="beyond-the-mark"),
        pytest.param(30.0, 20.0, id="30s", marks=FULL),
    ],
)
def test_a_hundred_callers_in_four_processes_make_one_refresh(
    store, home, server, ref, tell, delay, mark
) -> None:
    expire(store, ref)
    server.before = delay
    began = time.monotonic()

    with workers([place(store, home, ref, mark=mark)] * 4, ask, 25) as asking:
        found = [token for one in asking for token in one.result(delay + 60)]

    tell(
        callers=len(found),
        tokens=len(set(found)),
        refresh_requests=server.counts["refresh"],
        seconds=round(time.monotonic() - began, 1),
    )
    assert server.counts["refresh"] == 1
    assert (len(found), set(found)) == (100, {get_valid_token(store, ref)})


def test_fifty_refused_calls_make_one_refresh_and_one_retry_each(
    store, home, server, ref, tell
) -> None:
    calls_before = server.counts["calls"]
    server.expire_all()
    server.hold("refused")

    with workers([place(store, home, ref)] * 5, call, 10) as calling:
        server.wait_until_reached("refused", 50)
        server.release("refused")
        results = [one.result() for one in calling]

    answered = server.counts["calls"] - calls_before
    tell(
        refused=server.counts["refused"],
        answered=answered,
        refresh_requests=server.counts["refresh"],
    )
    assert [errors for _, errors in results] == [[]] * 5
    assert [calls for calls, _ in results] == [20] * 5
    assert (server.counts["refused"], answered, server.counts["refresh"]) == (50, 50, 1)


def most_requests(seconds: float, least_pause: float = 0.0) -> int:
    """How many refreshes that fail fit into the time: each pause is twice the one before."""
    count, pause = 1, 2.0
    while seconds >= max(pause, least_pause):
        seconds -= max(pause, least_pause)
        pause *= 2
        count += 1
    return count


@pytest.mark.parametrize(
    ("status", "asked", "count"),
    [
        pytest.param(503, 0, 2, id="503"),
        pytest.param(429, 3, 2, id="429"),
        pytest.param(503, 0, 6, id="503-long", marks=FULL),
        pytest.param(429, 20, 4, id="429-long", marks=FULL),
    ],
)
def test_an_outage_is_outlasted_with_few_requests(
    store, home, server, ref, tell, status, asked, count
) -> None:
    live = get_valid_token(store, ref)
    expire(store, ref, "4 minutes")
    server.trouble = (status, {"Retry-After": str(asked)} if asked else {})
    began = time.monotonic()

    with workers([place(store, home, ref)] * 4, ask_on) as asking:
        wait_for(lambda: server.counts["ill"] >= count, 120)
        seconds = time.monotonic() - began
        during = server.counts["ill"]
        server.trouble = None
        recovered = wait_for(lambda: token_row(store, ref).version > 1, 120)
        results = [one.end() for one in asking]

    tell(
        outage_seconds=round(seconds, 1),
        requests_in_outage=during,
        asked=sum(calls for calls, _, _ in results),
        recovered_after=round(recovered, 1),
    )
    assert [errors for _, _, errors in results] == [{}] * 4
    assert {tokens[0] for _, tokens, _ in results} == {live}
    assert during <= most_requests(seconds, asked)
    assert server.counts["refresh"] == during + 1
    assert integration_row(store, ref).status == "ACTIVE"


def test_an_outage_with_a_dead_token_is_no_storm(store, home, server, ref, tell) -> None:
    expire(store, ref)
    server.trouble = (503, {})
    began = time.monotonic()

    with workers([place(store, home, ref)] * 4, ask_on) as asking:
        wait_for(lambda: server.counts["ill"] >= 2)
        seconds = time.monotonic() - began
        during = server.counts["ill"]
        server.trouble = None
        wait_for(lambda: token_row(store, ref).version > 1)
        results = [one.end() for one in asking]

    errors = {name for _, _, found in results for name in found}
    refused = sum(sum(found.values()) for _, _, found in results)
    tell(outage_seconds=round(seconds, 1), requests_in_outage=during, asked_in_vain=refused)
    assert errors == {TransientError.__name__}
    assert during <= most_requests(seconds)
    assert {get_valid_token(store, ref)} == {one for _, tokens, _ in results for one in tokens}


@pytest.mark.parametrize("rounds", [pytest.param(2, id="2"), pytest.param(20, id="20", marks=FULL)])
def test_clocks_that_are_wrong_do_no_harm(store, home, server, ref, tell, rounds) -> None:
    server.life = 6.0
    expire(store, ref)
    places = [place(store, home, ref, skew=skew) for skew in (-120.0, -120.0, 120.0, 120.0)]

    with workers(places, call_on) as calling:
        began = time.monotonic()
        wait_for(lambda: server.counts["refresh"] > rounds, 60 + 6 * rounds)
        seconds = time.monotonic() - began
        refreshes = server.counts["refresh"]
        results = [one.end() for one in calling]

    expected = 2 + seconds / (server.life * 0.75)
    tell(
        refresh_requests=refreshes,
        seconds=round(seconds, 1),
        calls=sum(calls for calls, _ in results),
        refused=server.counts["refused"],
    )
    assert [errors for _, errors in results] == [[]] * 4
    assert server.counts["refused"] == 0
    assert refreshes <= expected


@pytest.mark.parametrize("skew", [-120.0, 120.0])
def test_a_process_whose_clock_is_wrong_stores_true_times(store, home, server, ref, skew) -> None:
    expire(store, ref)

    with workers([place(store, home, ref, skew=skew)], ask, 1) as asking:
        asking[0].result()

    row = token_row(store, ref)
    assert abs((row.expires_at - row.obtained_at).total_seconds() - server.life) < 5


def age(store, ref, days: int) -> None:
    """Nobody has used the refresh token for so many days."""
    sql = "UPDATE integrations.oauth_token SET obtained_at = now() - make_interval(days => :days)"
    run_sql(store, f"{sql} WHERE integration_id = :id", id=ref.id, days=days)


def test_care_uses_idle_tokens_and_no_others(store, server, tenant_id) -> None:
    names = ("idle", "paused", "fresh", "broken")
    refs = {name: connect_custom(store, tenant_id, server, name) for name in names}
    for name in ("idle", "paused", "broken"):
        age(store, refs[name], 8)
    age(store, refs["fresh"], 6)
    sql = "UPDATE integrations.integration SET status = 'PAUSED' WHERE id = :id"
    run_sql(store, sql, id=refs["paused"].id)
    mark_broken(store, refs["broken"], "for this test")

    for _ in range(2):  # the second time nothing is idle any more
        care_for_tokens(store)

    asked = {name: server.counts[f"refresh:{name}"] for name in names}
    assert asked == {"idle": 1, "paused": 1, "fresh": 0, "broken": 0}
    assert integration_row(store, refs["paused"]).status == "PAUSED"


@pytest.mark.parametrize(
    "refreshes",
    [pytest.param(4, id="4"), pytest.param(60, id="60", marks=[FULL, pytest.mark.timeout(600)])],
)
def test_a_sync_longer_than_many_tokens_lives_notices_nothing(
    store, server, tenant_id, tell, refreshes
) -> None:
    server.life = 2.0
    ref = connect_custom(store, tenant_id, server)
    client = service_client(store, ref)
    began, calls = time.monotonic(), 0

    while server.counts["refresh"] < refreshes:
        assert client.get("/thing") == {"client": "thing"}
        calls += 1
        assert time.monotonic() - began < 60 + refreshes * 2

    tell(
        calls=calls,
        refresh_requests=server.counts["refresh"],
        seconds=round(time.monotonic() - began, 1),
        answered_401_and_repeated=server.counts["refused"],
    )
    assert server.counts["invalid_grant"] == 0
