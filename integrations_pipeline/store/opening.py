"""Opening the store: server, role, migrations, tables and keys, whatever of it is missing."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.errors import ConfigurationError
from integrations_pipeline.settings import Settings
from integrations_pipeline.store import embedded
from integrations_pipeline.store.crypto import Keyring, MasterKey
from integrations_pipeline.store.database import Store, normal_url
from integrations_pipeline.store.datakeys import add_key, has_keys, new_key, open_keyring, read_keys
from integrations_pipeline.store.masterkey import master_key
from integrations_pipeline.store.outbound import make_outbound, missing_outbound
from integrations_pipeline.store.warehouse import ROLE, make_table, outdated_tables

MIGRATION_LOCK = 7_423_001
"""Any number that no other user of the server's advisory locks takes."""


def open_store(settings: Settings, connectors: Iterable[Connector]) -> Store:
    """The store, ready for use; idempotent and safe to call from many processes at once.

    Raises:
        MasterKeyError: the master key is missing, short or wrong; nothing was changed.
        ConfigurationError: the server can't be reached or refuses what is needed.
    """
    master = master_key(settings)
    connectors = list(connectors)
    if strange := set(settings.overrides) - {connector.name for connector in connectors}:
        raise ConfigurationError(
            f"The overrides file names unknown services: {', '.join(sorted(strange))}.",
            action=f"Known: {', '.join(connector.name for connector in connectors)}.",
        )
    url = database_url(settings)
    with owner_connection(url) as connection:
        keyring = _prepare(connection, connectors, master)
    return Store(url, settings, keyring)


@contextmanager
def owner_connection(url: URL) -> Iterator[Connection]:
    """A connection with the rights of the database's owner, outside the application's role.

    Raises:
        ConfigurationError: the server can't be reached or refuses what is needed.
    """
    try:
        with create_engine(url, poolclass=NullPool, hide_parameters=True).connect() as connection:
            yield connection
    except OperationalError as error:
        raise ConfigurationError(
            f"The database {url.render_as_string()} can't be reached: {error.orig}",
            action="Check DATABASE_URL and that the server runs.",
        ) from error
    except ProgrammingError as error:
        raise ConfigurationError(
            f"The database {url.render_as_string()} refuses what is needed: {error.orig}",
            action=f"Its user must own the database and be a member of the role {ROLE}.",
        ) from error


def database_url(settings: Settings) -> URL:
    """The address of the server: the one that was set, else the embedded one, started."""
    if settings.database_url is not None:
        return normal_url(settings.database_url.get_secret_value())
    return embedded.start(settings.data_folder)


def _prepare(connection: Connection, connectors: list[Connector], master: MasterKey) -> Keyring:
    if _is_current(connection, connectors):
        return open_keyring(connection, master)
    connection.rollback()
    with connection.begin():
        # Whoever comes second waits here, and then finds nothing left to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        first = None
        if has_keys(connection):
            read_keys(connection, master)  # a wrong key must change nothing
        else:
            first = new_key(master)  # nor one that can't wrap
        _make_role(connection)
        connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS integrations")
        command.upgrade(_alembic(connection), "head")
        for connector, resource in outdated_tables(connection, connectors):
            make_table(connection, connector, resource)
        for connector, resource in missing_outbound(connection, connectors):
            make_outbound(connection, connector, resource)
        if first is not None:
            add_key(connection, *first)
        return open_keyring(connection, master)


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
    missing = outdated_tables(connection, connectors) or missing_outbound(connection, connectors)
    return version == head and not missing


def _make_role(connection: Connection) -> None:
    """The application's role: it can log in nowhere, owns nothing, and walls hold for it."""
    exists = connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": ROLE})
    if not exists:
        connection.exec_driver_sql(
            f"CREATE ROLE {ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE"
        )
    connection.exec_driver_sql(f"GRANT {ROLE} TO CURRENT_USER")
