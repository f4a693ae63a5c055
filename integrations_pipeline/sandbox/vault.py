"""Authorization codes, access tokens and refresh tokens that the sandbox has issued."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from integrations_pipeline.sandbox.accounts import Client

# An expired access token is remembered this long, to be told from one that never existed.
_EXPIRED_KEPT_SECONDS = 86_400
# Where a service says that a token does not expire, ours lasts for a century.
NEVER = 100 * 365 * 86_400


@dataclass(frozen=True)
class AuthorizationCode:
    """What the user consented to; waits to be exchanged once."""

    service: str
    account: str
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str | None
    expires_at: float
    offline: bool = True
    """Whether the client asked for a refresh token in the way that the service wants it."""

    def verified_by(self, verifier: str | None) -> bool:
        """The S256 check of RFC 7636; a code without a challenge needs none."""
        if self.challenge is None:
            return True
        hashed = hashlib.sha256((verifier or "").encode()).digest()
        expected = base64.urlsafe_b64encode(hashed).rstrip(b"=")
        return hmac.compare_digest(expected, self.challenge.encode())


@dataclass(frozen=True)
class Rotation:
    """What a refresh does to the refresh token that it was made with."""

    grace_seconds: float | None = 0.0
    """The old one works this long; None: for as long as it would have anyway."""
    until_used: bool = False
    """The old one works until the new access token is used for the first time."""
    one_successor: bool = True
    """Refreshing with the old one, while it works, ends what it had been replaced by."""
    reuse_ends_grant: bool = False
    """The old one, presented when it works no longer, ends all tokens of its grant."""


@dataclass(frozen=True)
class RefreshToken:
    """A grant that lasts until it expires, is rotated or is revoked."""

    token: str
    service: str
    account: str
    scopes: tuple[str, ...]
    expires_at: float | None
    family: str = ""
    """The consent it comes from: the same through all rotations."""
    created_at: float = 0.0
    consented_at: float = 0.0
    replaced_by: str = ""
    awaits: str = ""
    """The access token whose first use ends this one."""


@dataclass(frozen=True)
class AccessToken:
    """A bearer token for one account."""

    token: str
    refresh_token: str
    service: str
    account: str
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float
    family: str = ""
    by_key: bool = False
    """It stands for a key that an admin copied: scopes do not bind it."""

    @property
    def seconds(self) -> int:
        return round(self.expires_at - self.created_at)


class Vault:
    """All codes and tokens; codes live in memory only, tokens go to the state file."""

    def __init__(
        self, clock: Callable[[], float], stored: dict[str, Any], on_change: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._codes: dict[str, AuthorizationCode] = {}
        self._spent: set[str] = set()
        self._refresh = {
            row["token"]: RefreshToken(**{**row, "scopes": tuple(row["scopes"])})
            for row in stored.get("refresh", [])
        }
        self._access = {
            row["token"]: AccessToken(**{**row, "scopes": tuple(row["scopes"])})
            for row in stored.get("access", [])
        }

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        return {
            "refresh": [asdict(token) for token in self._refresh.values()],
            "access": [asdict(token) for token in self._access.values()],
        }

    def issue_code(self, prefix: str, code: AuthorizationCode) -> str:
        value = prefix + secrets.token_urlsafe(24)
        self._codes[value] = code
        return value

    def redeem(self, client: Client, value: str | None) -> AuthorizationCode | None:
        """The consent behind a code; asking spends the code."""
        code = self._codes.pop(value or "", None)
        if code is None or (code.service, code.account) != (client.service, client.account):
            return None
        self._spent.add(value or "")
        return code if code.expires_at > self._clock() else None

    def was_spent(self, code: str) -> bool:
        """Whether the code was good before it was asked for."""
        return code in self._spent

    def grant(
        self,
        client: Client,
        scopes: tuple[str, ...],
        *,
        prefixes: tuple[str, str],
        access_seconds: float,
        refresh_seconds: float | None,
        old: RefreshToken | None = None,
    ) -> AccessToken:
        """A new refresh token and its first access token; an old one's grant goes on."""
        now = self._clock()
        refresh = RefreshToken(
            token=prefixes[1] + secrets.token_urlsafe(36),
            service=client.service,
            account=client.account,
            scopes=scopes,
            expires_at=None if refresh_seconds is None else now + refresh_seconds,
            family=old.family if old else secrets.token_hex(8),
            created_at=now,
            consented_at=old.consented_at if old else now,
        )
        self._refresh[refresh.token] = refresh
        return self.renew(refresh, prefix=prefixes[0], access_seconds=access_seconds)

    def grant_access(
        self, client: Client, scopes: tuple[str, ...], *, prefix: str, access_seconds: float
    ) -> AccessToken:
        """An access token without a refresh token."""
        family = secrets.token_hex(8)
        source = RefreshToken("", client.service, client.account, scopes, None, family)
        return self.renew(source, prefix=prefix, access_seconds=access_seconds)

    def renew(self, refresh: RefreshToken, *, prefix: str, access_seconds: float) -> AccessToken:
        """One more access token under the same refresh token."""
        now = self._clock()
        token = AccessToken(
            token=prefix + secrets.token_urlsafe(48),
            refresh_token=refresh.token,
            service=refresh.service,
            account=refresh.account,
            scopes=refresh.scopes,
            created_at=now,
            expires_at=now + access_seconds,
            family=refresh.family,
        )
        self._forget_access(lambda old: old.expires_at < now - _EXPIRED_KEPT_SECONDS)
        self._access[token.token] = token
        self._on_change()
        return token

    def replace(self, old: RefreshToken, access: AccessToken, rotation: Rotation) -> None:
        """Marks a refresh token as rotated into that of a new access token."""
        if rotation.one_successor:
            self._refresh.pop(old.replaced_by, None)
        ends = old.expires_at
        if rotation.grace_seconds is not None and not rotation.until_used:
            # From its first replacement on: using it again does not prolong its life.
            ends = ends if old.replaced_by else self._clock() + rotation.grace_seconds
        awaits = access.token if rotation.until_used else ""
        self._refresh[old.token] = replace(
            old, expires_at=ends, replaced_by=access.refresh_token, awaits=awaits
        )
        self._on_change()

    def used(self, access: AccessToken) -> None:
        """Ends the refresh token that waited for this use of its replacement."""
        waiting = [token for token in self._refresh.values() if token.awaits == access.token]
        for token in waiting:
            ended = replace(token, expires_at=self._clock(), awaits="")
            self._refresh[token.token] = ended
            self._on_change()

    def refresh_token(self, client: Client, value: str | None) -> RefreshToken | None:
        """The live refresh token of this client."""
        token = self.remembered(client, value)
        if token is None or token.expires_at is None:
            return token
        return token if token.expires_at > self._clock() else None

    def remembered(self, client: Client, value: str | None) -> RefreshToken | None:
        """The refresh token of this client, be it expired or replaced."""
        token = self._refresh.get(value or "")
        if token is None or (token.service, token.account) != (client.service, client.account):
            return None
        return token

    def access_token(self, service: str, value: str) -> AccessToken | None:
        """The access token of this service, be it expired or not."""
        token = self._access.get(value)
        return token if token is not None and token.service == service else None

    def any_token(self, service: str, value: str) -> AccessToken | RefreshToken | None:
        """The access or refresh token of this service."""
        token = self.access_token(service, value) or self._refresh.get(value)
        return token if token is not None and token.service == service else None

    def is_expired(self, token: AccessToken) -> bool:
        return token.expires_at <= self._clock()

    def revoke_access(self, value: str) -> None:
        self._forget_access(lambda token: token.token == value)
        self._on_change()

    def revoke_refresh(self, value: str, *, with_access: bool) -> None:
        """Ends a refresh token, and if asked the access tokens issued under it."""
        self._refresh.pop(value, None)
        if with_access:
            self._forget_access(lambda token: token.refresh_token == value)
        self._on_change()

    def end_grant(self, family: str) -> None:
        """Ends all tokens that come from one consent."""
        self._forget(lambda token: token.family == family)

    def end_grants(self, service: str, account: str) -> None:
        """Ends everything that an account has granted at a service."""
        self._codes = {
            value: code
            for value, code in self._codes.items()
            if (code.service, code.account) != (service, account)
        }
        self._forget(lambda token: (token.service, token.account) == (service, account))

    def _forget(self, matches: Callable[[AccessToken | RefreshToken], bool]) -> None:
        self._forget_access(matches)
        self._refresh = {k: t for k, t in self._refresh.items() if not matches(t)}
        self._on_change()

    def _forget_access(self, matches: Callable[[AccessToken], bool]) -> None:
        self._access = {k: t for k, t in self._access.items() if not matches(t)}
