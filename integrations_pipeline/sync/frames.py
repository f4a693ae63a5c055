"""Records as pandas DataFrames. Imported only where they are wanted: pandas is heavy."""

from typing import Any

import orjson
import pandas as pd
from sqlalchemy import text

from integrations_pipeline.connectors.base import Resource
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.database import set_tenant
from integrations_pipeline.store.warehouse import table_name


def records_frame(store: Store, ref: IntegrationRef, resource: Resource) -> pd.DataFrame:
    """An integration's live records, indexed by id."""
    names = ", ".join(f'"{column.name}"' for column in resource.columns)
    sql = f"""
        SELECT id, {names}, source_updated_at, synced_at
        FROM {table_name(ref.connector, resource)}
        WHERE tenant_id = :tenant AND integration_id = :integration AND deleted_at IS NULL
        ORDER BY id
    """
    values = {"tenant": str(ref.tenant_id), "integration": str(ref.id)}
    with store.engine.begin() as connection:
        set_tenant(connection, ref.tenant_id)
        return pd.read_sql(text(sql), connection, params=values, index_col="id")


def rows_of_frame(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A DataFrame's rows as JSON has them: missing values are null, times are ISO 8601.

    An index with a name is a column like the others.
    """
    whole = frame.reset_index() if frame.index.name else frame
    rows: list[dict[str, Any]] = orjson.loads(whole.to_json(orient="records", date_format="iso"))
    return rows
