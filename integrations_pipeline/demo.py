"""`integrations demo`: two companies, their sandbox accounts connected, synced through Dagster."""

import os
import time
from typing import Any
from uuid import UUID

import orjson
import requests
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.demo_report import (
    TENANTS,
    Launched,
    Sandbox,
    agrees,
    job_of,
    report,
    show,
)
from integrations_pipeline.errors import ConfigurationError, IntegrationsError, RequestError
from integrations_pipeline.oauth import (
    IntegrationRef,
    create_integration,
    create_tenant,
    create_user,
    find_integration,
    list_integrations,
)
from integrations_pipeline.orchestration.launch import DagsterClient
from integrations_pipeline.processes import Processes, answers, only_one, stop_on_signals
from integrations_pipeline.serving import watch
from integrations_pipeline.settings import Settings, load_settings
from integrations_pipeline.stack import Ports, environment, remember, start_stack
from integrations_pipeline.store import Store, open_store
from integrations_pipeline.store.crypto import create_master_key
from integrations_pipeline.store.states import IntegrationStatus
from integrations_pipeline.sync import SyncRequest, create_sync_job
from integrations_pipeline.web.tickets import Ticket, connect_link

ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
RUN_SECONDS = 300.0


def run_demo(settings: Settings, *, once: bool, as_json: bool, port: int) -> int:
    """Show everything, on the ports from `port` on; returns the exit code."""
    stop_on_signals()
    console = Console(stderr=True)
    create_master_key(settings.data_folder / "master.key")
    open_store(settings, CONNECTORS.values()).close()  # what is wrong shows before anything changes
    with only_one(settings.data_folder / "demo.lock"):
        return _run(settings, console, once=once, as_json=as_json, port=port)


def _run(settings: Settings, console: Console, *, once: bool, as_json: bool, port: int) -> int:
    began = time.monotonic()
    ports = Ports.choose(console.print, port, sandbox=True)
    settings = _point_at_sandbox(settings, ports)
    console.print(f"Data folder: {settings.data_folder}")
    store = open_store(settings, CONNECTORS.values())
    with Processes(settings.data_folder / "logs", environment(settings, store, ports)) as processes:
        sandbox = Sandbox(ports.sandbox_url)
        _start_sandbox(processes, settings, ports)
        start_stack(processes, settings, ports, console.print)
        refs = _connect_all(store, sandbox, console)
        dagster = DagsterClient(ports.dagster_url)
        launched = [_launch(store, dagster, ref) for ref in refs if ref.connector.resources]
        runs = _follow(store, dagster, launched, console)
        found = report(store, launched, runs, ports)
        good = agrees(found, store, sandbox, launched, console)
        if as_json:
            print(orjson.dumps(found).decode())
        else:
            show(found, time.monotonic() - began, console)
        if not once:
            console.print("Ctrl-C stops everything; the data stays.")
            return watch(processes, console)
    store.close()
    return 0 if good else 1


def _point_at_sandbox(settings: Settings, ports: Ports) -> Settings:
    """Write the overrides and a settings file, so that other commands find the same services."""
    from integrations_pipeline.sandbox.server import overrides

    folder = settings.data_folder
    path = folder / "sandbox" / "overrides.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    addresses = overrides(ports.sandbox_url)
    path.write_bytes(orjson.dumps(addresses, option=orjson.OPT_INDENT_2))
    values = {
        "INTEGRATIONS_CONNECTOR_OVERRIDES": str(path),
        "INTEGRATIONS_PUBLIC_URL": ports.public_url,
        "INTEGRATIONS_DAGSTER_URL": ports.dagster_url,
    }
    remember(settings, values)
    os.environ.update(values)
    return load_settings()


def _start_sandbox(processes: Processes, settings: Settings, ports: Ports) -> None:
    state = settings.data_folder / "sandbox" / "state.json"
    processes.start(
        "sandbox",
        *("integrations", "sandbox", "--port", str(ports.sandbox)),
        *("--state", str(state), "--approve"),
    )
    processes.wait_ready("sandbox", answers(f"{ports.sandbox_url}/sandbox/health"))


def _connect_all(store: Store, sandbox: Sandbox, console: Console) -> list[IntegrationRef]:
    """Every sandbox account as an integration, connected through the real OAuth flow."""
    status = {row.key: row.status for row in list_integrations(store)}
    refs = []
    for account in sandbox.accounts():
        ref = _integration(store, sandbox, account)
        if status.get(ref.key) not in {IntegrationStatus.ACTIVE, IntegrationStatus.SYNCING}:
            _connect(store, ref)
            console.print(f"Connected {ref.key}")
        refs.append(ref)
    return refs


def _integration(store: Store, sandbox: Sandbox, account: dict[str, Any]) -> IntegrationRef:
    slug, service = account["account"], account["service"]
    name = service.replace("_", "-")
    tenant_id = create_tenant(store, slug, TENANTS.get(slug, slug))
    try:
        return find_integration(store, f"{slug}--{name}")
    except RequestError:
        return create_integration(
            store,
            tenant_id,
            service,
            name,
            client_id=account["client_id"],
            client_secret=account["client_secret"],
            settings=sandbox.declaration() if service == "custom" else account["settings"],
        )


def _connect(store: Store, ref: IntegrationRef) -> None:
    """What a person's browser does: open the link, grant access, come back."""
    user = create_user(store, ref.tenant_id, "demo@localhost", "Demo", "ADMIN")
    with requests.Session() as browser:
        response = browser.get(connect_link(store, Ticket(ref.key, user)), timeout=60)
    if not response.ok or "Connected" not in response.text:
        raise ConfigurationError(f"{ref.key} could not be connected ({response.status_code}).")


def _launch(store: Store, dagster: DagsterClient, ref: IntegrationRef) -> Launched:
    dagster.add_partition(ref.connector, ref.key)
    job_id = create_sync_job(store, ref, SyncRequest(trigger="demo"))
    dagster.launch(store, job_id)  # where the sensor was faster, its run is as good
    return Launched(ref, job_id)


def _follow(
    store: Store, dagster: DagsterClient, launched: list[Launched], console: Console
) -> dict[UUID, str]:
    """Show progress until every run has ended; returns the last status of each job's run."""
    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        TextColumn("{task.completed:>6,.0f} records"),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
    )
    runs: dict[UUID, str] = {}
    deadline = time.monotonic() + RUN_SECONDS
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks = {
            one.job_id: progress.add_task(one.ref.key, total=None, state="") for one in launched
        }
        while set(runs.values()) - ENDED or not runs:
            if time.monotonic() > deadline:
                raise IntegrationsError("The runs do not end.", action="See the Dagster UI.")
            time.sleep(0.5)
            for one in launched:
                job = job_of(store, one)
                if runs.get(one.job_id) not in ENDED:
                    runs[one.job_id] = _run_status(dagster, job["run_id"])
                progress.update(
                    tasks[one.job_id],
                    completed=job["processed"],
                    total=job["processed"] if runs[one.job_id] in ENDED else None,
                    state=runs[one.job_id].lower(),
                )
    return runs


def _run_status(dagster: DagsterClient, run_id: str | None) -> str:
    return dagster.run_status(run_id) if run_id else "QUEUED"
