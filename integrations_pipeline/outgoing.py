"""Commands about what goes out to services: send, outbound, outbound-retry, outbound-resolve."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from integrations_pipeline.commands import AsJson, Key, Limit
from integrations_pipeline.errors import RequestError
from integrations_pipeline.terminal import console, opened, show

Resource = Annotated[str, typer.Argument(help="Such as contacts.")]
OneResource = Annotated[str | None, typer.Argument(help="Such as contacts; none: all.")]


def send(
    key: Key,
    resource: Resource,
    file: Annotated[Path, typer.Argument(help="A JSON object per line: ids and fields.")],
    operation: Annotated[str, typer.Option(help="create, update, upsert or delete.")] = "upsert",
) -> None:
    """Put rows into a resource's outbound table; the next push sends them."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync import outbox
    from integrations_pipeline.sync.sendable import check_rows

    rows = _rows(file)
    with opened() as store:
        ref = find_integration(store, key)
        check_rows(store, ref, resource, rows, operation)
        count = outbox.send(store, ref, resource, rows, operation)
    console.print(f"{count} rows wait to be sent.")
    console.print(f"Next: integrations sync {key} --resource {resource} --direction push")


def outbound(
    key: Key,
    resource: OneResource = None,
    state: Annotated[list[str], typer.Option(help="PENDING, HELD, REJECTED …")] = [],  # noqa: B006
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """What waits to be sent, what was sent, and what became of it."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync import outbox
    from integrations_pipeline.sync.sendable import check_writable

    wanted = _states(state)
    with opened() as store:
        ref = find_integration(store, key)
        if resource is not None:
            check_writable(ref, resource)
        counts = outbox.counted(store, ref)
        found = outbox.listed(store, ref, resource, states=wanted, limit=limit)
    rows = [
        {
            "id": one.id,
            "resource": one.target.partition(".")[2],
            "operation": one.operation,
            "record": one.record_id or one.external_id or one.remote_id,
            "state": one.state,
            "reason": one.reason,
        }
        for one in found
    ]
    if as_json:
        more = [{"conflict": one.conflict, "created_at": one.created_at} for one in found]
        told = [{**row, **extra} for row, extra in zip(rows, more, strict=True)]
        show({"counts": counts, "intents": told}, as_json, empty="")
        return
    show(rows, as_json, empty="Nothing was put into the outbound tables.")
    for name, states in counts.items():
        console.print(f"{name}: " + ", ".join(f"{n} {state}" for state, n in states.items()))


def outbound_retry(
    key: Key,
    resource: OneResource = None,
    intent: Annotated[list[int], typer.Option(help="Its id; none: all.")] = [],  # noqa: B006
) -> None:
    """Let records that the service refused go out again with the next push."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync import outbox
    from integrations_pipeline.sync.sendable import check_writable

    with opened() as store:
        ref = find_integration(store, key)
        if resource is not None:
            check_writable(ref, resource)
        count = outbox.retry(store, ref, resource, intent)
    console.print(f"{count} rows wait to be sent again.")


def outbound_resolve(
    key: Key,
    resource: Resource,
    intent: Annotated[int, typer.Argument(help="Its id, as `outbound` tells it.")],
    ours: Annotated[bool, typer.Option("--ours", help="Send it.")] = False,
    theirs: Annotated[bool, typer.Option("--theirs", help="Leave the service's value.")] = False,
) -> None:
    """Decide about a record that both sides have changed, or whose outcome is unclear."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync import outbox

    if ours is theirs:
        raise RequestError("Say either --ours or --theirs.")
    decision = "ours" if ours else "theirs"
    with opened() as store:
        outbox.resolve(store, find_integration(store, key), resource, intent, decision)
    console.print("Decided; the next push carries it out.")


def _states(given: list[str]) -> list[str]:
    from integrations_pipeline.store.outbound import IntentState

    states = [one.upper() for one in given]
    if unknown := [one for one in states if one not in set(IntentState)]:
        raise RequestError(
            f"There is no state {', '.join(unknown)}.", action=f"Known: {', '.join(IntentState)}."
        )
    return states


def _rows(file: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file.

    Raises:
        RequestError: it can't be read, is empty, or a line is no object.
    """
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise RequestError(f"{file} can't be read: {error.strerror}.") from error
    found: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise RequestError(f"{file}, line {number}: {error}.") from error
        if not isinstance(row, dict):
            raise RequestError(f"{file}, line {number}: this is no JSON object.")
        found.append(row)
    if not found:
        raise RequestError(f"{file} is empty: nothing to send.")
    return found
