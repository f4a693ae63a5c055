"""Sensors: pending jobs become runs, and integrations become partitions."""

from sensors.pending_jobs import pending_jobs

__all__ = ["pending_jobs"]
