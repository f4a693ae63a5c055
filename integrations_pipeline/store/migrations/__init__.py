"""Alembic migrations of the application's tables."""

from pathlib import Path
from typing import Any, cast

import psycopg
from sqlalchemy import Connection


def run_script(connection: Connection, path: Path) -> None:
    """Run a file of many statements, unread by SQLAlchemy, in the running transaction."""
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    driver.execute(path.read_bytes())
