"""Why a job or a part of it ended, in words for people."""

import traceback
from pathlib import Path

import structlog

from integrations_pipeline.errors import IntegrationsError
from integrations_pipeline.oauth.accounts import IntegrationRef

log = structlog.get_logger("integrations_pipeline.sync")


def stopped(ref: IntegrationRef, error: BaseException) -> str:
    """The reason of a job whose process was interrupted; an interrupt may say by what."""
    by = str(error) if isinstance(error, KeyboardInterrupt) else ""
    return f"{ref.key}: stopped by {by or 'an interrupt'}; what was committed is kept."


def reason_of(error: Exception) -> str:
    """What an error means for the one who reads the job's story."""
    if isinstance(error, IntegrationsError):
        return str(error)
    # its text may show values of rows; the places tell enough
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    kind = type(error).__name__
    log.error("failed unexpectedly", kind=kind, places=places)
    return f"Failed unexpectedly ({kind} at {places[-1]}). See the log of the process that ran it."
