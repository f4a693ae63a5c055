"""The command that reads a range of days again: what it will cost, then the backfill itself."""

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from integrations_pipeline.commands import AsJson, Key, agree, json_object, typist
from integrations_pipeline.errors import RequestError
from integrations_pipeline.terminal import console, errors, opened, show

Day = Annotated[str, typer.Option(help="First day, such as 2026-01-31, in UTC.")]


def backfill(
    key: Key,
    since: Day,
    until: Annotated[
        str | None, typer.Option(help="The day behind the last one; none: today.")
    ] = None,
    resource: Annotated[list[str], typer.Option(help="Repeat it; none: all that can.")] = [],  # noqa: B006
    filters: Annotated[str, typer.Option(help='JSON, such as {"status": "open"}.')] = "{}",
    dry_run: Annotated[bool, typer.Option(help="Only tell what it will cost.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Begin without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read the records of a range of days; the next usual sync goes on as if nothing were."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.serving import sync_here
    from integrations_pipeline.sync import SyncRequest
    from integrations_pipeline.sync.forecasting import forecast, total_of

    request = SyncRequest(
        sync_type="SELECTIVE",
        resources=resource,
        filters=json_object(filters, "--filters"),
        since=_day(since, "--since"),
        until=_day(until, "--until") if until else datetime.now(UTC).date(),
        trigger="backfill",
        requested_by=typist(),
    )
    with opened() as store:
        forecasts = forecast(store, find_integration(store, key), request)
        expected = [asdict(one) for one in forecasts]
        if not as_json:
            show([_told(one) for one in expected], as_json, empty="")
            calls, seconds = total_of(forecasts)
            console.print(f"As far as known: {calls} requests in {timedelta(seconds=seconds)}.")
        if dry_run:
            if as_json:
                show({"forecast": expected}, as_json, empty="")
            return
        agree("Begin?", "the backfill", already=yes or as_json)
        told = sync_here(store, key, request, console=errors)
    if as_json:
        show({"forecast": expected, **told}, as_json, empty="")
    else:
        hidden = {"status", "error", "mode"}  # failures were told in full above
        rows = [{k: v for k, v in row.items() if k not in hidden} for row in told["resources"]]
        show(rows, as_json, empty="Nothing to do.")
        if told["status"] != "COMPLETED":
            console.print("Give the same command again: it goes on where this one stopped.")
    raise typer.Exit(0 if told["status"] == "COMPLETED" else 1)


def _told(forecast: dict[str, object]) -> dict[str, object]:
    return {name: "unknown" if value is None else value for name, value in forecast.items()}


def _day(text: str, source: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise RequestError(
            f"{source} is no day: {text!r}.", action="Write it as 2026-01-31."
        ) from error
