"""The words for how a connection and a job are, as tables, API and UI use them."""

from enum import StrEnum


class IntegrationStatus(StrEnum):
    """How a connection is."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    ERROR = "ERROR"
    SYNCING = "SYNCING"
    PAUSED = "PAUSED"


class JobStatus(StrEnum):
    """How far a sync job is."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class SyncType(StrEnum):
    """What a sync job reads. SCHEDULED and MANUAL: changes if there is a checkpoint, else all."""

    FULL_SYNC = "FULL_SYNC"
    INCREMENTAL = "INCREMENTAL"
    SELECTIVE = "SELECTIVE"
    SCHEDULED = "SCHEDULED"
    MANUAL = "MANUAL"


class Direction(StrEnum):
    """Which way the records go."""

    PULL = "pull"
    PUSH = "push"
    BIDIRECTIONAL = "bidirectional"
