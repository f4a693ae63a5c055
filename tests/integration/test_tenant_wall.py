"""The wall between tenants: row-level security on every table, for every session."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from integrations_pipeline.oauth import IntegrationRef, create_integration, create_tenant
from integrations_pipeline.store import Store, database
from integrations_pipeline.store.warehouse import ROLE
from integrations_pipeline.sync import SyncRequest, create_sync_job, log_sync
from tests.integration.support import owner

TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relrowsecurity, c.relforcerowsecurity,
        n.nspname <> 'integrations' AS holds_records
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p', 'm', 'v') AND n.nspname !~ '^pg_' ORDER BY 1
"""
RECORD = """
    INSERT INTO stripe.customers (tenant_id, integration_id, id, raw, content_hash, job_id)
    VALUES (:tenant, :integration, :id, '{"name": "of A"}', '\\x00', :integration)
"""


def tables(store: Store) -> list[Any]:
    with owner(store) as connection:
        return list(connection.execute(text(TABLES)))


def filled_tenant(store: Store) -> IntegrationRef:
    """A tenant with a row in several tables, one of them a table of records."""
    tenant = create_tenant(store, f"t{uuid4().hex[:12]}", "T")
    ref = create_integration(store, tenant, "stripe", "s", client_id="c", client_secret="s")
    job = create_sync_job(store, ref, SyncRequest())
    log_sync(store, ref, job, "INFO", "hello")
    with store.tenant(tenant) as session:
        values = {"tenant": tenant, "integration": ref.id, "id": "cus_1"}
        session.execute(text(RECORD), values)
    return ref


@pytest.fixture
def a(store) -> IntegrationRef:
    return filled_tenant(store)


@pytest.fixture
def b(store) -> IntegrationRef:
    return filled_tenant(store)


def counts(session: Any, names: list[str]) -> dict[str, int]:
    return {name: session.scalar(text(f"SELECT count(*) FROM {name}")) for name in names}


def test_every_table_of_tenants_is_walled(store) -> None:
    found = tables(store)

    assert len(found) >= 12 + 15
    open_ = [t.name for t in found if not (t.relrowsecurity and t.relforcerowsecurity)]
    assert open_ == []


def test_every_tenant_table_has_the_tenant_in_its_key(store) -> None:
    sql = """
        SELECT format('%I.%I', n.nspname, c.relname) FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
        WHERE i.indisprimary AND a.attnum = ANY(i.indkey)
    """
    with owner(store) as connection:
        keyed = set(connection.scalars(text(sql)))

    assert {table.name for table in tables(store)} <= keyed


def test_the_role_is_harmless(store) -> None:
    sql = """
        SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
            (SELECT count(*) FROM pg_class WHERE relowner = r.oid) AS owned,
            (SELECT count(*) FROM pg_auth_members WHERE member = r.oid) AS memberships
        FROM pg_roles r WHERE rolname = :role
    """
    with owner(store) as connection:
        assert tuple(connection.execute(text(sql), {"role": ROLE}).one()) == (False,) * 6 + (0, 0)


def test_every_session_acts_as_the_role_in_utc(store, tenant_id) -> None:
    for session_of in (store.system, lambda: store.tenant(tenant_id)):
        with session_of() as session:
            sql = "SELECT current_user, current_setting('TimeZone')"
            assert tuple(session.execute(text(sql)).one()) == (ROLE, "UTC")


@pytest.mark.parametrize("table", ["data_key", "warehouse_table", "alembic_version"])
@pytest.mark.parametrize("privilege", ["INSERT", "UPDATE", "DELETE", "TRUNCATE"])
def test_the_role_cannot_write_what_belongs_to_no_tenant(store, table, privilege) -> None:
    sql = "SELECT has_table_privilege(:role, :table, :privilege)"
    values = {"role": ROLE, "table": f"integrations.{table}", "privilege": privilege}
    with owner(store) as connection:
        assert connection.scalar(text(sql), values) is False


def test_the_role_cannot_truncate_or_reshape_anything(store, a) -> None:
    for statement in ("TRUNCATE {}", "ALTER TABLE {} DISABLE ROW LEVEL SECURITY", "DROP TABLE {}"):
        for table in ("integrations.oauth_token", "stripe.customers"):
            with pytest.raises(ProgrammingError), store.tenant(a.tenant_id) as session:
                session.execute(text(statement.format(table)))


@pytest.mark.parametrize("context", [None, ""])
def test_without_a_context_nothing_shows(store, a, context) -> None:
    names = [table.name for table in tables(store)] + ["integrations.tenant"]
    with store.engine.connect() as connection:
        if context is not None:
            for name in ("integrations.tenant", "integrations.system"):
                connection.execute(text("SELECT set_config(:n, '', true)"), {"n": name})

        assert set(counts(connection, names).values()) == {0}


def test_a_context_ends_with_its_transaction(store, a) -> None:
    with store.engine.connect() as connection:
        with connection.begin():
            database.set_tenant(connection, a.tenant_id)
            assert connection.scalar(text("SELECT count(*) FROM stripe.customers")) == 1
        with connection.begin():
            assert connection.scalar(text("SELECT count(*) FROM stripe.customers")) == 0


def test_a_tenant_sees_its_own_rows_only(store, a, b) -> None:
    names = [table.name for table in tables(store)]
    with store.tenant(b.tenant_id) as session:
        for name in names:
            sql = text(f"SELECT DISTINCT tenant_id FROM {name}")
            assert set(session.scalars(sql)) <= {b.tenant_id}, name
        assert session.scalar(text("SELECT count(*) FROM integrations.tenant")) == 1
        assert session.scalar(text("SELECT count(*) FROM stripe.customers")) == 1


@pytest.mark.parametrize("statement", ["UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}"])
def test_a_tenant_changes_no_rows_of_another(store, a, b, statement) -> None:
    with store.tenant(b.tenant_id) as session:
        for table in tables(store):
            sql = f"{statement.format(table.name)} WHERE tenant_id = :a"
            assert session.execute(text(sql), {"a": a.tenant_id}).rowcount == 0, table.name
    with store.tenant(a.tenant_id) as session:
        assert session.scalar(text("SELECT count(*) FROM stripe.customers")) == 1


INSERTS = [
    RECORD,
    "UPDATE stripe.customers SET tenant_id = :tenant",
    """INSERT INTO integrations.checkpoint (tenant_id, integration_id, resource)
    VALUES (:tenant, :integration, 'x')""",
    """INSERT INTO integrations.app_user (tenant_id, id, email, name, role)
    VALUES (:tenant, :integration, 'e', 'n', 'ADMIN')""",
    "INSERT INTO integrations.tenant (id, slug, name) VALUES (gen_random_uuid(), 'x-new', 'X')",
]


@pytest.mark.parametrize("statement", INSERTS)
def test_a_tenant_writes_no_rows_for_another(store, a, b, statement) -> None:
    values = {"tenant": a.tenant_id, "integration": a.id, "id": "cus_2"}

    with pytest.raises(ProgrammingError, match="row-level security"):  # noqa: SIM117
        with store.tenant(b.tenant_id) as session:
            session.execute(text(statement), values)


def test_two_tenants_hold_the_same_external_id(store, a, b) -> None:
    for ref in (a, b):
        with store.tenant(ref.tenant_id) as session:
            assert session.scalars(text("SELECT id FROM stripe.customers")).all() == ["cus_1"]


def test_system_work_sees_all_tenants_and_no_records(store, a, b) -> None:
    found = tables(store)
    with store.system() as session:
        keys = set(session.scalars(text("SELECT key FROM integrations.integration")))
        records = counts(session, [table.name for table in found if table.holds_records])

    assert {a.key, b.key} <= keys
    assert len(records) == 15 + 9  # tables of records, and those of what goes out
    assert set(records.values()) == {0}


@pytest.mark.parametrize("value", ["off", "ON", "true", "1", "t", "yes"])
def test_only_the_very_word_opens_system_work(store, a, value) -> None:
    with store.engine.connect() as connection:
        connection.execute(text("SELECT set_config('integrations.system', :v, true)"), {"v": value})

        assert counts(connection, ["integrations.integration"]) == {"integrations.integration": 0}


@pytest.fixture
def small(base_store, monkeypatch) -> Iterator[Store]:
    """A store with two connections for everybody."""
    pool = {"pool_size": 2, "max_overflow": 0}
    make = partial(_engine_with, pool)
    monkeypatch.setattr(database, "create_engine", make)
    store = Store(base_store.url, base_store.settings, base_store.keyring)
    yield store
    store.close()


def _engine_with(pool: dict[str, int], url: Any, **options: Any) -> Any:
    return create_engine(url, **{**options, **pool})


class Oops(Exception):  # noqa: N818
    """A fault of the caller, in the middle of a transaction."""


def visit(store: Store, number: int, tenants: tuple[UUID, UUID]) -> set[UUID]:
    """One session; every tenth raises or breaks its transaction. Returns the tenants seen."""
    mine, seen = tenants[number % 2], set()
    try:
        with store.tenant(mine) as session:
            for name in ("stripe.customers", "integrations.integration_sync_log"):
                seen |= set(session.scalars(text(f"SELECT tenant_id FROM {name}")))
            if number % 20 == 0:
                raise Oops
            if number % 20 == 10:
                session.execute(text("SELECT 1/0"))
    except (Oops, DBAPIError):
        pass
    return seen ^ {mine}


def test_interleaved_sessions_on_a_small_pool_see_nothing_foreign(small, a, b) -> None:
    tenants = (a.tenant_id, b.tenant_id)
    numbers = random.Random(1).sample(range(300), 300)

    with ThreadPoolExecutor(8) as pool:
        foreign = list(pool.map(lambda number: visit(small, number, tenants), numbers))

    assert len(foreign) == 300
    assert [one for one in foreign if one] == []
    with small.engine.connect() as connection:
        assert counts(connection, ["stripe.customers"]) == {"stripe.customers": 0}
