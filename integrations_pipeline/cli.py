"""The command line: `integrations demo | serve | sync | add | connect | …`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import orjson
import typer

from integrations_pipeline import (
    backfill_commands,
    changing,
    commands,
    connecting,
    history_commands,
    job_commands,
    letter_commands,
    mapping_commands,
    outgoing,
)
from integrations_pipeline.commands import AsJson
from integrations_pipeline.errors import IntegrationsError, RequestError
from integrations_pipeline.logs import configure_logging
from integrations_pipeline.settings import load_settings
from integrations_pipeline.terminal import console, errors, opened, plain, tell

FirstPort = Annotated[int, typer.Option(help="The first of the ports on 127.0.0.1.")]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="SaaS accounts, connected by OAuth and synced into Postgres as Dagster assets.",
)
keys = typer.Typer(no_args_is_help=True, help="The key that protects stored secrets.")
app.add_typer(keys, name="keys")
app.add_typer(mapping_commands.mapping, name="mapping")
app.add_typer(letter_commands.letters, name="letters")
for command in (
    connecting.services,
    connecting.add,
    connecting.connect,
    connecting.doctor,
    connecting.alerts,
    connecting.api_key,
    connecting.disconnect,
    commands.sync,
    backfill_commands.backfill,
    history_commands.history,
    history_commands.logs,
    commands.schedule,
    job_commands.cancel,
    job_commands.retry,
    outgoing.send,
    outgoing.outbound,
    outgoing.outbound_retry,
    outgoing.outbound_resolve,
):
    app.command()(command)
app.command("list")(commands.list_all)
app.command("set")(changing.change)


@app.command()
def demo(
    once: Annotated[bool, typer.Option(help="Stop after the first syncs.")] = False,
    as_json: AsJson = False,
    port: FirstPort = 8300,
) -> None:
    """The whole idea here: sandbox services, OAuth, syncs in Dagster, data in Postgres."""
    from integrations_pipeline.demo import run_demo

    raise typer.Exit(run_demo(load_settings(), once=once, as_json=as_json, port=port))


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
    """All twelve services, emulated on this machine."""
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
def serve(port: FirstPort = 8300) -> None:
    """Web process, Dagster UI, daemon and code server on this machine, until Ctrl-C."""
    from integrations_pipeline.serving import run_serve

    raise typer.Exit(run_serve(load_settings(), port=port))


@app.command()
def web(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8300) -> None:
    """Only the web process: connect links and OAuth callbacks."""
    import uvicorn

    from integrations_pipeline.web.app import create_app

    with opened(load_settings().log_level) as store:
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


@keys.command("rotate")
def rotate_key() -> None:
    """Seal all stored secrets under a new data key, while everything else goes on."""
    from rich.progress import MofNCompleteColumn, Progress

    from integrations_pipeline.store.rotation import rotate

    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with opened() as store, Progress(*columns, console=errors) as progress:
        task = progress.add_task("Sealing anew", total=None)
        done = rotate(store, lambda n, of: progress.update(task, completed=n, total=of))
    if done.resumed:
        console.print("An earlier rotation had not ended, or runs elsewhere: went on with its key.")
    console.print(f"Sealed anew: {done.rows} rows. Old keys deleted: {done.deleted}.")
    if done.left:
        errors.print("These values do not open, so they and the old keys stay as they are:")
        for one in done.left:
            tell(errors, "  ", plain(one))
        errors.print("Next: connect these accounts again (or disconnect), then rotate again.")
        raise typer.Exit(1)
    console.print("Next: back up the database. Older backups need only the master key, as before.")


@keys.command("rewrap")
def rewrap_keys(
    new_key_file: Annotated[
        Path | None, typer.Option(help="The new master key; made if it does not exist.")
    ] = None,
    new_key_wrapper: Annotated[
        str | None, typer.Option(help="Or what is to wrap instead: package.module:factory.")
    ] = None,
) -> None:
    """Put the data keys under another master key; stored secrets stay as they are."""
    from integrations_pipeline.store.masterkey import key_of_file, key_wrapper
    from integrations_pipeline.store.rotation import change_master_key

    if new_key_file is not None and new_key_wrapper is None:
        make, setting = partial(key_of_file, new_key_file), "INTEGRATIONS_MASTER_KEY_FILE"
    elif new_key_wrapper is not None and new_key_file is None:
        make, setting = partial(key_wrapper, new_key_wrapper), "INTEGRATIONS_KEY_WRAPPER"
    else:
        raise RequestError("Name either --new-key-file or --new-key-wrapper.")
    with opened() as store:
        count = change_master_key(store, make)
    value = new_key_wrapper or (new_key_file or Path()).resolve()
    console.print(f"Data keys under the new master key: {count}.")
    console.print(f"Next: set {setting}={value}", highlight=False, markup=False, soft_wrap=True)
    console.print("and none of the other settings of a master key, then restart every process.")
    console.print("Keep the old master key as long as backups from before are kept.")


def main() -> None:
    """Run a command; an error that people can mend ends it with a line and code 2."""
    try:
        configure_logging(load_settings().log_level)
        app()
    except IntegrationsError as error:
        tell(errors, "[red]Error:[/red] ", plain(str(error)))
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
