"""Jobs, reading, loading and checkpoints."""

from integrations_pipeline.sync.counts import Counts
from integrations_pipeline.sync.execution import JobResult, ResourceResult, execute_sync_job
from integrations_pipeline.sync.history import get_sync_job_history, get_sync_logs
from integrations_pipeline.sync.jobs import (
    SyncRequest,
    check_request,
    create_sync_job,
    log_sync,
)
from integrations_pipeline.sync.parts import Part

__all__ = [
    "Counts",
    "JobResult",
    "Part",
    "ResourceResult",
    "SyncRequest",
    "check_request",
    "create_sync_job",
    "execute_sync_job",
    "get_sync_job_history",
    "get_sync_logs",
    "log_sync",
]
