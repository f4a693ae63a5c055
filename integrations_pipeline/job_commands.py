"""Commands about single sync jobs: cancel, retry."""

from typing import Annotated

import typer

from integrations_pipeline.commands import Key, typist
from integrations_pipeline.errors import ConflictError
from integrations_pipeline.terminal import console, opened

Job = Annotated[str, typer.Argument(help="A job's id, or how it begins, as `history` tells it.")]


def cancel(
    key: Key,
    job: Annotated[
        str | None,
        typer.Argument(help="A job's id, or how it begins; none: all that wait or run."),
    ] = None,
) -> None:
    """Cancel syncs; what they committed is kept."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync.cancelling import cancel_sync_job, open_jobs
    from integrations_pipeline.sync.history import find_job_id

    with opened() as store:
        ref = find_integration(store, key)
        chosen = open_jobs(store, ref) if job is None else [find_job_id(store, ref, job)]
        for job_id in chosen:
            try:
                cancel_sync_job(store, ref, job_id, by=typist())
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
    from integrations_pipeline.sync.history import find_job_id

    with opened() as store:
        ref = find_integration(store, key)
        job_id = retry_sync_job(store, ref, find_job_id(store, ref, job), by=typist())
    console.print(f"New job: {job_id}. It begins as soon as `integrations serve` runs.")
