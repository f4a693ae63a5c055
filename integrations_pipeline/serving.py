"""What the long commands do: serve on one machine, and sync at the terminal."""

import time
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.errors import ConflictError
from integrations_pipeline.oauth import find_integration
from integrations_pipeline.processes import Processes, stop_on_signals, stop_once_on_signals
from integrations_pipeline.settings import Settings
from integrations_pipeline.stack import Ports, addresses, environment, remember, start_stack
from integrations_pipeline.store import Store, open_store
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import (
    JobResult,
    Part,
    SyncRequest,
    create_sync_job,
    execute_sync_job,
)
from integrations_pipeline.sync.launching import end_pending_job
from integrations_pipeline.sync.reasons import stopped
from integrations_pipeline.terminal import plain, tell

ENDED = {JobStatus.PENDING: "Parked", JobStatus.CANCELLED: "Cancelled"}


def run_serve(settings: Settings, *, port: int) -> int:
    """Serve from `port` on until Ctrl-C or until a part ends; returns the exit code."""
    stop_on_signals()
    console = Console(stderr=True)
    store = open_store(settings, CONNECTORS.values())
    ports = Ports.choose(console.print, port)
    reached = addresses(settings, ports)
    remember(settings, reached)  # `connect`, in another terminal, must print the same address
    with Processes(settings.data_folder / "logs", environment(settings, store, ports)) as processes:
        start_stack(processes, settings, ports, console.print)
        console.print(f"Web:     {ports.public_url}\nDagster: {ports.dagster_url}")
        if reached["INTEGRATIONS_PUBLIC_URL"] != ports.public_url:
            console.print(f"Browsers reach it at {reached['INTEGRATIONS_PUBLIC_URL']}")
        console.print("Ctrl-C stops everything.")
        return watch(processes, console)


def watch(processes: Processes, console: Console) -> int:
    """Wait for Ctrl-C (0), or for a part that ends by itself (1)."""
    try:
        while (ended := processes.ended()) is None:
            time.sleep(0.5)
    except KeyboardInterrupt:
        console.print("Stopping …")
        return 0
    console.print(f"[red]The process {ended!r} has ended; see its log.[/red]")
    return 1


def sync_here(store: Store, key: str, request: SyncRequest, *, console: Console) -> dict[str, Any]:
    """Carry a sync out in this process, with progress on a terminal; a signal cancels it."""
    stop_once_on_signals()
    ref = find_integration(store, key)
    job_id = create_sync_job(store, ref, request)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} records"),
        _Pace(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        names = request.resources or ref.connector.resource_names
        tasks = {name: progress.add_task(name, total=None) for name in names}

        def show(part: Part) -> None:
            progress.update(tasks[part.resource.name], completed=part.counts.processed, part=part)

        try:
            result = execute_sync_job(store, ref, job_id, on_progress=show)
        # what was refused or stopped here must not begin later by itself
        except ConflictError as error:
            end_pending_job(store, ref, job_id, JobStatus.CANCELLED, str(error))
            raise
        except KeyboardInterrupt as error:
            reason = stopped(ref, error)
            end_pending_job(store, ref, job_id, JobStatus.CANCELLED, reason)
            tell(console, "[red]Cancelled:[/red] ", plain(reason))
            raise
    if result.error:
        tell(console, f"[red]{ENDED.get(result.status, 'Failed')}:[/red] ", plain(result.error))
    return told(key, result)


class _Pace(ProgressColumn):
    """Records per second, and how long the service's limits were waited for."""

    def render(self, task: Task) -> Text:
        part: Part | None = task.fields.get("part")
        if part is None:
            return Text("")
        waited = part.client.usage.waited_seconds
        pace = f"{task.completed / max(task.elapsed or 0, 1):,.0f}/s"
        return Text(f"{pace}, waited {waited:,.0f} s" if waited >= 1 else pace)


def told(key: str, result: JobResult) -> dict[str, Any]:
    """A job's result as JSON tells it."""
    resources = [
        {
            "resource": one.name,
            "status": one.status.value,
            "mode": one.mode,
            "processed": one.counts.processed,
            "created": one.counts.created,
            "updated": one.counts.updated,
            "deleted": one.counts.deleted,
            "unchanged": one.counts.unchanged,
            "rejected": one.counts.rejected,
            "warnings": one.warnings,
            "seconds": round(one.seconds, 3),
            "error": one.error,
        }
        for one in result.resources
    ]
    return {
        "integration": key,
        "job_id": str(result.job_id),
        "status": result.status.value,
        "error": result.error,
        "api_calls": result.usage.calls,
        "waited_seconds": round(result.usage.waited_seconds, 3),
        "seconds": round(result.seconds, 3),
        "resources": resources,
    }
