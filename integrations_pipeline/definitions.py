"""The Dagster code location: the one place that joins the Dagster face to the engine."""

import dagster as dg

from assets import SERVICE_ASSETS, SERVICE_JOBS
from resources import DatabaseResource, RecordsResource, client_resources
from schedules import DISPATCH_SCHEDULES
from sensors import pending_jobs, token_care

database = DatabaseResource()

defs = dg.Definitions(
    assets=list(SERVICE_ASSETS.values()),
    jobs=list(SERVICE_JOBS.values()),
    sensors=[pending_jobs, token_care],
    schedules=DISPATCH_SCHEDULES,
    resources={
        "database": database,
        "records": RecordsResource(database=database),
        **client_resources(database),
    },
    # A sync is one step; a process of its own for the step would only cost seconds.
    executor=dg.in_process_executor,
)
