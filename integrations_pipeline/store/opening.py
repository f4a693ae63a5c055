"""Opening the store: server, role, migrations, tables and keys, whatever of it is missing."""

import os
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID, uuid4

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.errors import ConfigurationError
from integrations_pipeline.settings import Settings
from integrations_pipeline.store import crypto, embedded
from integrations_pipeline.store.crypto import Keyring
from integrations_pipeline.store.database import Store, normal_url
from integrations_pipeline.store.warehouse import ROLE, make_table, outdated_tables

MIGRATION_LOCK = 7_423_001
"""Any number that no other user of the server's advisory locks takes."""


def open_store(settings: Settings, connectors: Iterable[Connector]) -> Store:
    """The store, ready for use; idempotent and safe to call from many processes at once.

    Raises:
        MasterKeyError: the master key is missing, short or wrong; nothing was changed.
        ConfigurationError: the server can't be reached or refuses what is needed.
    """
    master = crypto.read_master_key(settings)
    connectors = list(connectors)
    if strange := set(settings.overrides) - {connector.name for connector in connectors}:
        raise ConfigurationError(
            f"The overrides file names unknown services: {', '.join(sorted(strange))}.",
            action=f"Known: {', '.join(connector.name for connector in connectors)}.",
        )
    url = database_url(settings)
    admin = create_engine(url, poolclass=NullPool)
    try:
        with admin.connect() as connection:
            keyring = _prepare(connection, connectors, master)
    except OperationalError as error:
        raise ConfigurationError(
            f"The database {url.render_as_string()} can't be reached: {error.orig}",
            action="Check DATABASE_URL and that the server runs.",
        ) from error
    except ProgrammingError as error:
        raise ConfigurationError(
            f"The database {url.render_as_string()} refuses to be set up: {error.orig}",
            action=f"Its user must own the database and be a member of the role {ROLE}.",
        ) from error
    return Store(url, settings, keyring)


def database_url(settings: Settings) -> URL:
    """The address of the server: the one that was set, else the embedded one, started."""
    if settings.database_url is not None:
        return normal_url(settings.database_url.get_secret_value())
    return embedded.start(settings.data_folder)


def _prepare(connection: Connection, connectors: list[Connector], master: bytes) -> Keyring:
    if _is_current(connection, connectors):
        return _load_keys(connection, master)
    connection.rollback()
    with connection.begin():
        # Whoever comes second waits here, and then finds nothing left to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        if _has_keys(connection):
            _load_keys(connection, master)  # a wrong key must change nothing
        _make_role(connection)
        connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS integrations")
        command.upgrade(_alembic(connection), "head")
        for connector, resource in outdated_tables(connection, connectors):
            make_table(connection, connector, resource)
        if not _has_keys(connection):
            _make_key(connection, master)
        return _load_keys(connection, master)


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _is_current(connection: Connection, connectors: list[Connector]) -> bool:
    if not connection.scalar(text("SELECT to_regclass('integrations.alembic_version')")):
        return False
    version = connection.scalar(text("SELECT version_num FROM integrations.alembic_version"))
    head = ScriptDirectory.from_config(_alembic(connection)).get_current_head()
    return version == head and not outdated_tables(connection, connectors)


def _make_role(connection: Connection) -> None:
    """The application's role: it can log in nowhere, owns nothing, and walls hold for it."""
    exists = connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": ROLE})
    if not exists:
        connection.exec_driver_sql(
            f"CREATE ROLE {ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE"
        )
    connection.exec_driver_sql(f"GRANT {ROLE} TO CURRENT_USER")


def _has_keys(connection: Connection) -> bool:
    there = connection.scalar(text("SELECT to_regclass('integrations.data_key')"))
    return bool(there and connection.scalar(text("SELECT 1 FROM integrations.data_key LIMIT 1")))


def _make_key(connection: Connection, master: bytes) -> None:
    key_id = uuid4()
    wrapped = crypto.wrap(master, key_id, os.urandom(crypto.KEY_BYTES))
    connection.execute(
        text("INSERT INTO integrations.data_key (id, wrapped) VALUES (:id, :wrapped)"),
        {"id": key_id, "wrapped": wrapped},
    )


def _load_keys(connection: Connection, master: bytes) -> Keyring:
    rows = connection.execute(
        text("SELECT id, wrapped FROM integrations.data_key ORDER BY created_at, id")
    ).all()
    keys: dict[UUID, bytes] = {
        key_id: crypto.unwrap(master, key_id, bytes(wrapped)) for key_id, wrapped in rows
    }
    return Keyring(keys, current=rows[-1][0])
