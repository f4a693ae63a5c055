"""Commands about syncs: list, schedule, sync."""

import sys
from getpass import getuser
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import orjson
import typer

from integrations_pipeline.errors import RequestError
from integrations_pipeline.terminal import console, errors, opened, plain, show, tell

if TYPE_CHECKING:
    from integrations_pipeline.store.models import Integration

Key = Annotated[
    str, typer.Argument(help="The integration, as tenant--name.", metavar="INTEGRATION")
]
TRY_LATER = 75
"""Exit code of a sync that goes on later by itself: EX_TEMPFAIL of sysexits.h."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="Most rows to show.")]


def list_all(as_json: AsJson = False) -> None:
    """All integrations."""
    from integrations_pipeline.oauth import list_integrations

    with opened() as store:
        rows = list_integrations(store)
    if as_json:
        show([_whole(row) for row in rows], as_json, empty="")
        return
    shown = [
        {
            "integration": row.key,
            "account": row.facts.get("account_name", row.account_id),
            "status": row.status,
            "schedule": row.schedule_cron,
            "last_sync": row.last_sync_at,
        }
        for row in rows
    ]
    show(shown, as_json, empty="No integrations yet. Next: integrations add --help")
    for row in rows:
        if row.status_reason:
            tell(console, f"{row.key}: ", plain(row.status_reason))


def _whole(row: "Integration") -> dict[str, object]:
    return {
        "id": row.id,
        "integration": row.key,
        "type": row.type,
        "way": row.way,
        "account": row.facts.get("account_name", row.account_id),
        "status": row.status,
        "reason": row.status_reason,
        "schedule": row.schedule_cron,
        "next_sync": row.next_sync_at,
        "last_sync": row.last_sync_at,
    }


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


def sync(  # noqa: PLR0913, PLR0917 - the options of a command
    key: Key,
    resource: Annotated[list[str], typer.Option(help="Repeat it; none: all.")] = [],  # noqa: B006
    sync_type: Annotated[str, typer.Option(help="MANUAL, FULL_SYNC, INCREMENTAL …")] = "MANUAL",
    field: Annotated[list[str], typer.Option(help="Column to fetch; none: all.")] = [],  # noqa: B006
    filters: Annotated[str, typer.Option(help='JSON, such as {"status": "open"}.')] = "{}",
    record: Annotated[list[str], typer.Option(help="Id to read, for SELECTIVE.")] = [],  # noqa: B006
    direction: Annotated[str, typer.Option(help="pull, push or bidirectional.")] = "pull",
    accept_deletions: Annotated[
        bool, typer.Option(help="Let a full read delete more than the rules allow.")
    ] = False,
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option(help="Log every step.")] = False,
) -> None:
    """Sync an integration here and now, without Dagster."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.serving import sync_here
    from integrations_pipeline.sync import SyncRequest
    from integrations_pipeline.sync.sendable import refused_by

    request = SyncRequest(
        sync_type=sync_type,
        resources=resource,
        fields=field,
        filters=json_object(filters, "--filters"),
        ids=record,
        direction=direction,
        accept_deletions=accept_deletions,
        trigger="cli",
        requested_by=typist(),
    )
    with opened("INFO" if verbose else "CRITICAL") as store:
        told = sync_here(store, key, request, console=errors)
        refused = refused_by(store, find_integration(store, key), UUID(told["job_id"]))
    if as_json:
        show(told, as_json, empty="")
    else:
        hidden = {"status", "error"}  # failures were told in full above
        rare = ("rejected", "warnings")
        hidden |= {name for name in rare if not any(row[name] for row in told["resources"])}
        rows = [{k: v for k, v in row.items() if k not in hidden} for row in told["resources"]]
        show(rows, as_json, empty="Nothing to do.")
    if refused:
        errors.print(f"{refused} rows were not written. Next: integrations outbound {key}")
        raise typer.Exit(1)
    raise typer.Exit({"COMPLETED": 0, "PENDING": TRY_LATER}.get(told["status"], 1))


def typist() -> str:
    """Who types here, as jobs remember it."""
    try:
        return f"{getuser()} at the command line"
    except (KeyError, OSError):  # a container's user id without a name
        return "somebody at the command line"


def agree(question: str, what: str, *, already: bool, usual: bool = True) -> None:
    """Ask a person who can answer.

    Raises:
        RequestError: nobody can.
    """
    if already:
        return
    if not sys.stdin.isatty():
        raise RequestError(f"Nobody is here to agree to {what}.", action="Add --yes.")
    typer.confirm(question, default=usual, abort=True)


def json_object(text: str, source: str) -> dict[str, object]:
    """The JSON object in a text that a person wrote."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"{source} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise RequestError(f"{source} must be a JSON object.")
    return value
