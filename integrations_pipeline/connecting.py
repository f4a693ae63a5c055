"""Commands about connections: services, add, connect, doctor, alerts, api-key, disconnect."""

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from integrations_pipeline.commands import AsJson, Key, json_object
from integrations_pipeline.connectors.auth import Grant, KeyAccess, OAuth, Way
from integrations_pipeline.errors import RequestError
from integrations_pipeline.terminal import console, errors, opened, plain, show, tell

Another = Annotated[
    bool, typer.Option(help="Allow that it is another account than before; it is read anew.")
]


def add(  # noqa: PLR0913, PLR0917 - the options of a command
    service: Annotated[str, typer.Argument(help="Such as hubspot; `integrations services` lists.")],
    tenant: Annotated[str, typer.Option(help="The company, in small letters and hyphens.")],
    name: Annotated[str, typer.Option(help="Name of the integration, likewise.")],
    client_id: Annotated[str, typer.Option(help="Of your OAuth app at the service.")] = "",
    client_secret: Annotated[
        str | None, typer.Option(help="Better left out: it is asked for, or read from a pipe.")
    ] = None,
    setting: Annotated[list[str], typer.Option(help="As in subdomain=acme.")] = [],  # noqa: B006
    way: Annotated[str, typer.Option(help="Way to connect; none: the service's usual one.")] = "",
    resource: Annotated[list[str], typer.Option(help="What for; none: everything.")] = [],  # noqa: B006
    direction: Annotated[str, typer.Option(help="pull, push or bidirectional.")] = "pull",
    declaration: Annotated[
        Path | None, typer.Option(help="JSON file that declares a custom service.")
    ] = None,
) -> None:
    """Add an integration. The client secret is asked for, or read from a pipe."""
    from integrations_pipeline.oauth import Choice, create_integration, create_tenant, needs_browser
    from integrations_pipeline.oauth.choosing import declared
    from integrations_pipeline.oauth.vault import redirect_address

    choice = Choice(way, tuple(resource), direction)
    settings = account_settings(setting, declaration)
    with opened() as store:
        connector = declared(store.settings, service, settings)
        chosen = connector.ways[choice.checked(connector)]
        ref = create_integration(
            store,
            create_tenant(store, tenant, tenant),
            service,
            name,
            client_id=client_id,
            client_secret=client_secret or asked_client_secret(chosen),
            settings=settings,
            choice=choice,
        )
        redirect = redirect_address(store, ref.connector) if needs_browser(ref) else None
    console.print(
        f"Added {ref.key}." + (f" Its redirect address is {redirect}" if redirect else "")
    )
    console.print(f"Next: integrations connect {ref.key}")


def connect(key: Key, another_account: Another = False) -> None:
    """Connect the account: print a link to open (`serve` must be running), or ask for a key."""
    from integrations_pipeline.oauth import (
        connect_directly,
        create_user,
        find_integration,
        needs_browser,
    )
    from integrations_pipeline.web.tickets import Ticket, connect_link

    with opened() as store:
        ref = find_integration(store, key)
        if not needs_browser(ref):
            way = ref.way
            secret = _secret(way.label) if isinstance(way, KeyAccess) else ""
            connect_directly(store, ref, secret, another_account=another_account)
            console.print(f"{key} is connected. Next: integrations doctor {key}")
            return
        operator = create_user(store, ref.tenant_id, "operator@localhost", "Operator", "ADMIN")
        link = connect_link(store, Ticket(ref.key, operator, another_account))
    console.print("Open this link within ten minutes, and grant access:")
    console.print(link, soft_wrap=True)


def disconnect(key: Key) -> None:
    """End the integration's connection; what was synced stays."""
    from integrations_pipeline.oauth import disconnect_integration, find_integration

    with opened() as store:
        confirmed = disconnect_integration(store, find_integration(store, key))
    told = "The service confirmed it." if confirmed else "End it in the service's settings too."
    console.print(f"{key} is disconnected; its tokens are gone. {told}")


def services(as_json: AsJson = False) -> None:
    """The services, the ways to connect them, and their settings (`?`: not needed)."""
    from integrations_pipeline.connectors import CONNECTORS

    rows = []
    for connector in CONNECTORS.values():
        for name, way in connector.ways.items() or {"declared": None}.items():
            own = way.settings if way else ()
            wanted = {setting.name: setting.default for setting in (*connector.settings, *own)}
            rows.append(
                {
                    "service": connector.name,
                    "way": name,
                    "called": way.label if way else "docs/connecting.md",
                    "settings": ", ".join(
                        n if default is None else f"{n}?" for n, default in wanted.items()
                    ),
                }
            )
    show(rows, as_json, empty="")


def doctor(
    key: Annotated[str | None, typer.Argument(metavar="[INTEGRATION]", help="None: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say why a connection is unwell, and what to do about it."""
    from integrations_pipeline.oauth import find_integration, list_integrations, references
    from integrations_pipeline.oauth.doctor import examine

    with opened() as store:
        every = references(list_integrations(store)) if key is None else []
        refs = every if key is None else [find_integration(store, key)]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda ref: examine(store, ref), refs))
    if as_json:
        show([one.told() for one in found], as_json, empty="")
    for one in () if as_json else found:
        mark = "[green]well[/green]" if one.well else f"[red]{one.cause}[/red]"
        tell(console, f"{one.integration}: {mark} ", plain(one.text))
    if not refs:
        console.print("No integrations yet. Next: integrations add --help")
    raise typer.Exit(0 if all(one.well for one in found) else 1)


def alerts(as_json: AsJson = False) -> None:
    """What a person must look after."""
    from integrations_pipeline.alerts import open_alerts

    with opened() as store:
        found = open_alerts(store)
    show([one.told() for one in found], as_json, empty="Nothing needs you.")


def api_key(
    tenant: Annotated[str, typer.Option(help="The company whose API it opens.")],
    name: Annotated[str, typer.Option(help="What it is for.")],
    days: Annotated[int, typer.Option(help="How long it is good.", min=1, max=3650)] = 90,
) -> None:
    """Make a key for the API, and show it once."""
    from integrations_pipeline.oauth import create_user, find_tenant
    from integrations_pipeline.web.keys import create_api_key

    with opened() as store:
        tenant_id = find_tenant(store, tenant)
        operator = create_user(store, tenant_id, "operator@localhost", "Operator", "ADMIN")
        key = create_api_key(store, tenant_id, operator, name, life=timedelta(days=days))
    console.print(key, soft_wrap=True, highlight=False)
    errors.print("It is not shown again. Send it as `Authorization: Bearer …`.")


def account_settings(pairs: list[str], declaration: Path | None) -> dict[str, object]:
    """What `--setting` or `--declaration` say.

    Raises:
        RequestError: both are given, or one can't be read.
    """
    if pairs and declaration is not None:
        raise RequestError(
            "A declaration and --setting don't go together.",
            action="Write into the declaration's file what is to be declared.",
        )
    if declaration is None:
        return dict(_pair(text) for text in pairs)
    try:
        return json_object(declaration.read_text(), str(declaration))
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{declaration} can't be read ({type(error).__name__}).") from None


def asked_client_secret(way: Way) -> str:
    """The client secret, or a service account's key file; nothing for ways that have neither.

    Raises:
        RequestError: a key file can't be typed.
    """
    if not isinstance(way, OAuth):
        return ""
    if way.grant is Grant.JWT_BEARER and sys.stdin.isatty():
        raise RequestError(
            "The service account's key file is needed, and it has many lines.",
            action="Pipe the file: integrations … < key.json",
        )
    return _secret("Client secret")


def _secret(label: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(label, hide_input=True))
    return sys.stdin.read().strip()


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise RequestError(f"{text!r} is no setting.", action="Write name=value.")
    return name, value
