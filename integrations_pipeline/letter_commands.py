"""Commands about records that were set aside: letters list, show, replay, discard."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from integrations_pipeline.commands import AsJson, Key, Limit, agree, typist
from integrations_pipeline.errors import RequestError
from integrations_pipeline.terminal import console, errors, opened, show

if TYPE_CHECKING:
    from integrations_pipeline.oauth import IntegrationRef

letters = typer.Typer(no_args_is_help=True, help="Records that could not be loaded or sent.")
OneResource = Annotated[str, typer.Option("--resource", help="Of this resource only.")]


@letters.command("list")
def list_letters(
    key: Key, resource: OneResource = "", limit: Limit = 100, as_json: AsJson = False
) -> None:
    """The records that were set aside, the latest first, with the reasons."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync.letters import open_letters

    with opened() as store:
        ref = find_integration(store, key)
        _check(ref, resource)
        found = open_letters(store, ref, resource, limit=limit)
    rows = [
        {
            "id": str(letter.id),
            "resource": letter.resource,
            "direction": letter.direction,
            "record": letter.record_id,
            "times": letter.times,
            "last": letter.last_at,
            "reason": letter.reason,
        }
        for letter in found
    ]
    show(rows, as_json, empty="No record was set aside.")


@letters.command("show")
def show_letter(key: Key, letter: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """What the service sent. Mind that it may tell something about a person."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync.letters import open_letters

    with opened() as store:
        found = open_letters(store, find_integration(store, key), limit=10_000)
    payload = next((one.payload for one in found if str(one.id) == letter), None)
    if payload is None:
        raise RequestError(
            f"{key} has no open letter {letter}.", action=f"See `integrations letters list {key}`."
        )
    typer.echo(payload.decode(errors="replace"))


@letters.command()
def replay(key: Key, resource: OneResource = "", as_json: AsJson = False) -> None:
    """Load them again, after a mapping or a rule was changed; what was to be sent waits again."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.serving import sync_here
    from integrations_pipeline.sync import SyncRequest
    from integrations_pipeline.sync.letters import count_letters, lettered
    from integrations_pipeline.sync.outbox import retry

    told: dict[str, Any] = {"status": "COMPLETED", "resources": []}
    with opened() as store:
        ref = find_integration(store, key)
        _check(ref, resource)
        waiting = retry(store, ref, resource or None)
        if names := lettered(store, ref, resource):
            request = SyncRequest(
                sync_type="SELECTIVE",
                resources=names,
                replay=True,
                trigger="replay",
                requested_by=typist(),
            )
            told = sync_here(store, key, request, console=errors)
        left = count_letters(store, ref, resource)
    if names or as_json:
        show(told["resources"], as_json, empty="")
    if not as_json:
        if waiting:
            console.print(
                f"{waiting} rows wait again. Next: integrations sync {key} --direction push"
            )
        console.print(f"{left} are still set aside." if left else "No record is set aside now.")
    raise typer.Exit(0 if told["status"] == "COMPLETED" else 1)


@letters.command()
def discard(
    key: Key,
    resource: OneResource = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Close them: their records stay as they are until the service tells of them again."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync import letters as store_of

    with opened() as store:
        ref = find_integration(store, key)
        _check(ref, resource)
        count = store_of.count_letters(store, ref, resource)
        question = f"Close {count} letters of {key}?"
        agree(question, "closing them", already=yes or not count, usual=False)
        console.print(f"Closed {store_of.discard(store, ref, resource)}.")


def _check(ref: "IntegrationRef", resource: str) -> None:
    """Refuse a resource that the service has not."""
    from integrations_pipeline.sync.mapping.catalogs import resource_of

    if resource:
        resource_of(ref, resource)
