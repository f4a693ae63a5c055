"""Whether changes can be read from a checkpoint on."""

from datetime import datetime, timedelta
from typing import Any

from integrations_pipeline.connectors.base import EventChanges, Resource
from integrations_pipeline.sync.batches import moment_of

SKEW = timedelta(minutes=10)
"""So far two clocks may differ."""


def unusable(resource: Resource, cursor: dict[str, Any], now: datetime) -> str:
    """Why the changes can't be read from this checkpoint on; empty where they can."""
    try:
        since = cursor.get("since") or (cursor.get("position") or {}).get("time")
        moment = None if since is None else moment_of(since)
    except (AttributeError, ValueError, OverflowError, OSError):
        return "The checkpoint makes no sense."
    if moment is not None and moment > now + SKEW:
        return f"The checkpoint lies in the future ({moment:%Y-%m-%d %H:%M} UTC)."
    return "The service forgot this long ago." if _is_forgotten(resource, cursor, now) else ""


def _is_forgotten(resource: Resource, cursor: dict[str, Any], now: datetime) -> bool:
    changes = resource.changes
    if not isinstance(changes, EventChanges):
        return False
    return moment_of(cursor["since"]) - changes.overlap < now - changes.retention
