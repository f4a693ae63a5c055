"""How a service is treated: its limits, and what its errors mean."""

from dataclasses import dataclass
from enum import StrEnum


class Reaction(StrEnum):
    """What to do about an answer that is no success."""

    REFRESH = "refresh"
    CONNECT_AGAIN = "connect_again"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    RATE_LIMITED = "rate_limited"
    RETRY = "retry"
    REJECTED = "rejected"
    STALE_CURSOR = "stale_cursor"
    WRONG_HOST = "wrong_host"


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """A line of the error table: status, and the value at a path of the body where that decides.

    Without `equals` any value but null fits. Lines for status 200 with a path are looked at too:
    some services answer failures with it.
    """

    status: int
    reaction: Reaction
    at: str = ""
    equals: str = ""
    wait_seconds: float | None = None
    """How long to wait where the answer itself does not say."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A rolling limit that we keep by ourselves: requests in a span of seconds."""

    requests: int
    seconds: float
    path_contains: str = ""
