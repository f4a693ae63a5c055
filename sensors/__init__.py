"""Sensors: pending jobs become runs, and integrations become partitions."""

from sensors.pending_jobs import pending_jobs
from sensors.token_care import token_care

__all__ = ["pending_jobs", "token_care"]
