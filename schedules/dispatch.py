"""The dispatching schedules: each integration's cron is data, so no redeploy changes it.

There is one for each service, since a Dagster schedule starts runs of one job only.
"""

from datetime import UTC

import dagster as dg

from assets import SERVICE_JOBS, partitions_of
from integrations_pipeline.connectors import SYNCED
from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.sync.launching import take_launches
from integrations_pipeline.sync.scheduling import dispatch_due, summary
from resources import DatabaseResource
from sensors.pending_jobs import run_request


def dispatch_schedule(connector: Connector) -> dg.ScheduleDefinition:
    """The schedule of one service: every minute it looks whose time has come."""

    @dg.schedule(
        name=f"dispatch_{connector.name}",
        cron_schedule="* * * * *",
        job=SERVICE_JOBS[connector.name],
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Writes one job per {connector.label} integration whose cron time has come, "
        "and requests its run.",
    )
    def dispatch(
        context: dg.ScheduleEvaluationContext, database: DatabaseResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        now = context.scheduled_execution_time.astimezone(UTC)
        dispatched = dispatch_due(database.store, connector.type, now)
        jobs = [one.job_id for one in dispatched if one.job_id is not None]
        launches = [
            launch for job_id in jobs for launch in take_launches(database.store, job_id=job_id)
        ]
        if not launches:
            return dg.SkipReason(summary(dispatched))
        # an integration may be younger than the sensor's last look at it
        partitions = str(partitions_of(connector).name)
        context.instance.add_dynamic_partitions(partitions, [one.ref.key for one in launches])
        return [run_request(launch) for launch in launches]

    return dispatch


DISPATCH_SCHEDULES = [dispatch_schedule(connector) for connector in SYNCED.values()]
