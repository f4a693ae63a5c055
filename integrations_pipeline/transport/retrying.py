"""A request, and whether and when it is sent again."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tenacity import RetryCallState
from tenacity.wait import wait_random_exponential

from integrations_pipeline.errors import RateLimitedError, TransientError
from integrations_pipeline.transport.limits import Result
from integrations_pipeline.transport.reactions import retry_after
from integrations_pipeline.transport.writing import encoded

ATTEMPTS = 5
LONGEST_GUESS = 3600.0
"""Seconds. An account is not paused for longer unless the service itself says so: a limit of a day
begins anew at a midnight that nobody knows."""
# full jitter: anything between nothing and a bound that doubles
_JITTER = wait_random_exponential(multiplier=0.5, max=30)


@dataclass(slots=True)
class Request:
    """A request, and how far it has come."""

    method: str
    path: str
    params: Mapping[str, Any]
    content: bytes | None
    headers: Mapping[str, str]
    max_bytes: int
    ends: float
    """Up to when it is tried, on the monotonic clock."""
    tries: int = 0
    may_repeat: bool = True
    """Whether the account bears that it is tried again."""
    begun: threading.Event = field(default_factory=threading.Event)
    """Set while it may have reached the service."""

    @property
    def patience(self) -> float:
        """Seconds that are left."""
        return max(0.0, self.ends - time.monotonic())


def request_of(
    method: str,
    path: str,
    params: Mapping[str, Any] | None,
    body: Mapping[str, Any] | None,
    max_bytes: int,
    seconds: float,
    *,
    form: bool = False,
    key: str = "",
) -> Request:
    """A request that may take so many seconds; `key` marks it as one that may be repeated."""
    content, kind = encoded(body, form=form)
    headers = {"Content-Type": kind} if kind else {}
    if key:
        headers["Idempotency-Key"] = key
    ends = time.monotonic() + seconds
    return Request(method, path, params or {}, content, headers, max_bytes, ends)


def wait_before_retry(state: RetryCallState) -> float:
    """Random, and longer each time; on top of what the service asks for, where it does."""
    error = state.outcome.exception() if state.outcome else None
    return float(getattr(error, "retry_after", None) or 0.0) + _JITTER(state)


def hopeless(request: Request, state: RetryCallState) -> bool:
    """Whether to give up: too many tries, or too many failures of the whole account."""
    return state.attempt_number >= ATTEMPTS or not request.may_repeat


def judge(error: Exception, result: Result) -> None:
    """What an answer that is no success says about the account."""
    if not isinstance(error, TransientError):
        result.answered = True
        return
    asked = retry_after(result.headers)
    status = error.status or 0
    result.refused = isinstance(error, RateLimitedError) or asked is not None
    result.failed = not result.refused and (status >= 500 or status in (0, 408))
    result.answered = not result.refused and not result.failed
    guessed = None if error.retry_after is None else min(error.retry_after, LONGEST_GUESS)
    result.retry_after = guessed if asked is None else asked
