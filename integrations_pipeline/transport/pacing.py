"""Keeps a service's declared limits by ourselves, so that it seldom has to refuse."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from weakref import WeakValueDictionary

from integrations_pipeline.connectors.access import Quota


class Pacer:
    """Rolling windows over the requests of one account in this process."""

    def __init__(self, quotas: Iterable[Quota]) -> None:
        self._windows = [(quota, deque[float]()) for quota in quotas]
        self._lock = threading.Lock()

    def admit(self, path: str, wait: Callable[[float], None]) -> None:
        """Wait until a request to `path` fits; the first quota that matches it counts."""
        while (delay := self._reserve(path)) > 0:
            wait(delay)

    def _reserve(self, path: str) -> float:
        with self._lock:
            for quota, sent in self._windows:
                if quota.path_contains in path:
                    return _take(quota, sent, time.monotonic())
        return 0.0


_pacers: WeakValueDictionary[str, Pacer] = WeakValueDictionary()
_recent: deque[Pacer] = deque(maxlen=1000)
_pacers_lock = threading.Lock()


def pacer_of(account: str, quotas: Iterable[Quota]) -> Pacer:
    """The pacer that all jobs of an account in this process share; unused ones are forgotten."""
    with _pacers_lock:
        pacer = _pacers.get(account)
        if pacer is None:
            pacer = _pacers[account] = Pacer(quotas)
        _recent.append(pacer)
        return pacer


def _take(quota: Quota, sent: deque[float], now: float) -> float:
    """Book the request and return 0, or return the seconds until there is room."""
    while sent and sent[0] <= now - quota.seconds:
        sent.popleft()
    if len(sent) < quota.requests:
        sent.append(now)
        return 0.0
    return sent[0] + quota.seconds - now
