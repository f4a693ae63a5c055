"""Commands about single sync jobs: cancel, retry."""

from getpass import getuser
from typing import Annotated
from uuid import UUID

import typer

from integrations_pipeline.commands import Key
from integrations_pipeline.errors import ConflictError
from integrations_pipeline.terminal import console, opened

Job = Annotated[UUID, typer.Argument(help="A job's id, as `history --json` tells it.")]


def cancel(
    key: Key,
    job: Annotated[
        UUID | None, typer.Argument(help="A job's id; none: all that wait or run.")
    ] = None,
) -> None:
    """Cancel syncs; what they committed is kept."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync.cancelling import cancel_sync_job, open_jobs

    with opened() as store:
        ref = find_integration(store, key)
        chosen = open_jobs(store, ref) if job is None else [job]
        for job_id in chosen:
            try:
                cancel_sync_job(store, ref, job_id, by=_me())
            except ConflictError:  # it has just ended
                if job is not None:
                    raise
            else:
                console.print(f"Cancelled: {job_id}")
    if not chosen:
        console.print("No sync waits or runs.")


def retry(key: Key, job: Job) -> None:
    """Ask for the same again as a job that failed or was cancelled."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync.cancelling import retry_sync_job

    with opened() as store:
        job_id = retry_sync_job(store, find_integration(store, key), job, by=_me())
    console.print(f"New job: {job_id}. It begins as soon as `integrations serve` runs.")


def _me() -> str:
    """Who types here."""
    try:
        return f"{getuser()} at the command line"
    except (KeyError, OSError):  # a container's user id without a name
        return "somebody at the command line"
