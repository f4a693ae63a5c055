"""The ledger itself: what it costs, what it holds, and what happens without it."""

import threading
import time
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, event

from integrations_pipeline.connectors.access import Quota, Told
from integrations_pipeline.errors import RateLimitedError
from integrations_pipeline.oauth import create_tenant
from integrations_pipeline.oauth.clients import service_client
from integrations_pipeline.transport.ledger import PostgresLedger
from tests.conftest import connect
from tests.integration.counting_server import OK, counting
from tests.integration.limits_worker import client_of
from tests.integration.support import one_row, run_sql

NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"


@pytest.fixture
def account():
    return f"account-{uuid4().hex}"


@pytest.fixture
def statements(store):
    """What the store's connections execute."""
    seen = []

    def note(_connection, _cursor, statement, *_):
        seen.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    return seen


def test_a_service_without_limits_costs_a_look_a_second(store, account, statements):
    with counting() as service:
        client = client_of(store.engine, service.url, account)
        began = time.monotonic()
        for _ in range(200):
            client.get("/x")
        took = time.monotonic() - began

    assert len(statements) <= took + 1
    assert not any("UPDATE" in statement for statement in statements)


def test_a_pause_is_noticed_within_a_second_where_no_limit_is_declared(store, account):
    with counting() as service:
        one, two = (client_of(store.engine, service.url, account) for _ in range(2))
        two.get("/before")
        service.answer = lambda path: (429, {"Retry-After": "4"}, b"{}") if path == "/one" else OK
        one._retry_seconds = 0
        with pytest.raises(RateLimitedError):
            one.get("/one")
        refused = service.times[-1]
        while two.usage.waited_seconds == 0:
            two.get("/two")
        resumed = service.times[-1]

    last = max(at for at in service.times if at < resumed)
    assert last - refused <= 1.5
    assert resumed - refused >= 4


def test_without_the_database_calls_go_on_and_limits_are_kept_by_each(account):
    engine = create_engine(NOWHERE, connect_args={"connect_timeout": 2})
    quotas = (Quota(3, 60.0),)
    with counting() as service:
        client = client_of(engine, service.url, account, quotas, retry_seconds=0)
        for _ in range(3):
            client.get("/x")
        with pytest.raises(RateLimitedError, match="is used up"):
            client.get("/x")

        free = client_of(engine, service.url, account)
        assert free.get("/x") == {}

    assert len(service.times) == 4


def test_the_state_that_was_known_outlives_the_database(store, account):
    with counting() as service:
        client = client_of(store.engine, service.url, account, (Quota(3, 60.0),), retry_seconds=0)
        for _ in range(3):
            client.get("/x")
        client._limits._ledger._engine = create_engine(NOWHERE)
        with pytest.raises(RateLimitedError):
            client.get("/x")


def test_a_state_that_is_not_understood_begins_anew(store, account):
    ledger = PostgresLedger(store.engine)
    ledger.change([account], lambda _states, _now: None)
    run_sql(
        store,
        "UPDATE integrations.quota_account SET state = '{\"windows\": 7}' WHERE key = :key",
        key=account,
    )

    assert ledger.look(account)[0].windows == {}


def test_what_was_not_asked_for_a_month_is_forgotten(store, account):
    ledger = PostgresLedger(store.engine)
    ledger.change([account], lambda _states, _now: None)
    sql = "UPDATE integrations.quota_account SET updated_at = now() - interval '33 days'"
    run_sql(store, f"{sql} WHERE key = :key", key=account)
    ledger.change([f"{account}-new"], lambda _states, _now: None)

    sql = "SELECT count(*) AS rows FROM integrations.quota_account WHERE key = :key"
    assert one_row(store, sql, key=account).rows == 0


def test_changes_of_several_rows_never_lock_each_other_out(store, account):
    keys = [f"{account}-{n}" for n in range(4)]
    ledgers = [PostgresLedger(store.engine) for _ in range(4)]
    done = []

    def change(ledger, order):
        for _ in range(20):
            ledger.change(order, lambda _states, now: done.append(now))

    threads = [
        threading.Thread(target=change, args=(ledger, keys[n:] + keys[:n]))
        for n, ledger in enumerate(ledgers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(done) == 80
    assert all(ledger._away_until == 0 for ledger in ledgers)


def test_the_limit_is_what_the_service_says(store, account):
    told = Told(limit="X-Max", remaining="X-Left")
    quotas = (Quota(3, 60.0, told=told),)
    with counting(lambda _: (200, {"X-Max": "6", "X-Left": "4"}, b"{}")) as service:
        client = client_of(store.engine, service.url, account, quotas, retry_seconds=0)
        client.get("/x")  # 6 in a minute, of which somebody else has used one
        for _ in range(4):
            client.get("/x")
        with pytest.raises(RateLimitedError):
            client.get("/x")

    assert len(service.times) == 5


def test_tenants_that_connected_the_same_account_share_its_limits(store, sandbox, tenant_id):
    other = create_tenant(store, f"u{uuid4().hex[:12]}", "U")
    refs = [connect(store, sandbox, tenant, "hubspot") for tenant in (tenant_id, other)]
    limits = [service_client(store, ref)._limits for ref in refs]

    assert limits[0]._scope.account == limits[1]._scope.account
    assert limits[0]._scope.user != limits[1]._scope.user
    service_client(store, refs[0]).get("/crm/v3/objects/contacts")
    state = limits[1]._ledger.look(limits[1]._scope.account)[0]
    assert sum(window.used for window in state.windows.values()) >= 1
