"""What a materialization tells: counts, schema, cost, a masked preview."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from integrations_pipeline.connectors.base import Resource
from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.warehouse import table_name
from integrations_pipeline.sync import JobResult, ResourceResult
from integrations_pipeline.sync.reporting import preview, table_state


def column_schema(resource: Resource) -> dg.TableSchema:
    """The typed columns of a resource's table, and those that every table has."""
    declared = [dg.TableColumn(column.name, str(column.type)) for column in resource.columns]
    common = [("id", "text"), ("raw", "jsonb"), ("custom", "jsonb")]
    stamps = [(name, "timestamptz") for name in ("source_updated_at", "synced_at", "deleted_at")]
    return dg.TableSchema([*declared, *(dg.TableColumn(n, t) for n, t in common + stamps)])


def evidence(
    store: Store, ref: IntegrationRef, resource: Resource, job: JobResult, done: ResourceResult
) -> dict[str, Any]:
    """The metadata of one materialization."""
    counts, state = done.counts, table_state(store, ref, resource)
    return {
        "dagster/partition_row_count": state.rows,
        "dagster/table_name": table_name(ref.connector, resource),
        "dagster/column_schema": column_schema(resource),
        "mode": done.mode,
        "records_processed": counts.processed,
        "records_created": counts.created,
        "records_updated": counts.updated,
        "records_deleted": counts.deleted,
        "records_unchanged": counts.unchanged,
        "records_rejected": counts.rejected,
        "warnings": done.warnings,
        "schema_changes": dg.MetadataValue.md(_list(done.schema_changes)),
        "duration_seconds": round(done.seconds, 3),
        "api_calls": done.usage.calls,
        "api_bytes": done.usage.received_bytes,
        "waited_seconds": round(done.usage.waited_seconds, 3),
        "retries": done.usage.retries,
        "run_api_calls": job.usage.calls,
        "run_waited_seconds": round(job.usage.waited_seconds, 3),
        "sync_job": str(job.job_id),
        "preview": dg.MetadataValue.md(_table(preview(store, ref, resource))),
    }


def _table(rows: list[dict[str, str]]) -> str:
    """A Markdown table."""
    if not rows:
        return "No records."
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _list(lines: Sequence[str]) -> str:
    """A Markdown list; names of fields are the service's words."""
    return "\n".join(f"- {_cell(line)}" for line in lines) or "None."


def _cell(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")
