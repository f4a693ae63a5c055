"""Rules over the state of an account, on a clock that the test moves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations_pipeline.transport.account import Account, Need, Priority, Why, Wish

BULK, INCREMENTAL, WEBHOOK = Priority.BULK, Priority.INCREMENTAL, Priority.WEBHOOK


def wish(ticket, user="u", priority=INCREMENTAL, *needs, **more):
    return Wish(ticket, user, priority, needs=needs, **more)


def try_once(account, one, now):
    """Seconds to wait; 0: it was let go."""
    verdict = account.ready(one, now)
    if verdict.at <= now:
        account.grant(one, now)
        return 0.0
    account.queue(one, now, verdict.at - now)
    return verdict.at - now


def send(account, one, now):
    """Let it go and end at once."""
    assert try_once(account, one, now) == 0
    account.ended(one.ticket, now)


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(1, 12),
    span=st.floats(0.5, 60),
    steps=st.lists(st.tuples(st.floats(0, 5), st.floats(0, 3), st.floats(0, 1)), max_size=60),
)
def test_no_rolling_window_of_the_service_holds_more_than_the_limit(limit, span, steps):
    account, now, met, under_way = Account(), 1000.0, [], []
    need = Need("all", requests=limit, seconds=span)
    for number, (pause, takes, meets) in enumerate(steps):
        now += pause
        one = wish(f"t{number}", "u", INCREMENTAL, need)
        for ticket, ends in sorted(under_way, key=lambda each: each[1]):
            if ends <= now:
                account.ended(ticket, ends)
        under_way = [each for each in under_way if each[1] > now]
        if try_once(account, one, now) == 0:
            under_way.append((one.ticket, now + takes))
            met.append(now + takes * meets)  # the service counts it somewhere on the way

    met.sort()
    for first, later in zip(met, met[limit:], strict=False):
        assert later - first >= span - 1e-6


def test_a_wait_is_no_longer_than_needed():
    account, need = Account(), Need("all", requests=2, seconds=10.0)
    for number, now in enumerate((1000.0, 1004.0)):
        send(account, wish(f"t{number}", "u", INCREMENTAL, need), now)

    assert try_once(account, wish("t3", "u", INCREMENTAL, need), 1004.0) == pytest.approx(6.0)


def test_a_request_that_never_reports_counts_from_when_it_must_have_arrived():
    account, need = Account(), Need("all", requests=1, seconds=10.0)
    assert try_once(account, wish("lost", "u", INCREMENTAL, need), 1000.0) == 0

    assert try_once(account, wish("t", "u", INCREMENTAL, need), 1015.0) == pytest.approx(5.0)


def test_of_a_small_limit_nothing_is_kept_free():
    for limit, fits in ((1, 1), (5, 5), (25, 24), (50, 48), (110, 105)):
        account, need, sent = Account(), Need("all", requests=limit, seconds=10.0), 0
        while try_once(account, wish(f"t{sent}", "u", INCREMENTAL, need, reserve=0.05), 1.0) == 0:
            sent += 1

        assert sent == fits


def test_all_limits_count():
    account = Account()
    needs = (Need("second", requests=2, seconds=1.0), Need("day", requests=3, seconds=86_400.0))
    for number in range(2):
        send(account, wish(f"t{number}", "u", INCREMENTAL, *needs), 1000.0)
    assert account.ready(wish("x", "u", INCREMENTAL, *needs), 1000.0).limit == "second"

    send(account, wish("t3", "u", INCREMENTAL, *needs), 1001.5)
    assert account.ready(wish("x", "u", INCREMENTAL, *needs), 1001.5).limit == "day"


def test_so_many_at_a_time_and_no_more():
    account, need = Account(), Need("open", concurrent=2)
    ones = [wish(f"t{number}", "u", INCREMENTAL, need) for number in range(3)]

    assert [try_once(account, one, 1.0) > 0 for one in ones] == [False, False, True]
    account.ended("t0", 2.0)
    assert try_once(account, ones[2], 2.0) == 0


def test_what_died_under_way_gives_its_place_back():
    account, need = Account(), Need("open", concurrent=1)
    try_once(account, wish("dead", "u", INCREMENTAL, need, lease=60.0), 1.0)

    assert try_once(account, wish("t", "u", INCREMENTAL, need), 30.0) > 0
    assert try_once(account, wish("t", "u", INCREMENTAL, need), 62.0) == 0


def served(waiters, grants, need):
    """Who is let go, in order, when room for one appears so many times."""
    account, now, order = Account(), 1000.0, []
    send(account, wish("first", "somebody", WEBHOOK, need), now)
    waiting = {ticket: wish(ticket, *who, need) for ticket, who in waiters.items()}
    for _ in range(grants):
        now += 0.01
        for one in waiting.values():
            try_once(account, one, now)
        now += need.seconds
        for one in list(waiting.values()):
            if try_once(account, one, now) == 0:
                order.append(one.ticket)
                account.ended(one.ticket, now)
                del waiting[one.ticket]
                break
    return order


def test_priorities_go_before_the_order_of_arrival():
    waiters = {
        "backfill": ("a", BULK),
        "full": ("b", BULK),
        "incremental": ("a", INCREMENTAL),
        "webhook": ("b", WEBHOOK),
    }
    order = served(waiters, 4, Need("all", requests=1, seconds=1.0))

    # the tenant of the incremental one was served after the other
    assert order == ["webhook", "incremental", "full", "backfill"]


def test_bulk_requests_do_not_starve_behind_a_steady_load():
    account, need, now = Account(), Need("all", requests=5, seconds=1.0), 1000.0
    bulk, waited = wish("bulk", "a", BULK, need), None
    incremental = [wish(f"t{number}", "a", INCREMENTAL, need) for number in range(2000)]
    while waited is None:
        now += 0.05
        for one in incremental[:10]:  # twice of what fits is always there
            if try_once(account, one, now) == 0:
                account.ended(one.ticket, now)
                incremental.remove(one)
        if try_once(account, bulk, now) == 0:
            waited = now - 1000.05

    assert 59 < waited < 65


def crowd(size, need):
    """What a long queue of tenants costs: looks at the state, and the seconds until its end."""
    account, now, looks = Account(), 1000.0, 0
    asleep = {number: 1000.0 + number / 1000 for number in range(size)}
    while asleep:
        number = min(asleep, key=asleep.__getitem__)
        now = max(now, asleep[number])
        one, looks = wish(f"t{number}", f"u{number}", INCREMENTAL, need), looks + 1
        verdict = account.ready(one, now)
        if verdict.at <= now:
            account.grant(one, now)
            account.ended(one.ticket, now)
            del asleep[number]
        else:
            asleep[number] = now + verdict.sleep(now)
            account.queue(one, now, verdict.sleep(now))
    return looks, now - 1000.0


@pytest.mark.parametrize(("limit", "seconds"), [(20, 1.0), (100, 10.0)])
def test_who_is_far_behind_looks_seldom_and_no_room_is_left_unused(limit, seconds):
    need = Need("all", requests=limit, seconds=seconds)

    looks, took = crowd(600, need)

    assert looks < 8 * 600
    assert took < 1.1 * 600 / limit * seconds


def test_a_noisy_tenant_waits_behind_its_own_requests_only():
    noisy = {f"noisy-{number}": ("noisy", INCREMENTAL) for number in range(50)}
    small = {f"small-{number}": (f"tenant-{number}", INCREMENTAL) for number in range(5)}

    order = served({**noisy, **small}, 12, Need("all", requests=1, seconds=1.0))

    assert set(small) < set(order[:6])
    assert sum(ticket.startswith("noisy") for ticket in order) == 7


def test_who_died_waiting_holds_nobody_up():
    account, need = Account(), Need("all", requests=1, seconds=1.0)
    send(account, wish("first", "u", INCREMENTAL, need), 1000.0)
    try_once(account, wish("dead", "u", WEBHOOK, need), 1000.1)

    assert try_once(account, wish("t", "u", BULK, need), 1001.2) > 0
    assert try_once(account, wish("t", "u", BULK, need), 1003.0) == 0


def test_a_pause_holds_for_all_until_its_end_and_is_never_shortened():
    account = Account()
    account.refused("t1", "", 7.0, 1000.0)
    account.refused("t2", "", 1.0, 1000.0)

    verdict = account.ready(wish("x"), 1006.9)
    assert (verdict.at, verdict.why) == (1007.0, Why.PAUSED)
    assert account.ready(wish("x"), 1007.0).at <= 1007.0


def test_after_a_pause_requests_begin_one_after_the_other():
    account, sent = Account(), []
    account.refused("t", "", 7.0, 1000.0)
    for number in range(100):
        try_once(account, wish(f"t{number}", f"u{number}"), 1000.5)
    waiting, now = {f"t{number}" for number in range(100)}, 1006.9
    while waiting:
        now += 0.03
        for ticket in sorted(waiting):
            if try_once(account, wish(ticket, f"u{ticket[1:]}"), now) == 0:
                sent.append(now)
                waiting.remove(ticket)

    assert min(sent) >= 1007.0
    assert all(sum(at <= one < at + 0.1 for one in sent) <= 10 for at in sent)
    assert max(sent) < 1015.0


def test_a_pause_that_the_service_does_not_measure_grows():
    account, now, waits = Account(), 1000.0, []
    for _ in range(5):
        account.refused("t", "", None, now)
        waits.append(account.ready(wish("x"), now).at - now)
        now += waits[-1]

    assert waits == pytest.approx([1, 2, 4, 8, 16])
    account.answered("t", now)
    account.refused("t", "", None, now + 10)
    assert account.ready(wish("x"), now + 10).at == pytest.approx(now + 11)


def test_a_refusal_of_one_method_leaves_the_others_alone():
    account = Account()
    account.refused("t", "users.list", 30.0, 1000.0)

    assert account.ready(wish("x", pauses=("", "files.list")), 1010.0).at <= 1010.0
    assert account.ready(wish("x", pauses=("", "users.list")), 1010.0).at == 1030.0


def test_an_account_is_calm_again_after_a_while():
    account = Account()
    assert account.is_calm(1000.0)
    account.refused("t", "", 2.0, 1000.0)
    assert not account.is_calm(1001.0)
    account.answered("t", 1003.0)
    assert not account.is_calm(1008.0)  # latecomers still come one by one
    assert account.is_calm(1012.5)
