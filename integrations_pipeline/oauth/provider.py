"""Conversations with a service's OAuth endpoints (RFC 6749, PKCE of RFC 7636), no state kept."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import requests
from oauthlib.common import add_params_to_uri
from oauthlib.oauth2 import OAuth2Error
from requests.auth import AuthBase, HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from integrations_pipeline.connectors.auth import ClientAuth, Fact, Grant, OAuth
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import ConnectAgainError, RejectedError, TransientError
from integrations_pipeline.oauth.answers import expiry, granted, readable, token_object
from integrations_pipeline.oauth.endpoints import Endpoints
from integrations_pipeline.oauth.facts import read_facts, sound_facts
from integrations_pipeline.oauth.machine import machine_client, statement
from integrations_pipeline.transport.reactions import retry_after
from integrations_pipeline.transport.redact import clean
from integrations_pipeline.transport.session import guarded

TIMEOUT = 40.0
"""Seconds of silence allowed to a token endpoint."""
DEAD = frozenset({"invalid_grant", "access_denied"})
PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
FactReader = Callable[[Iterable[Fact], Any, str], dict[str, str]]

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
    facts: Mapping[str, str] = field(default_factory=dict)
    refresh_expires_at: datetime | None = None
    consent_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, repr=False)
class OAuthClient:
    """Our client at one service."""

    label: str
    oauth: OAuth
    endpoints: Endpoints
    client_id: str
    client_secret: str
    redirect_uri: str

    def authorization(self, state: str, scopes: tuple[str, ...]) -> tuple[str, str | None]:
        """The address to send the browser to, and the PKCE verifier to keep, if there is one."""
        session = self._session(scopes, "S256" if self.oauth.pkce else None)
        address, _ = session.authorization_url(self.endpoints.authorize_url, state=state)
        address = add_params_to_uri(address, list(self.oauth.authorize_params.items()))
        return str(address), getattr(session, "_code_verifier", None)

    def exchange(self, code: str, verifier: str | None, scopes: tuple[str, ...]) -> TokenSet:
        """The tokens for an authorization code.

        Raises:
            ConnectAgainError: the code is used up, old or not ours.
            TransientError: the service does not answer properly.
        """
        extra: dict[str, Any] = {"code_verifier": verifier} if verifier else {}
        return self._understand(self._fetch(code=code, **extra), scopes)

    def refresh(self, refresh_token: str, scopes: tuple[str, ...]) -> TokenSet:
        """New tokens for a refresh token; without a new refresh token the old one stays.

        The old one may be dead by now, so a fact without its form costs only that fact.

        Raises:
            ConnectAgainError: the service does not know the refresh token (any more).
            TransientError: the service does not answer properly; nothing is known to be spent.
        """
        named: dict[str, Any] = {} if self._by_header else {"client_id": self.client_id}
        answer = self._ask(
            lambda session, how: session.refresh_token(
                self.endpoints.token_url, refresh_token=refresh_token, **how, **named
            ),
            secrets=(refresh_token,),
        )
        found = self._understand(answer, scopes, facts=sound_facts)
        return found if found.refresh_token else replace(found, refresh_token=refresh_token)

    def ask_again(self, scopes: tuple[str, ...]) -> TokenSet:
        """Tokens for the client itself, or for a service account; nobody consents.

        Raises:
            ConnectAgainError: the service does not know the client or account (any more).
            TransientError: the service does not answer properly.
        """
        if self.oauth.grant is Grant.CLIENT_CREDENTIALS:
            return replace(self._understand(self._fetch(scopes), scopes), refresh_token=None)
        claims, account = statement(self.client_secret, self.endpoints.token_url, scopes)
        found = self._understand(self._fetch(**claims), scopes)
        return replace(found, refresh_token=None, facts={**found.facts, "account_id": account})

    def _fetch(self, scopes: tuple[str, ...] = (), /, **parameters: Any) -> "_Answer":
        named: dict[str, Any] = {} if self._by_header else {"include_client_id": True}
        if self.oauth.grant is Grant.JWT_BEARER:
            named = {"include_client_id": False}
        return self._ask(
            lambda session, how: session.fetch_token(
                self.endpoints.token_url, **parameters, **how, **named
            ),
            scopes,
            tuple(str(value) for value in parameters.values()),
        )

    def _session(self, scopes: tuple[str, ...] = (), pkce: str | None = None) -> OAuth2Session:
        if self.endpoints.allow_private:
            # The operator allowed plain http for this service; oauthlib knows only this switch.
            os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
        scope = self.oauth.scope_separator.join(scopes) or None
        session = OAuth2Session(
            self.client_id,
            client=machine_client(self.oauth.grant, self.client_id, scope),
            redirect_uri=self.redirect_uri,
            scope=scope,
            pkce=pkce,
        )
        guarded(session, allow_private=self.endpoints.allow_private)
        for hook in ("access_token_response", "refresh_token_response"):
            session.register_compliance_hook(hook, self._check)
        return session

    def _ask(
        self,
        request: Callable[[OAuth2Session, dict[str, Any]], Mapping[str, Any]],
        scopes: tuple[str, ...] = (),
        secrets: tuple[str, ...] = (),
    ) -> "_Answer":
        asked_at = datetime.now(UTC)
        try:
            return _Answer(request(self._session(scopes), self._authentication()), asked_at)
        except OAuth2Error as error:
            failure = self._refusal(error, secrets)
        except requests.RequestException as error:
            kind = type(error).__name__
            failure = TransientError(f"{self.label}'s token endpoint does not answer ({kind}).")
        raise failure  # out here: the errors above may repeat what we sent

    def _refusal(self, error: OAuth2Error, sent: tuple[str, ...]) -> Exception:
        secrets = (self.client_secret, f"{self.client_id}:{self.client_secret}", *sent)
        reason = clean(error.description or error.error or "", secrets)
        if error.error in DEAD or error.error in self.oauth.dead_errors:
            return ConnectAgainError(f"{self.label} refuses the grant: {reason}.")
        if error.error in PASSING or error.error in self.oauth.retry_errors:
            return TransientError(f"{self.label}'s token endpoint is busy: {reason}.")
        code = clean(error.error or "", secrets)
        return RejectedError(
            f"{self.label} refuses the token request ({code}): {reason}.",
            action="Check the client id, the client secret and the redirect address.",
        )

    def _authentication(self) -> dict[str, Any]:
        """How the client proves itself, in the words of requests-oauthlib."""
        oauth = self.oauth
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            **oauth.token_headers,
        }
        how: dict[str, Any] = {
            "timeout": TIMEOUT,
            "headers": headers,
            # never by keyword: a declared name may be one of the library's own arguments
            "body": urlencode(oauth.token_params),
            "auth": _Proof(self._pair, json_body=oauth.json_body),
        }
        named = oauth.grant is not Grant.JWT_BEARER and not self._by_header
        return {**how, "client_secret": self.client_secret} if named else how

    @property
    def _pair(self) -> tuple[str, str] | None:
        """User name and password, where the client proves itself by HTTP Basic."""
        if self.oauth.client_auth is ClientAuth.BASIC:
            return self.client_id, self.client_secret
        if self.oauth.client_auth is ClientAuth.BASIC_SECRET:
            return self.client_secret, ""
        return None

    @property
    def _by_header(self) -> bool:
        """Whether the client names itself in a header, and so not in the body."""
        return self.oauth.client_auth is not ClientAuth.BODY

    def _check(self, response: requests.Response) -> requests.Response:
        if response.status_code == 429 or response.status_code >= 500:
            error = TransientError(
                f"{self.label}'s token endpoint answered {response.status_code}.",
                status=response.status_code,
            )
            error.retry_after = retry_after(response.headers)
            raise error
        body = token_object(response.content)
        if body is None:
            told = f"{self.label}'s token endpoint sent no JSON object"
            if response.ok:
                raise TransientError(f"{told}.")
            raise RejectedError(
                f"{told} (status {response.status_code}).", action="Check the account's address."
            )
        if self.oauth.ok_at and not dig(body, self.oauth.ok_at):
            body["error"] = body.get("error") or "unknown"
        response._content = readable(body)  # noqa: SLF001 - as the library's own fixes do
        response.encoding = "utf-8"
        return response

    def _understand(
        self, answer: "_Answer", scopes: tuple[str, ...], *, facts: FactReader = read_facts
    ) -> TokenSet:
        oauth, token, since = self.oauth, answer.token, answer.asked_at
        return TokenSet(
            access_token=str(token["access_token"]),
            refresh_token=token.get("refresh_token") or None,
            expires_at=expiry(token.get("expires_in"), oauth.lifetime, since),
            scopes=granted(token, scopes),
            facts=facts(oauth.token_facts, token, self.label),
            refresh_expires_at=_end_at(oauth.refresh_life_at, answer),
            consent_expires_at=_end_at(oauth.consent_life_at, answer),
        )


@dataclass(frozen=True, slots=True, repr=False)
class _Answer:
    token: Mapping[str, Any]
    asked_at: datetime
    """Lives are counted from here: who knows when the service began to."""


def _end_at(path: str, answer: _Answer) -> datetime | None:
    return expiry(dig(answer.token, path) if path else None, None, answer.asked_at)


class _Proof(AuthBase):
    """Proves the client by HTTP Basic where it does so, and turns the form into JSON if wanted."""

    def __init__(self, pair: tuple[str, str] | None, *, json_body: bool) -> None:
        self._pair = pair
        self._json_body = json_body

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._json_body:
            form = dict(parse_qsl(str(request.body), keep_blank_values=True))
            del request.headers["Content-Type"]
            request.prepare_body(data=None, files=None, json=form)
        if self._pair is None:
            return request
        user, password = (part.encode() for part in self._pair)  # as text it would be Latin-1
        HTTPBasicAuth(user, password)(request)
        return request
