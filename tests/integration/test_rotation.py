"""Keys are rotated while the system serves: nothing is lost, whoever is killed or comes first."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.errors import MasterKeyError
from integrations_pipeline.oauth import find_integration, get_valid_token
from integrations_pipeline.settings import Settings
from integrations_pipeline.store import Place, Store, open_store, rotation
from integrations_pipeline.store.datakeys import open_keyring
from integrations_pipeline.store.models import (
    Integration,
    IntegrationWebhook,
    OAuthState,
    OAuthToken,
    Tenant,
)
from integrations_pipeline.store.rotation import rotate
from integrations_pipeline.store.sealed import SEALED
from tests.integration.support import at_once, one_row, owner, run_sql

PROGRAM = str(Path(sys.executable).parent / "integrations")
THREADS = 6
MODELS = (Integration, OAuthToken, OAuthState, IntegrationWebhook)


def wait_for(condition: Any, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.005)


# --- a database of its own, full of sealed values ---


@pytest.fixture
def mine(fresh) -> Iterator[Store]:
    """A store on an empty database."""
    made = open_store(fresh, CONNECTORS.values())
    yield made
    made.close()


def fill(store: Store, count: int) -> None:
    """Integrations of two tenants, each with every kind of sealed value."""
    tenants = [uuid4(), uuid4()]
    made = [(tenants[number % 2], uuid4(), number) for number in range(count)]
    rows = [values(store, *one) for one in made]
    with store.system() as session:
        named = [{"id": one, "slug": f"t{n}", "name": "T"} for n, one in enumerate(tenants)]
        session.execute(insert(Tenant), named)
        for index, model in enumerate(MODELS):
            session.execute(insert(model), [row[index] for row in rows])


def values(store: Store, tenant: UUID, one: UUID, number: int) -> tuple[dict[str, Any], ...]:
    def seal(name: str, row: UUID = one) -> bytes:
        return store.keyring.seal(f"{name} of {one}", Place(tenant, row, name))

    state, webhook, name = uuid4(), uuid4(), f"i{number}"
    return (
        {
            "tenant_id": tenant,
            "id": one,
            "key": f"t--{name}",
            "slug": name,
            "name": name,
            "type": "hubspot",
            "client_secret": seal("integration.client_secret"),
        },
        {
            "tenant_id": tenant,
            "integration_id": one,
            "access_token": seal("oauth_token.access_token"),
            "refresh_token": seal("oauth_token.refresh_token") if number % 3 else None,
        },
        {
            "tenant_id": tenant,
            "id": state,
            "integration_id": one,
            "user_id": one,
            "state_hash": os.urandom(32),
            "session_hash": b"x",
            "redirect_uri": "http://x",
            "expires_at": "2001-01-01",
            "code_verifier": seal("oauth_state.code_verifier", state),
        },
        {
            "tenant_id": tenant,
            "id": webhook,
            "integration_id": one,
            "secret": seal("integration_webhook.secret", webhook),
        },
    )


def check_all(store: Store) -> int:
    """Open every value with keys that are read now; how many there are."""
    opened = 0
    with owner(store) as connection:
        keyring = open_keyring(connection, rotation.master_key(store.settings))
        for one in SEALED:
            for row in connection.execute(select(one.table)).mappings():
                for column in one.columns:
                    if row[column] is not None:
                        name = f"{one.name}.{column}"
                        place = Place(row["tenant_id"], row[one.row_id], name)
                        found = keyring.open(bytes(row[column]), place)
                        assert found == f"{name} of {row[one.integration_id]}"
                        opened += 1
    return opened


def keys_of(store: Store) -> list[UUID]:
    with owner(store) as connection:
        sql = "SELECT id FROM integrations.data_key ORDER BY created_at"
        return list(connection.scalars(text(sql)))


def under(store: Store, table: str, column: str, key: UUID) -> int:
    sql = f"SELECT count(*) FROM integrations.{table} WHERE substring({column}, 2, 16) = :key"
    return one_row(store, sql, key=key.bytes)[0]


def environment(store: Store, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": store.url.render_as_string(hide_password=False),
        "INTEGRATIONS_HOME": str(store.settings.home),
        **more,
    }


def run(store: Store, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *words],
        env=environment(store, **more),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture
def hasty(monkeypatch) -> None:
    """No time for others to see the new key: there are no others."""
    monkeypatch.setattr(rotation, "SETTLE_SECONDS", 0.0)


def rotated(store: Store) -> rotation.Report:
    return rotate(store, lambda *_: None)


# --- serving, in another process ---


class Serving:
    """Threads that read, refresh and seal without an end, and count what fails."""

    def __init__(self, store: Store, counts: Any, stop: Any) -> None:
        self.store, self.counts, self.stop = store, counts, stop
        with store.system() as session:
            query = select(Integration.tenant_id, Integration.id, Integration.key)
            self.all = [tuple(row) for row in session.execute(query)]
        self.refs = [find_integration(store, key) for _, _, key in self.all[:20]]

    def run(self, number: int) -> None:
        work = (self.read, self.refresh, self.valid)[number % 3]
        chance = random.Random(number)
        while not self.stop.is_set():
            try:
                tried, failed = work(chance), 0
            except Exception as error:  # noqa: BLE001 - counted, and told
                print(f"serving failed: {error!r}", file=sys.stderr)
                tried, failed = 1, 1
            with self.counts.get_lock():
                self.counts[0] += tried
                self.counts[1] += failed

    def token(self, session: Any, tenant: UUID, one: UUID) -> OAuthToken:
        return session.get_one(OAuthToken, (tenant, one))

    def open(self, row: OAuthToken, column: str) -> None:
        name = f"oauth_token.{column}"
        place = Place(row.tenant_id, row.integration_id, name)
        assert (
            self.store.keyring.open(bytes(getattr(row, column)), place)
            == f"{name} of {row.integration_id}"
        )

    def read(self, chance: random.Random) -> int:
        tenant, one, _ = chance.choice(self.all)
        with self.store.tenant(tenant) as session:
            row = self.token(session, tenant, one)
        columns = ["access_token", "refresh_token"] if row.refresh_token else ["access_token"]
        for column in columns:
            self.open(row, column)
        return len(columns)

    def refresh(self, chance: random.Random) -> int:
        """As the vault does: read, ask, seal, and store what nobody else has replaced."""
        tenant, one, _ = chance.choice(self.all)
        with self.store.tenant(tenant) as session:
            row = self.token(session, tenant, one)
        self.open(row, "access_token")
        name = "oauth_token.access_token"
        sealed = self.store.keyring.seal(f"{name} of {one}", Place(tenant, one, name))
        with self.store.tenant(tenant) as session:
            session.execute(
                update(OAuthToken)
                .where(OAuthToken.tenant_id == tenant, OAuthToken.integration_id == one)
                .where(OAuthToken.version == row.version)
                .values(access_token=sealed, version=row.version + 1)
            )
        return 1

    def valid(self, chance: random.Random) -> int:
        ref = chance.choice(self.refs)
        assert get_valid_token(self.store, ref) == f"oauth_token.access_token of {ref.id}"
        return 1


def serve(url: str, home: str, counts: Any, stop: Any) -> None:
    settings = Settings(home=Path(home))
    settings.database_url = SecretStr(url)
    store = open_store(settings, CONNECTORS.values())
    serving = Serving(store, counts, stop)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(serving.run, range(THREADS)))
    store.close()


@contextmanager
def served(store: Store) -> Iterator[Any]:
    """Another process serves; its counts: tried and failed."""
    spawn = multiprocessing.get_context("spawn")
    counts, stop = spawn.Array("q", 2), spawn.Event()
    url = store.url.render_as_string(hide_password=False)
    process = spawn.Process(target=serve, args=(url, str(store.settings.home), counts, stop))
    process.start()
    try:
        more(counts)
        yield counts
    finally:
        stop.set()
        process.join(60)
    assert process.exitcode == 0


def more(counts: Any) -> None:
    """Wait until some more was served."""
    before = counts[0]
    wait_for(lambda: counts[0] > before + 100)


@contextmanager
def held(store: Store, table: str) -> Iterator[None]:
    """Rows that a rotation can't have for now: it can't come to its end."""
    with owner(store) as connection:
        connection.execute(text(f"SELECT 1 FROM integrations.{table} FOR UPDATE"))
        yield


def _rotation_under_load(store: Store, count: int) -> None:
    fill(store, count)
    total, (old,) = check_all(store), keys_of(store)
    with served(store) as counts:
        with held(store, "oauth_state"):
            process = subprocess.Popen([PROGRAM, "keys", "rotate"], env=environment(store))
            wait_for(lambda: under(store, "oauth_token", "access_token", old) < count)
            process.send_signal(signal.SIGKILL)
            process.wait()
            new = keys_of(store)[-1]
        assert under(store, "oauth_state", "code_verifier", old) == count
        more(counts)
        began = time.monotonic()
        done = run(store, "keys", "rotate")
        seconds = time.monotonic() - began
        more(counts)
    assert done.returncode == 0, done.stderr
    assert "An earlier rotation had not ended" in done.stdout
    assert keys_of(store) == [new]
    assert check_all(store) == total
    print(f"{total} values, {seconds:.1f} s; served: {counts[0]} tried, {counts[1]} failed")
    assert counts[1] == 0


def test_rotation_while_serving_survives_a_kill(mine) -> None:
    _rotation_under_load(mine, 1_000)


@pytest.mark.soak
def test_rotation_of_ten_thousand_while_serving_survives_a_kill(mine) -> None:
    _rotation_under_load(mine, 10_000)


# --- alone ---


def test_only_sealed_columns_change(mine, hasty) -> None:
    fill(mine, 300)
    kept = (
        "SELECT md5(string_agg(concat(version, obtained_at, scopes), ',' ORDER BY integration_id)"
    )
    kept = f"{kept}), sum(version) FROM integrations.oauth_token"
    before, (old,) = one_row(mine, kept), keys_of(mine)

    report = rotated(mine)

    assert (report.resumed, report.rows, report.deleted, report.left) == (False, 1200, 1, ())
    assert keys_of(mine) == [report.key_id] != [old]
    assert one_row(mine, kept) == before
    assert check_all(mine) == 4 * 300 + 200


def test_progress_goes_up_to_all(mine, hasty) -> None:
    fill(mine, 250)
    told: list[tuple[int, int]] = []

    rotate(mine, lambda done, total: told.append((done, total)))

    assert told == sorted(told)
    assert (told[0], told[-1]) == ((0, 1000), (1000, 1000))


def test_an_empty_database_gets_a_new_key(mine, hasty) -> None:
    (old,) = keys_of(mine)

    assert rotated(mine).deleted == 1
    assert keys_of(mine) != [old]


MOVES = {
    "row": "UPDATE integrations.oauth_token a SET access_token = b.access_token "
    "FROM integrations.oauth_token b, integrations.integration i, integrations.integration j "
    "WHERE a.integration_id = i.id AND b.integration_id = j.id "
    "AND i.slug = 'i0' AND j.slug = 'i2'",
    "tenant": "UPDATE integrations.oauth_token a SET access_token = b.access_token "
    "FROM integrations.oauth_token b, integrations.integration i, integrations.integration j "
    "WHERE a.integration_id = i.id AND b.integration_id = j.id "
    "AND i.slug = 'i0' AND j.slug = 'i1'",
    "column": "UPDATE integrations.oauth_token a SET access_token = i.client_secret "
    "FROM integrations.integration i WHERE a.integration_id = i.id AND i.slug = 'i0'",
    "junk": "UPDATE integrations.oauth_token a SET access_token = 'short' "
    "FROM integrations.integration i WHERE a.integration_id = i.id AND i.slug = 'i0'",
}
MOVED = (
    "SELECT t.access_token FROM integrations.oauth_token t "
    "JOIN integrations.integration i ON i.id = t.integration_id WHERE i.slug = 'i0'"
)


@pytest.mark.parametrize("move", MOVES)
def test_a_moved_value_is_named_and_left_and_the_old_key_stays(mine, move) -> None:
    fill(mine, 10)
    run_sql(mine, MOVES[move])
    moved, (old,) = bytes(one_row(mine, MOVED)[0]), keys_of(mine)

    done = run(mine, "keys", "rotate")
    again = run(mine, "keys", "rotate")

    assert (done.returncode, again.returncode) == (1, 1)
    assert "t--i0: oauth_token.access_token" in done.stderr
    assert done.stderr.count("t--i") == 1
    assert "39 rows" in done.stdout
    assert bytes(one_row(mine, MOVED)[0]) == moved
    assert len(keys_of(mine)) == 2
    assert keys_of(mine)[0] == old
    assert under(mine, "integration", "client_secret", keys_of(mine)[1]) == 10


def test_after_the_account_is_connected_again_the_old_key_goes(mine, hasty) -> None:
    fill(mine, 10)
    run_sql(mine, MOVES["tenant"])
    assert rotated(mine).left == ("t--i0: oauth_token.access_token",)
    run_sql(mine, "DELETE FROM integrations.integration WHERE slug = 'i0'")

    report = rotated(mine)

    assert (report.resumed, report.deleted, report.left) == (True, 1, ())


def test_a_write_under_a_key_that_is_gone_is_refused(mine, hasty) -> None:
    fill(mine, 1)
    tenant, one = one_row(mine, "SELECT tenant_id, id FROM integrations.integration")
    place = Place(tenant, one, "oauth_token.access_token")
    late = mine.keyring.seal("late", place)
    rotated(mine)

    with pytest.raises(IntegrityError, match="key that is gone"), mine.tenant(tenant) as session:
        session.execute(update(OAuthToken).values(access_token=late))
    check_all(mine)


def test_the_application_may_not_touch_keys(mine) -> None:
    for sql in ("DELETE FROM integrations.data_key", "UPDATE integrations.data_key SET id = id"):
        with pytest.raises(Exception, match="permission denied"), mine.system() as session:
            session.execute(text(sql))


def test_a_writer_at_work_keeps_its_key(mine, hasty) -> None:
    """It has sealed and written under the old key, and commits when all else is done."""
    fill(mine, 2)
    tenant, one = one_row(mine, "SELECT tenant_id, id FROM integrations.integration LIMIT 1")
    name = "oauth_token.access_token"
    sealed = mine.keyring.seal(f"{name} of {one}", Place(tenant, one, name))
    with ThreadPoolExecutor(1) as pool:
        with mine.tenant(tenant) as session:
            mine_only = update(OAuthToken).where(OAuthToken.integration_id == one)
            session.execute(mine_only.values(access_token=sealed))
            report = pool.submit(rotated, mine)
            # of the two tokens, one is done, and the other one is the writer's
            wait_for(lambda: under(mine, "oauth_token", "access_token", keys_of(mine)[0]) == 1)
        assert report.result(60).deleted == 1
    assert check_all(mine) == 9


def test_a_process_that_only_writes_is_never_refused(mine) -> None:
    """It meets no value under the new key, and must learn of it in time all the same."""
    fill(mine, 5)
    tenant, one = one_row(mine, "SELECT tenant_id, id FROM integrations.integration LIMIT 1")
    name = "integration.client_secret"

    def write() -> None:
        sealed = mine.keyring.seal(f"{name} of {one}", Place(tenant, one, name))
        with mine.tenant(tenant) as session:
            row = update(Integration).where(Integration.id == one)
            session.execute(row.values(client_secret=sealed))

    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(rotated, mine)
        while not report.done():
            write()
    write()
    assert report.result().deleted == 1
    assert check_all(mine) == 5 * 4 + 3


@pytest.mark.parametrize("count", [0, 500])
def test_rotations_at_once_end_with_one_key(mine, hasty, count) -> None:
    if count:
        fill(mine, count)

    reports = at_once(4, lambda: rotated(mine))

    assert all(isinstance(report, rotation.Report) for report in reports), reports
    assert [report.left for report in reports] == [()] * 4
    assert len(keys_of(mine)) == 1
    assert check_all(mine) == (4 * count + count * 2 // 3 if count else 0)


def test_an_owner_without_further_rights_can_rotate(mine, fresh, hasty) -> None:
    fill(mine, 30)
    name = f"owner_{uuid4().hex}"
    database = mine.url.database
    run_sql(mine, f"CREATE ROLE {name} LOGIN CREATEROLE")
    run_sql(mine, f"GRANT integrations_app TO {name} WITH ADMIN OPTION")
    run_sql(mine, f"ALTER DATABASE {database} OWNER TO {name}")
    with owner(mine) as connection:
        sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'integrations'"
        for table in list(connection.scalars(text(sql))):
            connection.exec_driver_sql(f"ALTER TABLE integrations.{table} OWNER TO {name}")
        connection.exec_driver_sql(f"ALTER SCHEMA integrations OWNER TO {name}")
    theirs = Store(mine.url.set(username=name), mine.settings, mine.keyring)

    report = rotated(theirs)

    theirs.close()
    assert (report.rows, report.deleted, report.left) == (120, 1, ())
    check_all(mine)
    run_sql(mine, f"REASSIGN OWNED BY {name} TO CURRENT_USER")
    run_sql(mine, f"DROP OWNED BY {name}")
    run_sql(mine, f"DROP ROLE {name}")


# --- the master key ---

WRAPPER = """
from integrations_pipeline.store.crypto import LocalMasterKey
def make():
    return LocalMasterKey(b"k" * 32)
def fails():
    raise OSError("the KMS does not answer")
"""


def test_rewrapped_keys_open_with_the_new_master_key_only(mine, tmp_path) -> None:
    fill(mine, 10)
    path = tmp_path / "new.key"

    done = run(mine, "keys", "rewrap", "--new-key-file", str(path))

    assert done.returncode == 0, done.stderr
    assert f"INTEGRATIONS_MASTER_KEY_FILE={path}" in done.stdout
    assert "restart" in done.stdout
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(MasterKeyError, match="wrong"):
        open_store(mine.settings, CONNECTORS.values())
    renewed = mine.settings.model_copy(update={"master_key_file": path})
    after = open_store(renewed, CONNECTORS.values())
    assert check_all(after) == 46
    after.close()


def test_a_running_process_goes_on_after_rewrap_until_a_key_is_new(mine, tmp_path, hasty) -> None:
    fill(mine, 10)
    path = tmp_path / "new.key"
    place = Place(uuid4(), uuid4(), "x.y")
    assert run(mine, "keys", "rewrap", "--new-key-file", str(path)).returncode == 0
    assert mine.keyring.open(mine.keyring.seal("x", place), place) == "x"
    renewed = mine.settings.model_copy(update={"master_key_file": path})
    after = open_store(renewed, CONNECTORS.values())
    rotated(after)

    with pytest.raises(MasterKeyError):
        mine.keyring.open(after_seal(after, place), place)
    after.close()


def after_seal(store: Store, place: Place) -> bytes:
    """A value under the key that a fresh look finds."""
    with owner(store) as connection:
        return open_keyring(connection, rotation.master_key(store.settings)).seal("x", place)


def test_rewrap_refuses_what_makes_no_sense(mine, tmp_path) -> None:
    (tmp_path / "short").write_text("c2hvcnQ=")
    same = str(mine.settings.data_folder / "master.key")
    cases = {
        (): "either --new-key-file",
        ("--new-key-file", "a", "--new-key-wrapper", "b:c"): "either --new-key-file",
        ("--new-key-file", same): "the master key already",
        ("--new-key-file", str(tmp_path / "short")): "5 bytes",
        ("--new-key-wrapper", "no_such:make"): "no_such",
    }

    for words, told in cases.items():
        done = run(mine, "keys", "rewrap", *words)
        assert (done.returncode, told in done.stderr) == (2, True), (words, done.stderr)
        assert "Traceback" not in done.stderr
    open_store(mine.settings, CONNECTORS.values()).close()


def test_a_wrapper_takes_over_from_the_local_key(mine, tmp_path) -> None:
    fill(mine, 10)
    (tmp_path / "my_kms.py").write_text(WRAPPER)
    name = {"PYTHONPATH": str(tmp_path)}
    named = {**name, "INTEGRATIONS_KEY_WRAPPER": "my_kms:make"}

    assert run(mine, "migrate", **named).returncode == 2  # the keys are not wrapped by it yet
    moved = run(mine, "keys", "rewrap", "--new-key-wrapper", "my_kms:make", **name)
    turned = run(mine, "keys", "rotate", **named)

    assert moved.returncode == 0, moved.stderr
    assert "INTEGRATIONS_KEY_WRAPPER=my_kms:make" in moved.stdout
    assert (turned.returncode, "40 rows" in turned.stdout) == (0, True), turned.stderr
    assert run(mine, "migrate").returncode == 2
    back = run(mine, "keys", "rewrap", "--new-key-file", str(tmp_path / "local.key"), **named)
    assert back.returncode == 0, back.stderr
    local = run(mine, "migrate", INTEGRATIONS_MASTER_KEY_FILE=str(tmp_path / "local.key"))
    assert local.returncode == 0, local.stderr


@pytest.mark.parametrize("name", ["my_kms:fails", "my_kms:absent", "absent:make"])
def test_a_wrapper_that_fails_ends_every_command_before_a_write(fresh, tmp_path, name) -> None:
    (tmp_path / "my_kms.py").write_text(WRAPPER)
    address = fresh.database_url.get_secret_value()
    home = {"INTEGRATIONS_HOME": str(fresh.home), "DATABASE_URL": address}
    wrapper = {"PYTHONPATH": str(tmp_path), "INTEGRATIONS_KEY_WRAPPER": name}

    for words in (["migrate"], ["keys", "rotate"], ["list"]):
        done = subprocess.run(
            [PROGRAM, *words],
            env={**os.environ, **home, **wrapper},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, "INTEGRATIONS_KEY_WRAPPER" in done.stderr) == (2, True)
        assert "Traceback" not in done.stderr
    with create_engine(address, poolclass=NullPool).connect() as connection:
        assert connection.scalar(text("SELECT to_regnamespace('integrations')")) is None
