"""Schedules: they dispatch every integration's own cron."""

from schedules.dispatch import DISPATCH_SCHEDULES

__all__ = ["DISPATCH_SCHEDULES"]
