"""How a service is treated: its limits, and what its errors mean."""

import re
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


class Per(StrEnum):
    """Who shares a limit."""

    ACCOUNT = "account"
    """All that we ask of one account."""
    APP = "app"
    """All accounts that were connected through one OAuth client."""


class ResetForm(StrEnum):
    """How a service writes the moment from which a limit is whole again."""

    SECONDS = "seconds"
    """Seconds from now."""
    EPOCH = "epoch"
    """Unix seconds."""
    EPOCH_MS = "epoch_ms"
    """Unix milliseconds."""
    ISO = "iso"
    """A date and time (RFC 3339, or RFC 9110's form)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Where answers tell how far a limit is used: names of headers, or paths of the body."""

    limit: str = ""
    remaining: str = ""
    reset: str = ""
    reset_as: ResetForm = ResetForm.SECONDS
    header: str = ""
    """One header that tells all of it, taken apart by `pattern`."""
    pattern: str = ""
    """Has groups named `limit`, `used`, `remaining`, `reset`, as far as they are told."""
    in_body: bool = False
    """The names are dotted paths of the body."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit that we keep by ourselves. A request is held to every limit that fits its path.

    `requests` (or points) in any span of `seconds`; 0: there is a limit, but only the service's
    answers tell it. Quotas of the same `name` share what is used, and their costs add up.
    """

    requests: int = 0
    seconds: float = 0.0
    path_contains: str = ""
    path_lacks: str = ""
    """Paths with this are counted elsewhere."""
    name: str = ""
    per: Per = Per.ACCOUNT
    concurrent: int = 0
    """So many requests may be under way at a time; 0: any number."""
    cost: int = 1
    """What one request uses of it."""
    each: str = ""
    """Pattern of paths: whatever it finds, such as one team's id, has this limit by itself."""
    alone: bool = False
    """A refusal (429) of such a path says nothing about the account's other paths."""
    told: Told | None = None

    methods: tuple[str, ...] = ()
    """Only these count; empty: all."""

    def fits(self, method: str, path: str) -> bool:
        """Whether such a request is held to it."""
        return (
            (not self.methods or method in self.methods)
            and self.path_contains in path
            and not (self.path_lacks and self.path_lacks in path)
            and bool(not self.each or re.search(self.each, path))
        )

    @property
    def label(self) -> str:
        """Its name, for people and as a key."""
        at_once = f"{self.concurrent} at once"
        most = f"{self.requests} in {self.seconds:g} s" if self.seconds else at_once
        return self.name or f"{self.path_contains or 'all requests'}: {most}"
