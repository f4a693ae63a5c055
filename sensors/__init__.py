"""Sensors: pending jobs become runs, dead ones end, and tokens that no run asks for are kept."""

from sensors.pending_jobs import pending_jobs
from sensors.token_care import token_care

__all__ = ["pending_jobs", "token_care"]
