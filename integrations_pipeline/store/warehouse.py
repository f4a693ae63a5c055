"""The tables that records land in: one schema per service, one table per resource."""

from collections.abc import Iterable

import orjson
from sqlalchemy import Connection, text

from integrations_pipeline.connectors.base import Connector, Resource
from integrations_pipeline.connectors.columns import Column, ColumnType, TimeFormat

ROLE = "integrations_app"
# the inner SELECT is evaluated once for each statement, not once for each row
_OWN_ROWS = "tenant_id = (SELECT integrations.current_tenant())"

# Each record keeps its raw form, whatever the typed columns make of it.
BASE_COLUMNS = """
    tenant_id uuid NOT NULL,
    integration_id uuid NOT NULL,
    id text NOT NULL,
    custom jsonb NOT NULL DEFAULT '{}',
    raw jsonb NOT NULL,
    source_updated_at timestamptz,
    content_hash bytea NOT NULL,
    first_synced_at timestamptz NOT NULL DEFAULT now(),
    synced_at timestamptz NOT NULL DEFAULT now(),
    job_id uuid NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, integration_id, id)
"""


def table_name(connector: Connector, resource: Resource) -> str:
    """Schema and table of a resource, as SQL writes it."""
    return f"{connector.name}.{resource.name}"


def extraction(column: Column, raw: str = "raw", *, strict: bool = False) -> str:
    """The SQL expression that takes a column's value out of the raw record.

    Where the value does not fit the column, the usual form gives NULL; the strict one, which
    costs less, may fail instead. Where neither fails, both give the same.
    """
    is_json = column.type is ColumnType.JSON
    arrow, nothing = (">", "'null'") if is_json else (">>", "''")
    values = [f"NULLIF({raw} {_step(path, arrow, strict)}, {nothing})" for path in column.paths]
    value = values[0] if len(values) == 1 else f"COALESCE({', '.join(values)})"
    casts = _STRICT if strict else _FORGIVING
    if column.type is ColumnType.TIMESTAMP:
        return casts[column.time_format].format(value)
    return casts.get(column.type, "{0}").format(value)


def _step(path: str, arrow: str, strict: bool) -> str:
    """The operator and operand that lead to a path; to a plain name there is a shorter way."""
    if strict and path.isidentifier():
        return f"-{arrow} '{path}'"
    steps = path.replace(".", ",")
    return f"#{arrow} '{{{steps}}}'"


_FORGIVING: dict[ColumnType | TimeFormat, str] = {
    ColumnType.INTEGER: "integrations.try_bigint({0})",
    ColumnType.NUMBER: "integrations.try_numeric({0})",
    ColumnType.BOOLEAN: "integrations.try_boolean({0})",
    TimeFormat.ISO: "integrations.try_timestamptz({0})",
    TimeFormat.SECONDS: "integrations.try_epoch({0}, 1)",
    TimeFormat.MILLISECONDS: "integrations.try_epoch({0}, 1000)",
}
_STRICT: dict[ColumnType | TimeFormat, str] = {
    ColumnType.INTEGER: "({0})::bigint",
    ColumnType.NUMBER: "({0})::numeric",
    ColumnType.BOOLEAN: "({0})::boolean",
    TimeFormat.ISO: "integrations.strict_timestamptz({0})",
    TimeFormat.SECONDS: "integrations.strict_epoch({0}, 1)",
    TimeFormat.MILLISECONDS: "integrations.strict_epoch({0}, 1000)",
}


def declared_columns(resource: Resource) -> dict[str, str]:
    """Each declared column with the expression that fills it."""
    return {column.name: extraction(column) for column in resource.columns}


def outdated_tables(
    connection: Connection, connectors: Iterable[Connector]
) -> list[tuple[Connector, Resource]]:
    """Resources whose table is missing or was made with other columns."""
    made = connection.execute(text("SELECT name, columns FROM integrations.warehouse_table"))
    known = {row.name: row.columns for row in made}
    return [
        (connector, resource)
        for connector in connectors
        for resource in connector.resources
        if known.get(table_name(connector, resource)) != declared_columns(resource)
    ]


def make_table(connection: Connection, connector: Connector, resource: Resource) -> None:
    """Create the resource's table, or bring its columns up to the declaration.

    A column that is new, or that is now read from elsewhere, is filled from the raw records.
    """
    name = table_name(connector, resource)
    connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {connector.name}")
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {connector.name} TO {ROLE}")
    connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {name} ({BASE_COLUMNS})")
    wall(connection, name)
    _add_columns(connection, name, resource)
    connection.execute(
        text(
            "INSERT INTO integrations.warehouse_table (name, columns) "
            "VALUES (:name, CAST(:columns AS jsonb)) "
            "ON CONFLICT (name) DO UPDATE SET columns = EXCLUDED.columns"
        ),
        {"name": name, "columns": orjson.dumps(declared_columns(resource)).decode()},
    )


def wall(connection: Connection, name: str) -> None:
    """Only the tenant's own transactions see the rows: not even system work does."""
    for statement in (
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
        f"DROP POLICY IF EXISTS tenant_wall ON {name}",
        f"CREATE POLICY tenant_wall ON {name} USING ({_OWN_ROWS})",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {ROLE}",
    ):
        connection.exec_driver_sql(statement)


def _add_columns(connection: Connection, name: str, resource: Resource) -> None:
    known = connection.execute(
        text("SELECT columns FROM integrations.warehouse_table WHERE name = :name"), {"name": name}
    ).scalar()
    before: dict[str, str] = known or {}
    stale = [c for c in resource.columns if before.get(c.name) != extraction(c)]
    for column in stale:
        connection.exec_driver_sql(f'ALTER TABLE {name} DROP COLUMN IF EXISTS "{column.name}"')
        connection.exec_driver_sql(f'ALTER TABLE {name} ADD COLUMN "{column.name}" {column.type}')
    if before and stale:
        _refill(connection, name, stale)


def _refill(connection: Connection, name: str, columns: list[Column]) -> None:
    values = ", ".join(f'"{column.name}" = {extraction(column)}' for column in columns)
    # The owner stands outside the wall only while it is down, and this transaction holds the table.
    connection.exec_driver_sql(f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY")
    connection.exec_driver_sql(f"UPDATE {name} SET {values}")
    connection.exec_driver_sql(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
