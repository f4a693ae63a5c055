"""What the demo tells at its end, compared with what the sandbox holds."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import requests
from rich.console import Console
from rich.table import Table

from integrations_pipeline.oauth import IntegrationRef, list_integrations
from integrations_pipeline.stack import Ports
from integrations_pipeline.store import Store
from integrations_pipeline.store.states import IntegrationStatus
from integrations_pipeline.sync import get_sync_job_history
from integrations_pipeline.sync.reporting import table_state

CONNECTED = {IntegrationStatus.ACTIVE, IntegrationStatus.SYNCING}
TENANTS = {"acme": "Acme Bikes", "globex": "Globex"}


@dataclass(frozen=True, slots=True)
class Launched:
    """A first sync under way."""

    ref: IntegrationRef
    job_id: UUID


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The sandbox's control endpoints."""

    url: str

    def accounts(self) -> list[dict[str, Any]]:
        """The accounts that can be connected, with their OAuth clients."""
        found: list[dict[str, Any]] = self._get("/sandbox/accounts")
        return found

    def counts(self, service: str, account: str) -> dict[str, int]:
        """How many records a complete sync must find."""
        found: dict[str, int] = self._get(f"/sandbox/{service}/{account}/counts")
        return found

    def declaration(self) -> dict[str, Any]:
        """What an admin would write to connect the sandbox's REST API as a Custom service."""
        api = f"{self.url}/custom"
        return {
            "base_url": api,
            "auth": {
                "type": "oauth2",
                "authorize_url": f"{api}/oauth/authorize",
                "token_url": f"{api}/oauth/token",
                "revoke_url": f"{api}/oauth/revoke",
                "scopes": ["read"],
            },
            "test": {"path": "/me", "account_id": "id", "account_name": "name"},
        }

    def _get(self, path: str) -> Any:
        response = requests.get(self.url + path, timeout=30)
        response.raise_for_status()
        return response.json()


def job_of(store: Store, one: Launched) -> dict[str, Any]:
    """The job's history entry."""
    jobs = get_sync_job_history(store, one.ref, limit=5)
    return next(job for job in jobs if job["id"] == str(one.job_id))


def report(
    store: Store,
    launched: list[Launched],
    runs: dict[UUID, str],
    ports: Ports,
) -> dict[str, Any]:
    """What `--json` prints: rows by integration and resource, runs, addresses."""
    status = {row.key: row.status for row in list_integrations(store)}
    return {
        "connected": sorted(key for key, how in status.items() if how in CONNECTED),
        "integrations": [
            {
                "tenant": one.ref.key.split("--")[0],
                "type": one.ref.connector.type.value,
                "status": status[one.ref.key],
                "resources": {
                    resource.name: table_state(store, one.ref, resource).rows
                    for resource in one.ref.connector.resources
                },
            }
            for one in launched
        ],
        "runs": [
            {
                "run_id": job_of(store, one)["run_id"],
                "status": runs[one.job_id],
                "seconds": job_of(store, one)["seconds"],
            }
            for one in launched
        ],
        "urls": {
            "dagster": ports.dagster_url,
            "web": ports.public_url,
            "sandbox": ports.sandbox_url,
        },
    }


def agrees(
    found: dict[str, Any],
    store: Store,
    sandbox: Sandbox,
    launched: list[Launched],
    console: Console,
) -> bool:
    """Whether every run succeeded and every count equals the sandbox's; says what does not."""
    good = True
    for entry, run, one in zip(found["integrations"], found["runs"], launched, strict=True):
        counts = sandbox.counts(one.ref.connector.name, entry["tenant"])
        wrong = {
            name: (rows, counts.get(name))
            for name, rows in entry["resources"].items()
            if rows != counts.get(name)
        }
        for name, (here, there) in wrong.items():
            console.print(f"[red]{one.ref.key} {name}: {here} rows, the service has {there}.[/red]")
        if run["status"] != "SUCCESS":
            console.print(
                f"[red]{one.ref.key}: {job_of(store, one)['error'] or run['status']}[/red]"
            )
        good = good and not wrong and run["status"] == "SUCCESS"
    return good


def show(found: dict[str, Any], seconds: float, console: Console) -> None:
    """The table of rows, and what to open next."""
    table = Table("service", "resource", *TENANTS.values(), title="Rows in Postgres")
    rows: dict[tuple[str, str], dict[str, int]] = {}
    for entry in found["integrations"]:
        for name, count in entry["resources"].items():
            rows.setdefault((entry["type"], name), {})[entry["tenant"]] = count
    for (service, name), counts in rows.items():
        table.add_row(service, name, *(f"{counts.get(tenant, 0):,}" for tenant in TENANTS))
    console.print(table)
    console.print(f"{len(found['connected'])} accounts are connected: integrations doctor")
    console.print(f"Ready after {seconds:.0f} s. Open:")
    console.print(f"  {found['urls']['dagster']}/asset-groups  the assets and their runs")
    console.print(f"  {found['urls']['dagster']}/runs          what just ran")
    console.print("Sync one again in another terminal: integrations sync acme--hubspot")
