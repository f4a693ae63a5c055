"""One process's way to the data: sessions behind the tenant wall, and the keys to secrets."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from integrations_pipeline.errors import ConfigurationError
from integrations_pipeline.settings import Settings
from integrations_pipeline.store.crypto import Keyring
from integrations_pipeline.store.warehouse import ROLE

ALIVE = {
    "keepalives": 1,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A network that is dead without a word is noticed within half a minute (libpq, 32.1.2)."""


def application_engine(url: URL) -> Engine:
    """An engine whose connections all act as the application's role, in UTC."""
    engine = create_engine(
        url,
        pool_size=10,
        max_overflow=20,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=ALIVE,
    )

    @event.listens_for(engine, "connect")
    def act_as_application(connection: psycopg.Connection[Any], _: object) -> None:
        connection.autocommit = True
        connection.execute(f"SET ROLE {ROLE}")
        connection.execute("SET TIME ZONE 'UTC'")
        # a process that stands still inside a transaction must not keep its locks
        connection.execute("SET idle_in_transaction_session_timeout = '20s'")
        connection.autocommit = False

    return engine


class Store:
    """The database, seen by the application's role. Every session is one transaction."""

    def __init__(self, url: URL, settings: Settings, keyring: Keyring) -> None:
        self.url = url
        self.settings = settings
        self.keyring = keyring
        self.engine = application_engine(url)

    @contextmanager
    def tenant(self, tenant_id: UUID) -> Iterator[Session]:
        """A transaction that sees one tenant's rows."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            set_tenant(session.connection(), tenant_id)
            yield session

    @contextmanager
    def system(self) -> Iterator[Session]:
        """A transaction across tenants, for work such as dispatching; it sees no records."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            session.execute(text("SELECT set_config('integrations.system', 'on', true)"))
            yield session

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def set_tenant(connection: Connection, tenant_id: UUID, **settings: str) -> None:
    """Let the rest of this transaction see the tenant's rows, under these settings."""
    values = {"integrations.tenant": str(tenant_id), **settings}
    told = ", ".join(f"set_config('{name}', %s, true)" for name in values)
    connection.exec_driver_sql(f"SELECT {told}", tuple(values.values()))


def normal_url(url: str, variable: str = "DATABASE_URL") -> URL:
    """The address with our driver written out (bare `postgresql://` means different drivers).

    Raises:
        ConfigurationError: the variable holds no address of a PostgreSQL database.
    """
    told = f"{variable} is no address of the form postgresql://user:password@host/database."
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        found = None
    if found is None or not found.drivername.startswith("postgres") or not found.database:
        raise ConfigurationError(told)
    if "@" in (found.host or ""):  # what follows the first @ of a password would be shown as host
        raise ConfigurationError(f"{told} Write an @ of the password as %40.")
    return found.set(drivername="postgresql+psycopg")
