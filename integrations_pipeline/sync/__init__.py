"""Jobs, reading, loading and checkpoints."""

from integrations_pipeline.sync.execution import JobResult, ResourceResult, execute_sync_job
from integrations_pipeline.sync.jobs import (
    SyncRequest,
    check_request,
    create_sync_job,
    get_sync_job_history,
    get_sync_logs,
    log_sync,
)
from integrations_pipeline.sync.loading import Counts

__all__ = [
    "Counts",
    "JobResult",
    "ResourceResult",
    "SyncRequest",
    "check_request",
    "create_sync_job",
    "execute_sync_job",
    "get_sync_job_history",
    "get_sync_logs",
    "log_sync",
]
