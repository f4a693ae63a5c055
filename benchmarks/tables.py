"""The subjects' tables: emptied before each of them begins, and looked into afterwards."""

from typing import Any

import psycopg

from benchmarks.connector import BENCH
from benchmarks.pages import CHANGED_BALANCE, CHANGED_EVERY
from benchmarks.plan import PEERS

BALANCES = {
    "engine": f"SELECT balance FROM {BENCH.name}.customers WHERE deleted_at IS NULL",
    "floor": "SELECT (raw->>'balance')::bigint AS balance FROM floor",
    "dlt_default": "SELECT balance FROM dlt_default.customers",
    "dlt_best": "SELECT balance FROM dlt_best.customers",
    "dlt_arrow": "SELECT balance FROM dlt_arrow.customers",
}


def clear(database: str) -> None:
    """Every subject begins without records, and with what the ones before left written out."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {BENCH.name}.customers")
        connection.execute("DROP TABLE IF EXISTS floor")
        for schema in PEERS:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema}, {schema}_staging CASCADE")
        connection.execute("CHECKPOINT")


def check(database: str, subject: str, records: int, *, changed: bool) -> None:
    """Whether the subject did its work: all records are there, and the changes in them.

    Raises:
        SystemExit: they are not.
    """
    query: Any = (
        f"SELECT count(*), count(*) FILTER (WHERE balance > {CHANGED_BALANCE}) "
        f"FROM ({BALANCES[subject]}) AS found"
    )
    with psycopg.connect(database) as connection:
        found = connection.execute(query).fetchone()
    expected = (records, -(-records // CHANGED_EVERY) if changed else 0)
    if found != expected:
        raise SystemExit(f"{subject} has {found} records (all, changed), not {expected}.")
