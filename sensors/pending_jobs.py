"""The safety net of all triggers: whatever job was written and not launched gets its run here."""

import dagster as dg

from assets.services import SERVICE_JOBS, asset_key, partitions_of
from integrations_pipeline.connectors import SYNCED
from integrations_pipeline.oauth import list_integrations
from integrations_pipeline.orchestration.names import JOB_TAG, job_name, tags_of
from integrations_pipeline.store import Store
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync.deaths import end_dead_jobs
from integrations_pipeline.sync.launching import (
    Launch,
    end_pending_job,
    keep_waiting,
    launch_again,
    overdue_launches,
    take_launches,
)
from resources import DatabaseResource


def run_request(launch: Launch) -> dg.RunRequest:
    """The run of a job. Each launch has a key of its own: a key is remembered for ever."""
    ref = launch.ref
    return dg.RunRequest(
        run_key=f"{launch.job_id}:{launch.attempt}",
        job_name=job_name(ref.connector),
        partition_key=ref.key,
        asset_selection=[asset_key(ref.connector, name) for name in launch.resources],
        tags=tags_of(launch),
    )


def review(instance: dg.DagsterInstance, store: Store) -> None:
    """Look after jobs whose run has not begun: it may wait, be cancelled, or be lost."""
    for launch in overdue_launches(store):
        runs = instance.get_runs(dg.RunsFilter(tags={JOB_TAG: str(launch.job_id)}), limit=1)
        if runs and not runs[0].is_finished:
            keep_waiting(store, launch)
        elif runs and runs[0].status is dg.DagsterRunStatus.CANCELED:
            reason = "Its run was cancelled in Dagster before it began."
            end_pending_job(store, launch.ref, launch.job_id, JobStatus.CANCELLED, reason)
        else:
            launch_again(store, launch)


def missing_partitions(
    instance: dg.DagsterInstance, keys: dict[str, list[str]]
) -> list[dg.AddDynamicPartitionsRequest]:
    """Requests for the integrations that Dagster does not know yet, by service."""
    requests = []
    for service, wanted in keys.items():
        definition = partitions_of(SYNCED[service])
        known = set(instance.get_dynamic_partitions(str(definition.name)))
        if new := [key for key in wanted if key not in known]:
            requests.append(definition.build_add_request(new))
    return requests


@dg.sensor(
    jobs=list(SERVICE_JOBS.values()),
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches sync jobs that wait for a run, ends jobs whose run has died, and keeps "
    "the partitions equal to the integrations.",
)
def pending_jobs(
    context: dg.SensorEvaluationContext, database: DatabaseResource
) -> dg.SensorResult:
    """Integrations become partitions, dead jobs are ended, pending jobs become runs."""
    store = database.store
    by_service: dict[str, list[str]] = {}
    for row in list_integrations(store):
        if row.type.lower() in SYNCED:
            by_service.setdefault(row.type.lower(), []).append(row.key)
    ended = end_dead_jobs(store)
    review(context.instance, store)
    launches = take_launches(store)
    skip = f"No job waits for a run; {ended} dead jobs ended." if not launches else None
    return dg.SensorResult(
        run_requests=[run_request(launch) for launch in launches],
        dynamic_partitions_requests=missing_partitions(context.instance, by_service),
        skip_reason=skip,
    )
