"""The floor: the smallest script that fetches the same pages and upserts id, time and JSON."""

from collections.abc import Callable
from typing import Any

import orjson
import psycopg
import requests
from psycopg.types.json import Jsonb, set_json_dumps

from benchmarks.measuring import Task

TABLE = """
CREATE TABLE IF NOT EXISTS floor (id text PRIMARY KEY, updated timestamptz, raw jsonb)
"""
MERGE = """
INSERT INTO floor (id, updated, raw) SELECT id, to_timestamp(updated), raw FROM floor_stage
ON CONFLICT (id) DO UPDATE SET updated = EXCLUDED.updated, raw = EXCLUDED.raw
"""


def ready(task: Task) -> Callable[[], None]:
    """What is measured."""
    return lambda: run(task.url, task.database)


def load(connection: psycopg.Connection[Any], rows: list[dict[str, Any]]) -> None:
    """One page, in one transaction."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS floor_stage "
            "(id text, updated bigint, raw jsonb) ON COMMIT DELETE ROWS"
        )
        with cursor.copy("COPY floor_stage FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["text", "int8", "jsonb"])
            for row in rows:
                copy.write_row((row["id"], row["updated"], Jsonb(row)))
        cursor.execute(MERGE)


def run(url: str, database: str) -> None:
    """Fetch and load everything."""
    set_json_dumps(orjson.dumps)
    session, after = requests.Session(), None
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLE)
        while True:
            params = {"limit": 1000, "starting_after": after} if after else {"limit": 1000}
            answer = session.get(url + "/v1/customers", params=params, timeout=60)
            page = orjson.loads(answer.content)
            load(connection, page["data"])
            if not page["has_more"]:
                return
            after = page["data"][-1]["id"]
