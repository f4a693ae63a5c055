"""The checks of every resource's asset."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import dagster as dg

from integrations_pipeline.connectors.base import Connector, Resource
from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.warehouse import table_name
from integrations_pipeline.sync.letters import count_letters
from integrations_pipeline.sync.reporting import (
    last_schema_changes,
    stale_integrations,
    table_state,
)

FRESH_WITHIN = timedelta(hours=24)
CHECKS = {
    "primary_key": "Every record has a key, and no key stands twice.",
    "freshness": "No live integration of the service was left unread for a day.",
    "schema": "The last sync met the fields that earlier ones knew: none new, other or gone.",
    "dead_letters": "No record waits that could not be loaded or sent.",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks look at: a resource, for some integrations."""

    store: Store
    connector: Connector
    resource: Resource
    refs: list[IntegrationRef]


def check_results(context: dg.AssetExecutionContext, checked: Checked) -> list[dg.AssetCheckResult]:
    """Results of the resource's checks that the run selected."""
    key = dg.AssetKey([checked.connector.name, checked.resource.name])
    return [
        maker(key, checked)
        for name, maker in _MAKERS.items()
        if dg.AssetCheckKey(key, name) in context.selected_asset_check_keys
    ]


def _primary_key(key: dg.AssetKey, at: Checked) -> dg.AssetCheckResult:
    bad = sum(table_state(at.store, ref, at.resource).bad_keys for ref in at.refs)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name="primary_key",
        passed=not bad,
        metadata={
            "table": table_name(at.connector, at.resource),
            "integrations": len(at.refs),
            "empty_or_double_keys": bad,
        },
    )


def _freshness(key: dg.AssetKey, at: Checked) -> dg.AssetCheckResult:
    stale = stale_integrations(at.store, at.connector.type, at.resource.name, FRESH_WITHIN)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name="freshness",
        passed=not stale,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"stale_integrations": ", ".join(sorted(stale)) or "none"},
        description=f"Looked at all live integrations; this run concerned {len(at.refs)}.",
    )


def _schema(key: dg.AssetKey, at: Checked) -> dg.AssetCheckResult:
    found = {ref.key: last_schema_changes(at.store, ref, at.resource) for ref in at.refs}
    told = {name: " ".join(changes) for name, changes in found.items() if changes}
    return dg.AssetCheckResult(
        asset_key=key,
        check_name="schema",
        passed=not told,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=dict(told),
        description="The raw records keep every field. Map a new one, or adapt what reads an "
        "old one; the next sync takes the fields as they are now."
        if told
        else None,
    )


def _dead_letters(key: dg.AssetKey, at: Checked) -> dg.AssetCheckResult:
    counted = {ref.key: count_letters(at.store, ref, at.resource.name) for ref in at.refs}
    waiting = {name: count for name, count in counted.items() if count}
    return dg.AssetCheckResult(
        asset_key=key,
        check_name="dead_letters",
        passed=not waiting,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=dict(waiting),
        description="See them with `integrations letters`." if waiting else None,
    )


_MAKERS: dict[str, Callable[[dg.AssetKey, Checked], dg.AssetCheckResult]] = {
    "primary_key": _primary_key,
    "freshness": _freshness,
    "schema": _schema,
    "dead_letters": _dead_letters,
}
