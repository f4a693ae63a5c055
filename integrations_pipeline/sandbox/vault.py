"""Authorization codes, access tokens and refresh tokens that the sandbox has issued."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from integrations_pipeline.sandbox.accounts import Client

# An expired access token is remembered this long, to be told from one that never existed.
_EXPIRED_KEPT_SECONDS = 86_400


@dataclass(frozen=True)
class AuthorizationCode:
    """What the user consented to; waits to be exchanged once."""

    service: str
    account: str
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str | None
    expires_at: float

    def verified_by(self, verifier: str | None) -> bool:
        """The S256 check of RFC 7636; a code without a challenge needs none."""
        if self.challenge is None:
            return True
        hashed = hashlib.sha256((verifier or "").encode()).digest()
        expected = base64.urlsafe_b64encode(hashed).rstrip(b"=")
        return hmac.compare_digest(expected, self.challenge.encode())


@dataclass(frozen=True)
class RefreshToken:
    """A grant that lasts until it expires, is rotated or is revoked."""

    token: str
    service: str
    account: str
    scopes: tuple[str, ...]
    expires_at: float | None


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


class Vault:
    """All codes and tokens; codes live in memory only, tokens go to the state file."""

    def __init__(
        self, clock: Callable[[], float], stored: dict[str, Any], on_change: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._codes: dict[str, AuthorizationCode] = {}
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
        return code if code.expires_at > self._clock() else None

    def grant(
        self,
        client: Client,
        scopes: tuple[str, ...],
        *,
        prefixes: tuple[str, str],
        access_seconds: float,
        refresh_seconds: float | None,
    ) -> AccessToken:
        """A new refresh token and its first access token."""
        expires_at = None if refresh_seconds is None else self._clock() + refresh_seconds
        value = prefixes[1] + secrets.token_urlsafe(36)
        refresh = RefreshToken(value, client.service, client.account, scopes, expires_at)
        self._refresh[value] = refresh
        return self.renew(refresh, prefix=prefixes[0], access_seconds=access_seconds)

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
        )
        self._forget_access(lambda old: old.expires_at < now - _EXPIRED_KEPT_SECONDS)
        self._access[token.token] = token
        self._on_change()
        return token

    def refresh_token(self, client: Client, value: str | None) -> RefreshToken | None:
        """The live refresh token of this client."""
        token = self._refresh.get(value or "")
        if token is None or (token.service, token.account) != (client.service, client.account):
            return None
        expired = token.expires_at is not None and token.expires_at <= self._clock()
        return None if expired else token

    def access_token(self, service: str, value: str) -> AccessToken | None:
        """The access token of this service, be it expired or not."""
        token = self._access.get(value)
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

    def _forget_access(self, matches: Callable[[AccessToken], bool]) -> None:
        self._access = {k: t for k, t in self._access.items() if not matches(t)}
