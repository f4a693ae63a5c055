"""The command line: `integrations demo | serve | sync | add | connect | …`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.errors import IntegrationsError, RequestError
from integrations_pipeline.logs import configure_logging
from integrations_pipeline.settings import Settings, load_settings
from integrations_pipeline.store import Store, open_store

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="SaaS accounts, connected by OAuth and synced into Postgres as Dagster assets.",
)
keys = typer.Typer(no_args_is_help=True, help="The key that protects stored secrets.")
app.add_typer(keys, name="keys")
console = Console()
errors = Console(stderr=True)

Key = Annotated[
    str, typer.Argument(help="The integration, as tenant--name.", metavar="INTEGRATION")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def opened(settings: Settings | None = None) -> Iterator[Store]:
    """The store that the settings name."""
    store = open_store(settings or load_settings(), CONNECTORS.values())
    try:
        yield store
    finally:
        store.close()


@app.command()
def demo(
    once: Annotated[bool, typer.Option(help="Stop after the first syncs.")] = False,
    as_json: AsJson = False,
) -> None:
    """The whole idea here: sandbox services, OAuth, syncs in Dagster, data in Postgres."""
    from integrations_pipeline.demo import run_demo

    raise typer.Exit(run_demo(load_settings(), once=once, as_json=as_json))


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8330,
    state: Annotated[Path | None, typer.Option(help="File that keeps tokens and changes.")] = None,
    approve: Annotated[bool, typer.Option(help="Grant access without asking.")] = False,
    token_seconds: Annotated[int, typer.Option(help="Life of access tokens.")] = 300,
    held_back_seconds: Annotated[
        float, typer.Option(help="What Zendesk's exports hold back; really 60.")
    ] = 2.0,
    records: Annotated[int, typer.Option(help="Size of the larger resources.")] = 2000,
) -> None:
    """HubSpot, Stripe and Zendesk, emulated on this machine."""
    from integrations_pipeline.sandbox.server import SandboxConfig, overrides, run

    config = SandboxConfig(
        state_file=state,
        auto_approve=approve,
        token_seconds=token_seconds,
        zendesk_held_back_seconds=held_back_seconds,
        records=records,
    )
    path = (state.parent if state else load_settings().data_folder) / "overrides.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        orjson.dumps(overrides(f"http://127.0.0.1:{port}"), option=orjson.OPT_INDENT_2)
    )
    errors.print(f"The sandbox listens on http://127.0.0.1:{port}")
    errors.print(f"Next: export INTEGRATIONS_CONNECTOR_OVERRIDES={path}")
    run(config, port=port)


@app.command()
def serve() -> None:
    """Web process, Dagster UI, daemon and code server on this machine, until Ctrl-C."""
    from integrations_pipeline.serving import run_serve

    raise typer.Exit(run_serve(load_settings()))


@app.command()
def web(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8300) -> None:
    """Only the web process: connect links and OAuth callbacks."""
    import uvicorn

    from integrations_pipeline.web.app import create_app

    with opened() as store:
        uvicorn.run(create_app(store), host="127.0.0.1", port=port, access_log=False)


@app.command()
def migrate() -> None:
    """Bring the database up to this version; every other command does it as well."""
    with opened() as store:
        console.print(f"Ready: {store.url.render_as_string()}")


@keys.command("create")
def create_key(
    path: Annotated[
        Path | None, typer.Option(help="Default: master.key in the data folder.")
    ] = None,
) -> None:
    """Make a master key; an existing one stays as it is."""
    from integrations_pipeline.store.crypto import create_master_key

    settings = load_settings()
    target = path or settings.master_key_file or settings.data_folder / "master.key"
    create_master_key(target)
    console.print(f"The master key is in {target}. Keep a copy apart from the database.")


@app.command()
def add(
    service: Annotated[str, typer.Argument(help="hubspot, stripe or zendesk.")],
    tenant: Annotated[str, typer.Option(help="The company, in small letters and hyphens.")],
    name: Annotated[str, typer.Option(help="Name of the integration, likewise.")],
    client_id: Annotated[str, typer.Option(help="Of your OAuth app at the service.")],
    client_secret: Annotated[str, typer.Option(prompt=True, hide_input=True)],
    setting: Annotated[list[str], typer.Option(help="As in subdomain=acme.")] = [],  # noqa: B006
) -> None:
    """Add an integration. The client secret is asked for, or read from the prompt's input."""
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
            client_secret=client_secret,
            settings=settings,
        )
        redirect = store.settings.public_url.rstrip("/") + CALLBACK
    console.print(f"Added {ref.key}. Its redirect address is {redirect}")
    console.print(f"Next: integrations connect {ref.key}")


@app.command()
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


@app.command()
def disconnect(key: Key) -> None:
    """End the integration's connection; what was synced stays."""
    from integrations_pipeline.oauth import disconnect_integration, find_integration

    with opened() as store:
        confirmed = disconnect_integration(store, find_integration(store, key))
    told = "The service confirmed it." if confirmed else "End it in the service's settings too."
    console.print(f"{key} is disconnected; its tokens are gone. {told}")


@app.command("list")
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
    _print(shown, as_json, empty="No integrations yet. Next: integrations add --help")


@app.command()
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


@app.command()
def history(key: Key, limit: int = 20, as_json: AsJson = False) -> None:
    """The integration's sync jobs, newest first."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync import get_sync_job_history

    with opened() as store:
        jobs = get_sync_job_history(store, find_integration(store, key), limit=limit)
    if as_json:
        _print(jobs, as_json, empty="")
        return
    names = (
        *("created_at", "sync_type", "trigger", "status"),
        *("processed", "created", "updated", "deleted", "unchanged", "seconds"),
    )
    _print([{name: job[name] for name in names} for job in jobs], as_json, empty="No syncs yet.")
    for job in jobs:
        if job["error"]:
            console.print(f"{_cell(job['created_at'])}: {job['error']}", highlight=False)


@app.command()
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
    configure_logging("INFO" if verbose else "ERROR")
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
        _print(told, as_json, empty="")
    else:
        hidden = {"status", "error"}  # failures were told in full above
        rows = [{k: v for k, v in row.items() if k not in hidden} for row in told["resources"]]
        _print(rows, as_json, empty="Nothing to do.")
    raise typer.Exit(0 if told["status"] == "COMPLETED" else 1)


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


def _print(value: object, as_json: bool, *, empty: str) -> None:
    if as_json:
        sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")
    elif isinstance(value, list) and value:
        table = Table(*(name.replace("_", " ") for name in value[0]), box=box.SIMPLE_HEAD)
        for row in value:
            table.add_row(*(_cell(cell) for cell in row.values()))
        console.print(table)
    else:
        console.print(empty)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%m-%d %H:%M:%S}"
    return "" if value is None else str(value)


def main() -> None:
    """Run a command; an error that people can mend ends it with a line and code 2."""
    try:
        configure_logging(load_settings().log_level)
        app()
    except IntegrationsError as error:
        errors.print(f"[red]Error:[/red] {error}", highlight=False, markup=True, soft_wrap=True)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
