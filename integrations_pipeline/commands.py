"""Commands about integrations: add, connect, list, schedule, sync, history, disconnect."""

import sys
from typing import Annotated

import orjson
import typer

from integrations_pipeline.errors import RequestError
from integrations_pipeline.logs import configure_logging
from integrations_pipeline.terminal import cell, console, errors, opened, show

Key = Annotated[
    str, typer.Argument(help="The integration, as tenant--name.", metavar="INTEGRATION")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add(
    service: Annotated[str, typer.Argument(help="hubspot, stripe or zendesk.")],
    tenant: Annotated[str, typer.Option(help="The company, in small letters and hyphens.")],
    name: Annotated[str, typer.Option(help="Name of the integration, likewise.")],
    client_id: Annotated[str, typer.Option(help="Of your OAuth app at the service.")],
    client_secret: Annotated[
        str | None, typer.Option(help="Better left out: it is asked for, or read from a pipe.")
    ] = None,
    setting: Annotated[list[str], typer.Option(help="As in subdomain=acme.")] = [],  # noqa: B006
) -> None:
    """Add an integration. The client secret is asked for, or read from a pipe."""
    from integrations_pipeline.oauth import create_integration, create_tenant
    from integrations_pipeline.oauth.vault import CALLBACK

    settings = dict(_pair(text) for text in setting)
    with opened() as store:
        tenant_id = create_tenant(store, tenant, tenant)
        ref = create_integration(
            store,
            tenant_id,
            service,
            name,
            client_id=client_id,
            client_secret=client_secret or _secret(),
            settings=settings,
        )
        redirect = store.settings.public_url.rstrip("/") + CALLBACK
    console.print(f"Added {ref.key}. Its redirect address is {redirect}")
    console.print(f"Next: integrations connect {ref.key}")


def connect(key: Key) -> None:
    """Print a link that connects the integration's account; `serve` must be running."""
    from integrations_pipeline.oauth import create_user, find_integration
    from integrations_pipeline.web.tickets import Ticket, connect_link

    with opened() as store:
        ref = find_integration(store, key)
        operator = create_user(store, ref.tenant_id, "operator@localhost", "Operator", "ADMIN")
        link = connect_link(store, Ticket(ref.key, operator))
    console.print("Open this link within ten minutes, and grant access:")
    console.print(link, soft_wrap=True)


def disconnect(key: Key) -> None:
    """End the integration's connection; what was synced stays."""
    from integrations_pipeline.oauth import disconnect_integration, find_integration

    with opened() as store:
        confirmed = disconnect_integration(store, find_integration(store, key))
    told = "The service confirmed it." if confirmed else "End it in the service's settings too."
    console.print(f"{key} is disconnected; its tokens are gone. {told}")


def list_all(as_json: AsJson = False) -> None:
    """All integrations."""
    from integrations_pipeline.oauth import list_integrations

    with opened() as store:
        rows = list_integrations(store)
    shown = [
        {
            "integration": row.key,
            "type": row.type,
            "status": row.status,
            "schedule": row.schedule_cron,
            "next_sync": row.next_sync_at,
            "last_sync": row.last_sync_at,
            "reason": row.status_reason,
        }
        for row in rows
    ]
    show(shown, as_json, empty="No integrations yet. Next: integrations add --help")


def schedule(
    key: Key,
    cron: Annotated[str | None, typer.Argument(help="Such as '*/15 * * * *'; none: never.")] = None,
    timezone: Annotated[str, typer.Option(help="Such as Europe/Berlin.")] = "UTC",
) -> None:
    """Sync the integration by a cron expression, as long as Dagster's daemon runs."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync.scheduling import set_schedule

    with opened() as store:
        following = set_schedule(store, find_integration(store, key), cron, timezone)
    console.print(f"Next sync: {following:%Y-%m-%d %H:%M} UTC" if following else "No schedule.")


def history(key: Key, limit: int = 20, as_json: AsJson = False) -> None:
    """The integration's sync jobs, newest first."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync import get_sync_job_history

    with opened() as store:
        jobs = get_sync_job_history(store, find_integration(store, key), limit=limit)
    if as_json:
        show(jobs, as_json, empty="")
        return
    names = (
        *("created_at", "sync_type", "trigger", "status"),
        *("processed", "created", "updated", "deleted", "seconds"),
    )
    show([{name: job[name] for name in names} for job in jobs], as_json, empty="No syncs yet.")
    for job in jobs:
        if job["error"]:
            console.print(f"{cell(job['created_at'])}: {job['error']}", highlight=False)


def sync(
    key: Key,
    resource: Annotated[list[str], typer.Option(help="Repeat it; none: all.")] = [],  # noqa: B006
    sync_type: Annotated[str, typer.Option(help="MANUAL, FULL_SYNC, INCREMENTAL …")] = "MANUAL",
    field: Annotated[list[str], typer.Option(help="Column to fetch; none: all.")] = [],  # noqa: B006
    filters: Annotated[str, typer.Option(help='JSON, such as {"status": "open"}.')] = "{}",
    record: Annotated[list[str], typer.Option(help="Id to read, for SELECTIVE.")] = [],  # noqa: B006
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option(help="Log every step.")] = False,
) -> None:
    """Sync an integration here and now, without Dagster."""
    configure_logging("INFO" if verbose else "CRITICAL")  # failures are told at the end
    from integrations_pipeline.serving import sync_here
    from integrations_pipeline.sync import SyncRequest

    request = SyncRequest(
        sync_type=sync_type,
        resources=resource,
        fields=field,
        filters=_json_object(filters),
        ids=record,
        trigger="cli",
    )
    with opened() as store:
        told = sync_here(store, key, request, console=errors)
    if as_json:
        show(told, as_json, empty="")
    else:
        hidden = {"status", "error"}  # failures were told in full above
        rows = [{k: v for k, v in row.items() if k not in hidden} for row in told["resources"]]
        show(rows, as_json, empty="Nothing to do.")
    raise typer.Exit(0 if told["status"] == "COMPLETED" else 1)


def _secret() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Client secret", hide_input=True))
    return sys.stdin.readline().strip()


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise RequestError(f"{text!r} is no setting.", action="Write name=value.")
    return name, value


def _json_object(text: str) -> dict[str, object]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"--filters is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise RequestError("--filters must be a JSON object.")
    return value
