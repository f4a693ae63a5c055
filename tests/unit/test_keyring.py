"""A keyring follows the keys in the database."""

import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from sqlalchemy import LargeBinary
from sqlalchemy.exc import OperationalError

from integrations_pipeline.errors import MasterKeyError
from integrations_pipeline.store import crypto, models, sync_models
from integrations_pipeline.store.crypto import DataKeys, Keyring, Place, SealError
from integrations_pipeline.store.sealed import SEALED
from integrations_pipeline.store.tables import Base

PLACE = Place(uuid4(), uuid4(), "oauth_token.access_token")
NOT_SEALED = {
    "api_key.key_hash",
    "oauth_state.state_hash",
    "oauth_state.session_hash",
    "data_key.wrapped",
    "dead_letter.payload",
    "dead_letter.digest",
}
"""Hashes, and the wrapped keys themselves."""


class Clock:
    """Time that passes when somebody sleeps, or the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        self.now += 1e-6  # no two looks are the same
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Database:
    """The keys as a database holds them; every load is counted."""

    def __init__(self) -> None:
        self.keys: dict[UUID, bytes] = {}
        self.loads = 0
        self.error: Exception | None = None

    def add(self) -> UUID:
        key_id = uuid4()
        self.keys[key_id] = os.urandom(32)
        return key_id

    def load(self, known) -> DataKeys:
        self.loads += 1
        if self.error is not None:
            raise self.error
        fresh = {key_id: key for key_id, key in self.keys.items() if key_id not in known}
        return DataKeys(tuple(self.keys), fresh)

    def keyring(self) -> Keyring:
        return Keyring(dict(self.keys), list(self.keys)[-1], self.load)

    def sealed(self) -> bytes:
        """A value that another process sealed under the newest key."""
        return Keyring(dict(self.keys), list(self.keys)[-1]).seal("x", PLACE)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(crypto, "time", made)
    return made


@pytest.fixture
def database(clock) -> Database:
    made = Database()
    made.add()
    return made


def junk() -> bytes:
    return crypto.FORMAT + os.urandom(60)


def test_a_key_made_elsewhere_is_found_at_once(database, clock) -> None:
    keyring = database.keyring()
    database.add()

    assert keyring.open(database.sealed(), PLACE) == "x"
    assert (database.loads, sum(clock.slept)) == (1, 0)


def test_known_keys_open_without_a_look_at_the_database(database, clock) -> None:
    keyring = database.keyring()
    sealed = keyring.seal("x", PLACE)
    clock.now += 3600

    for _ in range(100):
        keyring.open(sealed, PLACE)
    assert database.loads == 0


def test_junk_is_refused_and_costs_a_look_a_second(database, clock) -> None:
    keyring, began = database.keyring(), clock.now

    for _ in range(20):
        with pytest.raises(SealError, match="unknown key"):
            keyring.open(junk(), PLACE)
    assert database.loads == 20
    assert clock.now - began >= 19 * crypto.FRESH_SECONDS


def test_a_new_key_is_found_right_after_junk(database, clock) -> None:
    keyring = database.keyring()
    with pytest.raises(SealError):
        keyring.open(junk(), PLACE)
    database.add()

    assert keyring.open(database.sealed(), PLACE) == "x"


def test_what_is_no_sealed_value_never_reaches_the_database(database) -> None:
    for value in (b"", b"short", b"\x02" * 60, b"text that was never sealed, and quite long"):
        with pytest.raises(SealError):
            database.keyring().open(value, PLACE)
    assert database.loads == 0


def test_seals_move_to_a_new_key_within_a_second(database, clock) -> None:
    keyring = database.keyring()
    new = database.add()
    clock.now += crypto.FRESH_SECONDS

    for _ in range(50):
        assert keyring.seal("x", PLACE)[1:17] == new.bytes
    assert database.loads == 1


BROKEN = [OperationalError("select", {}, Exception("gone")), MasterKeyError("wrong")]


@pytest.mark.parametrize("error", BROKEN, ids=["database gone", "key not opened"])
def test_a_token_just_received_is_sealed_even_if_the_keys_cant_be_read(
    database, clock, error
) -> None:
    keyring = database.keyring()
    clock.now += 60
    database.error = error

    sealed = [keyring.seal("x", PLACE) for _ in range(5)]

    assert {keyring.open(one, PLACE) for one in sealed} == {"x"}
    assert database.loads == 1  # nor is it asked again for every value


@pytest.mark.parametrize("error", BROKEN, ids=["database gone", "key not opened"])
def test_a_key_that_cant_be_read_is_not_called_a_spoilt_value(database, error) -> None:
    keyring = database.keyring()
    database.add()
    sealed, database.error = database.sealed(), error

    with pytest.raises(type(error)):
        keyring.open(sealed, PLACE)
    database.error = None
    assert keyring.open(sealed, PLACE) == "x"


def test_a_key_that_was_deleted_still_opens_what_was_read_before(database, clock) -> None:
    keyring, old = database.keyring(), next(iter(database.keys))
    sealed = database.sealed()
    new = database.add()
    del database.keys[old]
    clock.now += 60

    assert keyring.seal("x", PLACE)[1:17] == new.bytes
    assert keyring.open(sealed, PLACE) == "x"


def test_many_threads_share_one_look() -> None:
    database = Database()
    database.add()
    keyring = database.keyring()
    database.add()
    sealed, start = database.sealed(), threading.Barrier(16)

    def one(_: int) -> str:
        start.wait()
        return keyring.open(sealed, PLACE)

    with ThreadPoolExecutor(16) as pool:
        assert Counter(pool.map(one, range(16))) == {"x": 16}
    assert database.loads <= 2


def test_every_binary_column_is_sealed_or_named_as_something_else() -> None:
    assert models
    assert sync_models
    binary = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    sealed = {f"{one.name}.{column}" for one in SEALED for column in one.columns}

    assert binary - sealed == NOT_SEALED
    assert sealed <= binary
    for one in SEALED:
        assert {column.name for column in one.table.primary_key} == {"tenant_id", one.row_id}


def test_what_strangers_send_is_looked_up_without_waiting(database, clock) -> None:
    keyring = database.keyring()
    for _ in range(100):
        assert not keyring.knows(os.urandom(16))
        assert not keyring.knows(b"")
    assert (database.loads, clock.slept) == (0, [])

    new = database.add()
    clock.now += 2 * crypto.FRESH_SECONDS
    assert keyring.knows(new.bytes)
    assert (database.loads, clock.slept) == (1, [])


def test_without_the_database_the_known_keys_are_still_known(database, clock) -> None:
    keyring = database.keyring()
    database.error = OperationalError("", {}, Exception())
    clock.now += 3600

    assert keyring.knows(list(database.keys)[-1].bytes)
    assert not keyring.knows(os.urandom(16))
