"""The floor: the smallest script that fetches the same pages and upserts id, time and JSON."""

from typing import Any

import orjson
import psycopg
import requests
from psycopg.types.json import Jsonb, set_json_dumps

MERGE = """
INSERT INTO floor (id, created, raw) SELECT id, to_timestamp(created), raw FROM floor_stage
ON CONFLICT (id) DO UPDATE SET created = EXCLUDED.created, raw = EXCLUDED.raw
"""


def load(connection: psycopg.Connection[Any], rows: list[dict[str, Any]]) -> None:
    """One page, in one transaction."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS floor_stage "
            "(id text, created bigint, raw jsonb) ON COMMIT DELETE ROWS"
        )
        with cursor.copy("COPY floor_stage FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["text", "int8", "jsonb"])
            for row in rows:
                copy.write_row((row["id"], row["created"], Jsonb(row)))
        cursor.execute(MERGE)


def run(url: str, database: str) -> int:
    """Fetch and load everything; returns the number of rows."""
    set_json_dumps(orjson.dumps)
    session, after = requests.Session(), None
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS floor")
        connection.execute(
            "CREATE TABLE floor (id text PRIMARY KEY, created timestamptz, raw jsonb)"
        )
        while True:
            params = {"limit": 1000, "starting_after": after} if after else {"limit": 1000}
            page = orjson.loads(
                session.get(url + "/v1/customers", params=params, timeout=60).content
            )
            load(connection, page["data"])
            if not page["has_more"]:
                found = connection.execute("SELECT count(*) FROM floor").fetchone()
                return int(found[0]) if found else 0
            after = page["data"][-1]["id"]
