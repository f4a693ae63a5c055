"""Commands that tell what syncs did: history, logs."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from integrations_pipeline.commands import AsJson, Key, Limit
from integrations_pipeline.terminal import cell, console, errors, opened, plain, show, tell

if TYPE_CHECKING:
    from integrations_pipeline.oauth import IntegrationRef
    from integrations_pipeline.store import Store
    from integrations_pipeline.store.sync_models import IntegrationSyncLog

FOLLOW_SECONDS = 1.0
SHORT_ID = 8
"""Characters of a job's id that a table shows; commands take them for the whole."""
LATE_LINES = 200
"""Lines of resources that are synced side by side may show a little out of their order."""
COLOURS = {"WARNING": "[yellow]Warning:[/yellow] ", "ERROR": "[red]Error:[/red] "}
OPEN = ("PENDING", "RUNNING")


def history(
    key: Key,
    limit: Limit = 20,
    before: Annotated[str | None, typer.Option(help="Jobs before this one, by its id.")] = None,
    as_json: AsJson = False,
) -> None:
    """The integration's sync jobs, newest first."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync import get_sync_job_history
    from integrations_pipeline.sync.history import find_job_id

    with opened() as store:
        ref = find_integration(store, key)
        last = find_job_id(store, ref, before) if before else None
        jobs = get_sync_job_history(store, ref, limit=limit, before=last)
    if as_json:
        show(jobs, as_json, empty="")
        return
    show(_rows(jobs), as_json, empty="No syncs yet.", spare=("trigger", "sync_type"))
    for job in jobs:
        if job["error"]:
            tell(console, cell(job["created_at"]), ": ", plain(job["error"]))
    if len(jobs) == limit:
        errors.print(f"Earlier ones: add --before {jobs[-1]['id']}", soft_wrap=True)


def _rows(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The jobs for a table, without the counts that are zero in all of them."""
    counts = [
        name
        for name in ("processed", "created", "updated", "deleted", "rejected")
        if any(job[name] for job in jobs)
    ]
    names = ("created_at", "sync_type", "trigger", "status", *counts)
    return [
        {
            "id": job["id"][:SHORT_ID],
            **{name: job[name] for name in names},
            "seconds": "" if job["seconds"] is None else f"{job['seconds']:.1f}",
        }
        for job in jobs
    ]


def logs(
    key: Key,
    job: Annotated[
        str | None, typer.Argument(help="A job's id, or how it begins; none: the newest job.")
    ] = None,
    follow: Annotated[bool, typer.Option(help="Go on until the job has ended.")] = False,
    level: Annotated[str, typer.Option(help="INFO, WARNING or ERROR: this and above.")] = "INFO",
    resource: Annotated[str | None, typer.Option(help="Only lines about this resource.")] = None,
    as_json: AsJson = False,
) -> None:
    """What a sync job did, line by line, and what its resources have cost."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync.history import find_job_id, get_sync_job
    from integrations_pipeline.sync.mapping.catalogs import resource_of

    with opened() as store:
        ref = find_integration(store, key)
        if resource is not None:
            resource_of(ref, resource)
        job_id = find_job_id(store, ref, job) if job else UUID(get_sync_job(store, ref)["id"])
        lines = _lines(store, ref, job_id, follow=follow, level=level, resource=resource)
        if as_json:
            found = [_line(one) for one in lines]
            show({**get_sync_job(store, ref, job_id), "logs": found}, as_json, empty="")
            return
        for one in lines:
            _print(one)
        told = get_sync_job(store, ref, job_id)
    show([_cost(name, part) for name, part in told["resources"].items()], as_json, empty="")
    tell(console, _summary(told), plain(told["error"] or ""))


def _lines(
    store: "Store",
    ref: "IntegrationRef",
    job_id: UUID,
    *,
    follow: bool,
    level: str,
    resource: str | None,
) -> Iterator["IntegrationSyncLog"]:
    """The lines of a job, each once; while it runs, those that come as well."""
    from integrations_pipeline.sync import get_sync_logs
    from integrations_pipeline.sync.history import get_sync_job

    told: set[int] = set()
    while True:
        ended = not follow or get_sync_job(store, ref, job_id)["status"] not in OPEN
        while True:
            after = max(told, default=0) - LATE_LINES
            page = get_sync_logs(store, ref, job_id, after=after, level=level, resource=resource)
            fresh = [line for line in page if line.id not in told]
            if not fresh:
                break
            told |= {line.id for line in fresh}
            yield from fresh
        if ended:
            return
        time.sleep(FOLLOW_SECONDS)


def _print(line: "IntegrationSyncLog") -> None:
    what = f"{line.resource}: " if line.resource else ""
    record = line.details.get("record")
    more = f" (record {record})" if record else ""
    tell(
        console,
        f"{line.created_at:%H:%M:%S} ",
        COLOURS.get(line.level, ""),
        plain(what + line.message + more),
    )


def _line(line: "IntegrationSyncLog") -> dict[str, Any]:
    names = ("id", "created_at", "level", "resource", "message", "details")
    return {name: getattr(line, name) for name in names}


def _cost(name: str, part: dict[str, Any]) -> dict[str, Any]:
    shown = (
        *("status", "mode", "processed", "rejected", "warnings"),
        *("api_calls", "waited_seconds", "retries", "seconds"),
    )
    return {"resource": name, **{one: part[one] for one in shown}}


def _summary(job: dict[str, Any]) -> str:
    """Who wanted what, and what became of it."""
    who = f", asked for by {job['requested_by']}" if job["requested_by"] else ""
    seconds = "" if job["seconds"] is None else f" after {job['seconds']:.1f} s"
    kind = f"{job['sync_type']} {job['direction']} by {job['trigger']}"
    return f"{kind}{who}: {job['status']}{seconds}{': ' if job['error'] else '.'}"
