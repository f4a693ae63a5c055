"""How a service is reached: OAuth facts, limits, and what its errors mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
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
    """A line of the error table: status, and the value at a path of the body where that decides."""

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


class ClientAuth(StrEnum):
    """How the client proves itself at the token endpoint."""

    BODY = "body"
    BASIC_SECRET = "basic_secret"  # noqa: S105 - the secret as user name, no password
    """HTTP Basic with the secret as user name and an empty password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """A service's OAuth 2.0 facts. `{setting}` in an address is filled from the integration."""

    authorize_url: str
    token_url: str
    revoke_url: str | None = None
    revoke_method: str = "POST"
    """POST sends the refresh token in the body (RFC 7009); DELETE ends the token it carries."""
    scopes: tuple[str, ...] = ()
    """Asked for always; the chosen resources add theirs."""
    client_auth: ClientAuth = ClientAuth.BODY
    pkce: bool = True
    token_params: Mapping[str, str] = field(default_factory=dict)
    lifetime: timedelta | None = None
    """Life of an access token whose answer says none; None means that it does not expire."""
    rotates: bool = False
    """True where a refresh answer ends the old refresh token."""
    account_at: str = ""
    """Key of the account's id in the token answer; without it the settings name the account."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Something the admin must tell before the account can be connected."""

    name: str
    label: str
    pattern: str
