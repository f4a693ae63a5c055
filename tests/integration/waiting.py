"""Waiting for conditions, never for a time."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], seconds: float = 60, what: str = "") -> float:
    """Until the condition is true; returns the seconds that it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not true in time: {what or condition}"
        time.sleep(0.02)
    took = time.monotonic() - began
    assert took < seconds, f"true too late: {what or condition}"
    return took
