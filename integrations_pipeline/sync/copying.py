"""Staging: changes go to Postgres in the binary form of COPY, written here byte by byte.

The format is that of PostgreSQL's COPY documentation, "Binary Format". Writing it directly costs
a third of what a general row writer costs, and the raw JSON passes through untouched.
"""

import struct
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
from sqlalchemy import Connection

from integrations_pipeline.sync.records import Change

# COPY is refused on a table with row-level security, so records pass through this one.
STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS stage (
    id text, raw jsonb, content_hash bytea, source_updated_at timestamptz
) ON COMMIT DELETE ROWS
"""
COPY = "COPY stage (id, raw, content_hash, source_updated_at) FROM STDIN (FORMAT binary)"

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = struct.pack(">h", -1)
NULL = struct.pack(">i", -1)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_start = struct.Struct(">hi").pack  # number of columns, length of the first
_length = struct.Struct(">i").pack
_json = struct.Struct(">iB").pack  # length, version of jsonb's binary form
_time = struct.Struct(">iq").pack


def copy_changes(connection: Connection, changes: list[Change]) -> None:
    """Put records into the stage of this transaction."""
    connection.exec_driver_sql(STAGE)
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    with driver.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.write(b"".join((HEADER, *encoded(changes), TRAILER)))


def encoded(changes: Iterable[Change]) -> Iterable[bytes]:
    """The rows as COPY takes them."""
    for change in changes:
        key, raw, digest = change.key.encode(), change.raw or b"", change.digest or b""
        yield b"".join(
            (
                *(_start(4, len(key)), key),
                *(_json(len(raw) + 1, 1), raw),
                *(_length(len(digest)), digest),
                NULL if change.version is None else _time(8, _microseconds(change.version)),
            )
        )


def _microseconds(moment: datetime) -> int:
    """Microseconds since 2000, as Postgres counts time."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
