"""The command that shows or changes what is set for an integration: set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from integrations_pipeline.commands import AsJson, Key
from integrations_pipeline.connecting import account_settings, asked_client_secret
from integrations_pipeline.connectors.auth import OAuth
from integrations_pipeline.connectors.base import IntegrationType
from integrations_pipeline.errors import RequestError
from integrations_pipeline.store import Store
from integrations_pipeline.terminal import console, opened, show

if TYPE_CHECKING:
    from integrations_pipeline.oauth import IntegrationRef


def change(  # noqa: PLR0913, PLR0917 - the options of a command
    key: Key,
    setting: Annotated[list[str], typer.Option(help="As in subdomain=acme.")] = [],  # noqa: B006
    client_id: Annotated[str, typer.Option(help="Of your OAuth app at the service.")] = "",
    client_secret_prompt: Annotated[
        bool, typer.Option("--client-secret-prompt", help="Ask for it, or read it from a pipe.")
    ] = False,
    resource: Annotated[list[str], typer.Option(help="What for, instead of before.")] = [],  # noqa: B006
    direction: Annotated[str, typer.Option(help="pull, push or bidirectional.")] = "",
    declaration: Annotated[
        Path | None, typer.Option(help="JSON file that declares a custom service, whole.")
    ] = None,
    rule: Annotated[
        list[str], typer.Option(help="Of its syncs, as in conflicts=hold; conflicts= ends it.")
    ] = [],  # noqa: B006
    as_json: AsJson = False,
) -> None:
    """Change an integration; without options, show what is set. Secrets are never shown."""
    from integrations_pipeline.oauth import change_integration, find_integration
    from integrations_pipeline.oauth.policies import change_policy
    from integrations_pipeline.sync.mapping.owning import check_owned

    told = setting or declaration
    settings = account_settings(setting, declaration) if told else None
    with opened() as store:
        ref = find_integration(store, key)
        if rule:
            rules = dict(_rule(text) for text in rule)
            check_owned(store, ref, rules.get("owners"))
            change_policy(store, ref, rules)
        if not (told or client_id or client_secret_prompt or resource or direction):
            _show(store, find_integration(store, key), as_json)
            return
        _check_form(ref, declared=declaration is not None, given=bool(told))
        again = change_integration(
            store,
            ref,
            client_id=client_id,
            client_secret=_new_secret(ref) if client_secret_prompt else "",
            settings=settings,
            resources=resource,
            direction=direction,
        )
    console.print(f"Changed {key}.")
    console.print(f"Next: integrations {'connect' if again else 'doctor'} {key}")


def _show(store: Store, ref: "IntegrationRef", as_json: bool) -> None:
    from integrations_pipeline.oauth import told_integration

    told = told_integration(store, ref)
    if as_json:
        show(told, as_json, empty="")
        return
    nested = {name: orjson.dumps(told[name]).decode() for name in ("settings", "rules")}
    lists = {"resources": ", ".join(told["resources"]) or "all of them"}
    rows = {**told, **nested, **lists}.items()
    show([{"what": name.replace("_", " "), "set": value} for name, value in rows], False, empty="")


def _rule(text: str) -> tuple[str, object]:
    """A rule as a person writes it: text, number or JSON; nothing is the default."""
    name, separator, value = text.partition("=")
    if not separator:
        raise RequestError(f"--rule {text!r} names no value.", action="As in conflicts=hold.")
    try:
        return name, orjson.loads(value) if value else None
    except orjson.JSONDecodeError:
        return name, value


def _check_form(ref: "IntegrationRef", *, declared: bool, given: bool) -> None:
    custom = ref.connector.type is IntegrationType.CUSTOM
    if given and custom is not declared:
        form = "--declaration with the whole file" if custom else "--setting name=value"
        raise RequestError(f"{ref.connector.label} is set otherwise.", action=f"Give {form}.")


def _new_secret(ref: "IntegrationRef") -> str:
    if not isinstance(ref.way, OAuth):
        raise RequestError(
            f"{ref.key} is connected without a client secret.",
            action=f"`integrations connect {ref.key}` asks for its {ref.way.label}.",
        )
    if not (secret := asked_client_secret(ref.way)):
        raise RequestError("No client secret was given.")
    return secret
