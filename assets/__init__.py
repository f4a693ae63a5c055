"""One Dagster multi-asset per service, made from its connector, and the job that runs it."""

from assets.services import SERVICE_ASSETS, SERVICE_JOBS, partitions_of

__all__ = ["SERVICE_ASSETS", "SERVICE_JOBS", "partitions_of"]
