"""Conversations with a service's OAuth endpoints (RFC 6749, PKCE of RFC 7636), no state kept."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from oauthlib.oauth2 import OAuth2Error
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from integrations_pipeline.connectors.access import ClientAuth
from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import ConnectAgainError, RejectedError, TransientError
from integrations_pipeline.oauth.endpoints import Endpoints
from integrations_pipeline.transport.reactions import retry_after
from integrations_pipeline.transport.redact import clean
from integrations_pipeline.transport.session import guarded

TIMEOUT = 45.0
"""Seconds; shorter than the mark that a refresh is under way stands."""
LONGEST = timedelta(days=3650)

# A service may grant other scopes than were asked; what it granted is what we store.
os.environ["OAUTHLIB_RELAX_TOKEN_SCOPE"] = "1"  # noqa: S105 - a switch


@dataclass(frozen=True, slots=True, repr=False)
class TokenSet:
    """What a token endpoint answered, in our words."""

    access_token: str
    refresh_token: str | None
    expires_at: datetime | None
    """None: it does not expire."""
    scopes: tuple[str, ...]
    account_id: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class OAuthClient:
    """Our client at one service."""

    connector: Connector
    endpoints: Endpoints
    client_id: str
    client_secret: str
    redirect_uri: str

    def authorization(self, state: str, scopes: tuple[str, ...]) -> tuple[str, str | None]:
        """The address to send the browser to, and the PKCE verifier to keep, if there is one."""
        session = self._session(scopes, "S256" if self.connector.oauth.pkce else None)
        address, _ = session.authorization_url(self.endpoints.authorize_url, state=state)
        return str(address), getattr(session, "_code_verifier", None)

    def exchange(self, code: str, verifier: str | None, scopes: tuple[str, ...]) -> TokenSet:
        """The tokens for an authorization code.

        Raises:
            ConnectAgainError: the code is used up, old or not ours.
            TransientError: the service does not answer properly.
        """
        extra: dict[str, Any] = {"code_verifier": verifier} if verifier else {}
        token = self._ask(
            lambda session, how: session.fetch_token(
                self.endpoints.token_url,
                code=code,
                **extra,
                **how,
                **self._named("include_client_id"),
            )
        )
        return self._understand(token, scopes)

    def refresh(self, refresh_token: str, scopes: tuple[str, ...]) -> TokenSet:
        """New tokens for a refresh token; without a new refresh token the old one stays.

        Raises:
            ConnectAgainError: the service does not know the refresh token (any more).
            TransientError: the service does not answer properly; nothing is known to be spent.
        """
        token = self._ask(
            lambda session, how: session.refresh_token(
                self.endpoints.token_url,
                refresh_token=refresh_token,
                **how,
                **self._named("client_id"),
            )
        )
        found = self._understand(token, scopes)
        return found if found.refresh_token else replace(found, refresh_token=refresh_token)

    def _session(self, scopes: tuple[str, ...] = (), pkce: str | None = None) -> OAuth2Session:
        if self.endpoints.allow_private:
            # The operator allowed plain http for this service; oauthlib knows only this switch.
            os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
        session = OAuth2Session(
            self.client_id,
            redirect_uri=self.redirect_uri,
            scope=list(scopes) or None,
            pkce=pkce,
        )
        guarded(session, allow_private=self.endpoints.allow_private)
        for hook in ("access_token_response", "refresh_token_response"):
            session.register_compliance_hook(hook, self._check)
        return session

    def _ask(self, request: Callable[[OAuth2Session, dict[str, Any]], Mapping[str, Any]]) -> Any:
        label = self.connector.label
        try:
            return request(self._session(), self._authentication())
        except OAuth2Error as error:
            reason = clean(error.description or error.error or "")
            if error.error in {"invalid_grant", "access_denied"}:
                raise ConnectAgainError(f"{label} refuses the grant: {reason}.") from error
            raise RejectedError(
                f"{label} refuses the token request ({error.error}): {reason}.",
                action="Check the client id, the client secret and the redirect address.",
            ) from error
        except requests.RequestException as error:
            kind = type(error).__name__
            raise TransientError(f"{label}'s token endpoint does not answer ({kind}).") from error

    def _authentication(self) -> dict[str, Any]:
        """How the client proves itself, in the words of requests-oauthlib."""
        oauth = self.connector.oauth
        how: dict[str, Any] = {"timeout": TIMEOUT, **oauth.token_params}
        if oauth.client_auth is ClientAuth.BASIC_SECRET:
            return {**how, "auth": HTTPBasicAuth(self.client_secret, "")}
        return {**how, "client_secret": self.client_secret}

    def _named(self, parameter: str) -> dict[str, Any]:
        """The client's id in the body; the library asks for it differently in its two calls."""
        if self.connector.oauth.client_auth is ClientAuth.BASIC_SECRET:
            return {}
        return {parameter: True if parameter == "include_client_id" else self.client_id}

    def _check(self, response: requests.Response) -> requests.Response:
        if response.status_code == 429 or response.status_code >= 500:
            error = TransientError(
                f"{self.connector.label}'s token endpoint answered {response.status_code}.",
                status=response.status_code,
            )
            error.retry_after = retry_after(response.headers)
            raise error
        body = _object(response.content)
        if body is None:
            told = f"{self.connector.label}'s token endpoint sent no JSON object"
            if response.ok:
                raise TransientError(f"{told}.")
            raise RejectedError(
                f"{told} (status {response.status_code}).", action="Check the account's address."
            )
        # what the library can't read is left out, and then missing in the usual way
        response._content = json.dumps(_readable(body)).encode()  # noqa: SLF001 - as its own fixes do
        return response

    def _understand(self, token: Mapping[str, Any], scopes: tuple[str, ...]) -> TokenSet:
        account_at = self.connector.oauth.account_at
        account = dig(token, account_at) if account_at else None
        return TokenSet(
            access_token=str(token["access_token"]),
            refresh_token=token.get("refresh_token") or None,
            expires_at=_expiry(token.get("expires_in"), self.connector.oauth.lifetime),
            scopes=_granted(token, scopes),
            account_id=None if account is None else str(account),
        )


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(raw)  # takes numbers of any size
    except ValueError:
        return None
    sound = isinstance(body, dict) and isinstance(body.get("refresh_token"), str | None)
    return body if sound else None


def _readable(body: dict[str, Any]) -> dict[str, Any]:
    """The answer without values of a senseless type."""
    texts = {"access_token", "refresh_token", "token_type", "scope", "error", "error_description"}
    kept = {k: v for k, v in body.items() if k not in texts or (isinstance(v, str) and v)}
    if "error" in body and "error" not in kept:
        kept["error"] = "unknown"
    if not str(kept.get("expires_in", 0))[:12].isdecimal():
        del kept["expires_in"]
    return kept


def _expiry(expires_in: Any, default: timedelta | None) -> datetime | None:
    """When the token ends; a missing or senseless `expires_in` means the service's usual life."""
    try:
        life: timedelta | None = min(timedelta(seconds=float(expires_in)), LONGEST)
    except (TypeError, ValueError, OverflowError):
        life = default
    if life is not None and life <= timedelta(0):
        life = default
    return None if life is None else datetime.now(UTC) + life


def _granted(token: Mapping[str, Any], asked: tuple[str, ...]) -> tuple[str, ...]:
    given = token.get("scope") or token.get("scopes")
    if isinstance(given, str):
        given = given.replace(",", " ").split()
    return tuple(str(scope) for scope in given) if given else asked
