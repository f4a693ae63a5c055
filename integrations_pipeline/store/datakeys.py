"""The data keys in the database: read, made, wrapped anew; all but reading is the owner's right."""

import os
from collections.abc import Callable, Collection
from uuid import UUID, uuid4

from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.pool import NullPool

from integrations_pipeline.errors import MasterKeyError
from integrations_pipeline.store.crypto import KEY_BYTES, DataKeys, Keyring, Load, MasterKey

KEY_LOCK = 7_423_002
"""Any number that no other user of the server's advisory locks takes."""


def has_keys(connection: Connection) -> bool:
    """Whether this database was set up before."""
    there = connection.scalar(text("SELECT to_regclass('integrations.data_key')"))
    return bool(there and connection.scalar(text("SELECT 1 FROM integrations.data_key LIMIT 1")))


def lock_keys(connection: Connection) -> None:
    """Until the transaction ends, nobody else makes, wraps or deletes keys."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": KEY_LOCK})


def read_keys(connection: Connection, master: MasterKey, known: Collection[UUID] = ()) -> DataKeys:
    """The keys that are there, unwrapped save the known ones.

    Raises:
        MasterKeyError: the master key does not open them.
    """
    rows = connection.execute(
        text("SELECT id, wrapped FROM integrations.data_key ORDER BY created_at, id")
    ).all()
    opened = {
        row.id: master.unwrap(row.id, bytes(row.wrapped)) for row in rows if row.id not in known
    }
    return DataKeys(tuple(row.id for row in rows), opened)


def open_keyring(connection: Connection, master: MasterKey) -> Keyring:
    """The keys, followed from then on over connections of their own.

    The pool's would not do: keys are read while a transaction is open, and threads that each hold
    one connection and wait for a second one would wait for each other.
    """
    keys = read_keys(connection, master)
    return Keyring(keys.unwrapped, keys.current, _reader(connection.engine.url, master))


def _reader(url: URL, master: MasterKey) -> Load:
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)

    def read(known: Collection[UUID]) -> DataKeys:
        with engine.connect() as connection:
            return read_keys(connection, master, known)

    return read


def new_key(master: MasterKey) -> tuple[UUID, bytes]:
    """The id of a new data key, and the key as it is stored.

    Raises:
        MasterKeyError: the master key can't wrap it.
    """
    key_id = uuid4()
    return key_id, _wrapped(master, key_id, os.urandom(KEY_BYTES))


def add_key(connection: Connection, key_id: UUID, wrapped: bytes) -> None:
    """Let this be the newest key, even if the clock was set back."""
    sql = """
        INSERT INTO integrations.data_key (id, wrapped, created_at)
        SELECT :id, :wrapped,
            greatest(clock_timestamp(), max(created_at) + interval '1 microsecond')
        FROM integrations.data_key
    """
    connection.execute(text(sql), {"id": key_id, "wrapped": wrapped})


def rewrap(connection: Connection, old: MasterKey, new: Callable[[], MasterKey]) -> int:
    """Wrap all data keys under another master key, all or none; the number of keys.

    Raises:
        MasterKeyError: the old key is wrong (`new` was not called then), or the new one fails.
    """
    sql = text("UPDATE integrations.data_key SET wrapped = :wrapped WHERE id = :id")
    with connection.begin():
        lock_keys(connection)
        keys = read_keys(connection, old).unwrapped
        master = new()
        for key_id, key in keys.items():
            values = {"id": key_id, "wrapped": _wrapped(master, key_id, key)}
            connection.execute(sql, values)
    return len(keys)


def _wrapped(master: MasterKey, key_id: UUID, key: bytes) -> bytes:
    """The wrapped key, once it was seen to open: else all that it seals would be lost."""
    wrapped = master.wrap(key_id, key)
    if master.unwrap(key_id, wrapped) != key:
        raise MasterKeyError("The master key can't be used: it does not open what it wraps.")
    return wrapped
