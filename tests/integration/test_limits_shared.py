"""Clients with nothing in common but the database: pauses, breaker, budgets, queues."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import uuid4

import pytest

from integrations_pipeline.connectors.access import Per, Quota
from integrations_pipeline.errors import IntegrationsError, RateLimitedError, TransientError
from integrations_pipeline.store.database import application_engine
from integrations_pipeline.transport.account import Priority
from tests.integration.counting_server import OK, counting
from tests.integration.limits_worker import client_of

BAD = (503, {}, b"down")


@pytest.fixture
def clients(store):
    """Makes clients as processes of their own would have them: nothing is shared in memory."""
    engines = []

    def make(url, account, quotas=(), **more):
        engines.append(application_engine(store.url))
        return client_of(engines[-1], url, account, quotas, **more)

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def account():
    return f"account-{uuid4().hex}"


def limited(wait):
    headers = {} if wait is None else {"Retry-After": wait}
    return (429, headers, b"{}")


def side_by_side(calls):
    """The results or errors of calls that begin together."""

    def one(call):
        try:
            return call()
        except IntegrationsError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def test_a_refusal_pauses_all_clients_of_the_account(clients, account):
    answers = [limited("2")]
    with counting(lambda _: answers.pop() if answers else OK) as service:
        one, two = clients(service.url, account), clients(service.url, account)
        elsewhere = clients(service.url, account + "-other")
        first = threading.Thread(target=one.get, args=("/one",))
        first.start()
        while not service.times:
            time.sleep(0.01)
        while not two._limits._ledger.look(account)[0].pauses:
            time.sleep(0.01)
        elsewhere.get("/elsewhere")
        two.get("/two")
        first.join()

    came = dict(zip(service.paths, service.times, strict=True))
    assert service.paths[:2] == ["/one", "/elsewhere"]
    assert came["/elsewhere"] - service.times[0] < 2
    assert came["/two"] - service.times[0] >= 2
    assert two.usage.waited_seconds >= 1
    assert one.usage.retries == 1


def in_a_second(**more):
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2, **more), usegmt=True)


@pytest.mark.parametrize("wait", ["1", "date", None, "junk"])
def test_no_call_comes_before_the_time_that_the_service_gave(clients, account, wait):
    told = in_a_second() if wait == "date" else wait
    answers = [limited(told)]
    with counting(lambda _: answers.pop() if answers else OK) as service:
        assert clients(service.url, account).get("/x") == {}

    # the date has whole seconds; without a time that can be read it is a second of our own choice
    assert service.times[1] - service.times[0] >= 0.95


def test_a_long_wait_is_left_to_the_caller(clients, account):
    with counting(lambda _: limited("86400")) as service:
        one, two = (clients(service.url, account, retry_seconds=30) for _ in range(2))
        began = time.monotonic()
        errors = [side_by_side([lambda c=client: c.get("/x")])[0] for client in (one, two)]

    assert time.monotonic() - began < 10
    assert len(service.times) == 1
    for error in errors:
        assert isinstance(error, RateLimitedError)
        assert error.retry_after == pytest.approx(86_400, abs=60)
    assert "asked for a pause" in str(errors[1])


def test_a_failing_account_is_left_in_peace_and_then_tried_once(clients, account):
    answer = [BAD]
    gate = threading.Event()

    def slow(_path):
        if answer[0] is OK:
            gate.wait(20)
        return answer[0]

    with counting(slow) as service:
        failing = [clients(service.url, account, retry_seconds=0.5) for _ in range(3)]
        side_by_side([lambda c=c: c.get("/x") for c in failing for _ in range(3)])
        state = failing[0]._limits._ledger.look(account)[0]
        assert state.breaker.until
        before = len(service.times)
        error = side_by_side([lambda: failing[1].get("/x")])[0]
        assert isinstance(error, TransientError)
        assert "times in a row since" in str(error)
        assert "tried again at" in str(error)
        assert len(service.times) == before

        answer[0] = OK
        patient = [clients(service.url, account, retry_seconds=60) for _ in range(4)]
        waiting = threading.Thread(
            target=lambda: side_by_side([lambda c=c: c.get("/x") for c in patient])
        )
        waiting.start()
        while len(service.times) == before:
            time.sleep(0.01)
        time.sleep(1.2)  # the others look twice meanwhile
        assert len(service.times) == before + 1
        gate.set()
        waiting.join()
        assert len(service.times) == before + 4
        clients(service.url, account + "-other", retry_seconds=0).get("/x")


def test_failures_of_one_account_do_not_stop_another(clients, account):
    with counting(lambda path: BAD if path == "/bad" else OK) as service:
        bad = clients(service.url, account, retry_seconds=0.2)
        side_by_side([lambda: bad.get("/bad")] * 8)
        assert clients(service.url, account + "-2", retry_seconds=0).get("/good") == {}


def test_a_dead_service_gets_hardly_more_than_the_first_tries(clients, account):
    with counting(lambda _: BAD) as service:
        callers = [clients(service.url, account, retry_seconds=6) for _ in range(4)]
        results = side_by_side([lambda c=callers[n % 4]: c.get("/x") for n in range(100)])

    assert all(isinstance(result, TransientError) for result in results)
    assert len(service.times) <= 120


def test_a_herd_comes_back_one_by_one(clients, account):
    first = threading.Barrier(100, timeout=60)

    def answer(path):
        if path in seen:
            return OK
        seen.add(path)
        first.wait()
        return limited("1")

    seen = set()
    with counting(answer) as service:
        callers = [clients(service.url, account, retry_seconds=60) for _ in range(4)]
        results = side_by_side([lambda n=n: callers[n % 4].get(f"/{n}") for n in range(100)])

    assert results == [{}] * 100
    again = sorted(service.times)[100:]
    fullest = max(sum(at <= one < at + 0.1 for one in again) for at in again)
    print(f"fullest 100 ms: {fullest} of {len(again)} retries")
    assert len(again) == 100
    assert fullest <= 10


def test_so_many_requests_at_a_time_over_all_clients(clients, account):
    with counting(lambda _: time.sleep(0.1) or OK) as service:
        quotas = (Quota(concurrent=3),)
        callers = [clients(service.url, account, quotas) for _ in range(2)]
        side_by_side([lambda n=n: callers[n % 2].get("/x") for n in range(16)])

    assert len(service.times) == 16
    assert service.most_at_once == 3


def test_accounts_of_one_app_share_its_limit(clients, account):
    quotas = (Quota(5, 60.0, per=Per.APP),)
    with counting() as service:
        callers = [
            clients(service.url, f"{account}-{n}", quotas, app=f"{account}-app", retry_seconds=0)
            for n in range(4)
        ]
        results = side_by_side([lambda n=n: callers[n % 4].get("/x") for n in range(12)])

    assert len(service.times) == 5
    assert sum(isinstance(result, RateLimitedError) for result in results) == 7


def test_a_noisy_tenant_does_not_hold_up_the_others(clients, account):
    """50 waiters of one tenant, 5 tenants with one each: all six get the same share."""
    quotas, ends = (Quota(12, 1.0),), time.monotonic() + 6
    with counting() as service:
        noisy = clients(service.url, account, quotas, user="noisy")
        small = [clients(service.url, account, quotas, user=f"small-{n}") for n in range(5)]

        def call(client, name):
            while time.monotonic() < ends:
                client.get(f"/{name}")

        def stop():
            for client in (noisy, *small):
                client.stop.set()

        threading.Timer(ends - time.monotonic(), stop).start()

        side_by_side(
            [lambda: call(noisy, "noisy")] * 50
            + [lambda n=n: call(small[n], f"small-{n}") for n in range(5)]
        )

    came = zip(service.paths, service.times, strict=True)
    counts = Counter(path for path, at in came if at < ends)
    print(dict(counts))
    fair = counts.total() / 6
    assert all(counts[f"/small-{n}"] >= 0.6 * fair for n in range(5))
    assert service.most_in(1.0) <= 12


def test_a_webhook_goes_before_a_backfill(clients, account):
    quotas = (Quota(4, 1.0),)
    with counting() as service:
        bulk = clients(service.url, account, quotas, priority=Priority.BULK)
        hook = clients(service.url, account, quotas, priority=Priority.WEBHOOK)
        running = threading.Thread(
            target=lambda: side_by_side([lambda: bulk.get("/bulk")] * 20), daemon=True
        )
        running.start()
        while len(service.times) < 4 or len(bulk._limits._ledger.look(account)[0].waiting) < 16:
            time.sleep(0.01)
        before = len(service.times)
        hook.get("/hook")
        bulk.stop.set()
        running.join()

    assert service.paths.index("/hook") <= before + 4
