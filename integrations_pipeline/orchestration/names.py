"""Names that the engine and the Dagster face share."""

from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.sync.launching import Launch

JOB_TAG = "integrations/job"
"""Tag of a run: the sync job that it carries out."""


def partitions_name(connector: Connector) -> str:
    """Name of the partitions definition that holds a service's integrations."""
    return f"{connector.name}_integrations"


def job_name(connector: Connector) -> str:
    """Name of the Dagster job that syncs a service."""
    return f"sync_{connector.name}"


def tags_of(launch: Launch) -> dict[str, str]:
    """Tags of a job's run. In Dagster's queue as well, the first of each tenant goes first."""
    return {JOB_TAG: str(launch.job_id), "dagster/priority": str(-launch.turn)}
