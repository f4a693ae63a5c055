"""What a materialization tells: counts, schema, cost, a masked preview, and its checks."""

from datetime import timedelta
from typing import Any

import dagster as dg

from integrations_pipeline.connectors.base import Connector, Resource
from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.warehouse import table_name
from integrations_pipeline.sync import JobResult, ResourceResult
from integrations_pipeline.sync.reporting import preview, stale_integrations, table_state

FRESH_WITHIN = timedelta(hours=24)
CHECKS = {
    "primary_key": "Every record has a key, and no key stands twice.",
    "freshness": "No live integration of the service was left unread for a day.",
}


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
        "duration_seconds": round(done.seconds, 3),
        "run_api_calls": job.usage.calls,
        "run_waited_seconds": round(job.usage.waited_seconds, 3),
        "sync_job": str(job.job_id),
        "preview": dg.MetadataValue.md(_table(preview(store, ref, resource))),
    }


def check_results(
    context: dg.AssetExecutionContext,
    connector: Connector,
    resource: Resource,
    store: Store,
    refs: list[IntegrationRef],
) -> list[dg.AssetCheckResult]:
    """Results of the resource's checks that the run selected, over the given integrations."""
    key = dg.AssetKey([connector.name, resource.name])
    makers = {"primary_key": _primary_key, "freshness": _freshness}
    return [
        maker(key, connector, resource, store, refs)
        for name, maker in makers.items()
        if dg.AssetCheckKey(key, name) in context.selected_asset_check_keys
    ]


def _primary_key(
    key: dg.AssetKey,
    connector: Connector,
    resource: Resource,
    store: Store,
    refs: list[IntegrationRef],
) -> dg.AssetCheckResult:
    bad = {ref.key: table_state(store, ref, resource).bad_keys for ref in refs}
    return dg.AssetCheckResult(
        asset_key=key,
        check_name="primary_key",
        passed=not any(bad.values()),
        metadata={
            "table": table_name(connector, resource),
            "integrations": len(refs),
            "empty_or_double_keys": sum(bad.values()),
        },
    )


def _freshness(
    key: dg.AssetKey,
    connector: Connector,
    resource: Resource,
    store: Store,
    refs: list[IntegrationRef],
) -> dg.AssetCheckResult:
    stale = stale_integrations(store, connector.type, resource.name, FRESH_WITHIN)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name="freshness",
        passed=not stale,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"stale_integrations": ", ".join(sorted(stale)) or "none"},
        description=f"Looked at all live integrations; this run concerned {len(refs)}.",
    )


def _table(rows: list[dict[str, str]]) -> str:
    """A Markdown table."""
    if not rows:
        return "No records."
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")
