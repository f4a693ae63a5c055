"""The token vault: tokens sealed in the database, refreshed once however many ask."""

import random
import time
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from integrations_pipeline.alerts import AlertKind
from integrations_pipeline.connectors.auth import Grant, OAuth
from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.errors import (
    ConfigurationError,
    ConnectAgainError,
    IntegrationsError,
    NotConnectedError,
    RejectedError,
    TransientError,
)
from integrations_pipeline.oauth import claims, rows
from integrations_pipeline.oauth.accounts import CLIENT_SECRET, IntegrationRef
from integrations_pipeline.oauth.choosing import scopes_to_ask
from integrations_pipeline.oauth.endpoints import endpoints_of
from integrations_pipeline.oauth.provider import OAuthClient, TokenSet
from integrations_pipeline.oauth.rows import Held, open_secret, read_token
from integrations_pipeline.store import Place, SealError, Store
from integrations_pipeline.store.models import Integration

MARGIN = timedelta(minutes=5)
MARGIN_SHARE = 0.2
PATIENCE_SECONDS = 90.0
STORE_SECONDS = 60.0
"""How long new tokens are tried to be stored, when the database is in trouble."""
FAILURES = 10
"""So many refreshes in a row may fail before a person is told: a quarter of an hour or more."""
CALLBACK = "/api/integrations/callback"


def integration_row(store: Store, ref: IntegrationRef) -> Integration:
    """The integration as it is now."""
    with store.tenant(ref.tenant_id) as session:
        return session.get_one(Integration, (ref.tenant_id, ref.id))


def redirect_address(store: Store, connector: Connector) -> str:
    """Where a service sends the browser back to: one address for each service (RFC 9700, 4.4)."""
    return f"{store.settings.public_url.rstrip('/')}{CALLBACK}/{connector.name}"


def oauth_client(store: Store, ref: IntegrationRef) -> OAuthClient:
    """Our client at the integration's service, with its secret opened.

    Raises:
        ConfigurationError: the integration is connected with a key, without OAuth.
        SealError: the client secret was moved or altered; the integration is flagged.
    """
    row, way = integration_row(store, ref), ref.way
    if not isinstance(way, OAuth):
        raise ConfigurationError(f"{ref.key} is connected with a {way.label}, without OAuth.")
    try:
        place = Place(ref.tenant_id, ref.id, CLIENT_SECRET)
        secret = store.keyring.open(row.client_secret, place) if row.client_secret else ""
    except SealError as error:
        rows.flag(store, ref, AlertKind.SEALED_VALUE, str(error))
        raise
    return OAuthClient(
        label=ref.connector.label,
        oauth=way,
        endpoints=endpoints_of(
            ref.connector, store.settings, row.settings, way=way, facts=row.facts
        ),
        client_id=row.client_id or "",
        client_secret=secret,
        redirect_uri=redirect_address(store, ref.connector) if way.grant is Grant.CODE else "",
    )


def store_oauth_token(store: Store, ref: IntegrationRef, token: TokenSet) -> None:
    """Keep a new connection's tokens in place of older ones; the integration is ACTIVE."""
    with store.tenant(ref.tenant_id) as session:
        rows.save_connection(session, store, ref, token)


def get_valid_token(
    store: Store,
    ref: IntegrationRef,
    *,
    rejected: str | None = None,
    patience_seconds: float | None = None,
) -> str:
    """An access token that is valid now, refreshed before it expires.

    `rejected` is a token that the service has just refused: another one is returned.
    `patience_seconds` is how long a refresh that runs elsewhere is waited for.

    Raises:
        ConnectAgainError: there is none and none can be got without a person.
        TransientError: the token endpoint does not answer, and the last token has run out.
        SealError: a stored secret was moved or altered.
    """
    deadline = time.monotonic() + (patience_seconds or PATIENCE_SECONDS)
    while time.monotonic() < deadline:
        held = read_token(store, ref)
        current = open_secret(store, ref, held.row, "access_token")
        usable = current != rejected
        if usable and not _is_due(held):
            return current
        if not _renewable(ref, held):
            return _last_token(store, ref, held, current, usable=usable)
        if held.resting and usable and held.alive:
            return current
        if held.resting:
            raise _resting(ref, held)
        holder = claims.claim(store, ref, held.row)
        if holder is not None:
            return refresh_access_token(store, ref, held, holder, usable=usable)
        if usable and held.alive:
            return current  # someone refreshes it at this moment; it still has some time
        time.sleep(0.1)
    raise TransientError(f"{ref.key}: the token is being refreshed elsewhere and does not arrive.")


def refresh_access_token(
    store: Store, ref: IntegrationRef, held: Held, holder: str, *, usable: bool
) -> str:
    """Refresh under a claim and return the new access token; see `get_valid_token`.

    `usable`: the service has not refused the access token that is there.
    """
    try:
        with claims.kept(store, ref, holder):
            token = _new_tokens(store, ref, held, holder)
            stored = _stored(store, ref, held, holder, token)
    except claims.ClaimLostError:
        return _after_another(store, ref, held)
    except ConnectAgainError as error:
        if claims.end(store, ref, held.row, holder, str(error)):
            raise
        # Another has taken the claim over and may have won; what it stored decides.
        return _after_another(store, ref, held)
    except SQLAlchemyError:
        raise  # the mark grows old, and the next try begins anew
    except Exception as error:
        asked, alert = getattr(error, "retry_after", None), _alert_of(ref, held, error)
        if not claims.rest(store, ref, held, holder, asked=asked, alert=alert):
            return _after_another(store, ref, held)
        if usable and held.alive and isinstance(error, IntegrationsError):
            return open_secret(store, ref, held.row, "access_token")
        raise
    # A claim that was taken over: what the other one stored is newer than what we hold.
    return token.access_token if stored else _after_another(store, ref, held)


def _stored(store: Store, ref: IntegrationRef, held: Held, holder: str, token: TokenSet) -> bool:
    """Store the new tokens, and try that again: the service may have ended the old ones."""
    retrying = Retrying(
        retry=retry_if_exception_type(SQLAlchemyError),
        wait=wait_exponential(multiplier=0.2, max=5),
        stop=stop_after_delay(STORE_SECONDS),
        reraise=True,
    )
    return retrying(claims.replace, store, ref, held.row, holder, token)


def _alert_of(ref: IntegrationRef, held: Held, error: Exception) -> str | None:
    """What a person must know of a refresh that failed, if it matters already."""
    refused = isinstance(error, RejectedError) and not held.alive
    long_enough = held.row.refresh_failures >= FAILURES and not isinstance(error, SealError)
    if not (refused or long_enough):
        return None
    told = str(error) if isinstance(error, IntegrationsError) else type(error).__name__
    return f"{ref.key}: its token can't be refreshed: {told}"


def mark_broken(store: Store, ref: IntegrationRef, reason: str, *, used: str | None = None) -> None:
    """The integration is in ERROR until a person connects it again; an alert says so.

    `used` is the token that the service refused: if it is not ours any more, nothing is broken.
    """
    try:
        held = read_token(store, ref)
        if used is not None and used != open_secret(store, ref, held.row, "access_token"):
            return
    except (NotConnectedError, SealError):
        return  # disconnected on purpose, or flagged already
    rows.flag(store, ref, AlertKind.CONNECT_AGAIN, reason, version=held.row.version)


def _new_tokens(store: Store, ref: IntegrationRef, held: Held, holder: str) -> TokenSet:
    client = oauth_client(store, ref)
    if client.oauth.asks_again:
        row = integration_row(store, ref)
        return client.ask_again(scopes_to_ask(ref.connector, client.oauth, row))
    refresh_token = open_secret(store, ref, held.row, "refresh_token")
    if not claims.confirm(store, ref, holder):
        raise claims.ClaimLostError  # what another got with this refresh token must not end
    return client.refresh(refresh_token, tuple(held.row.scopes))


def _after_another(store: Store, ref: IntegrationRef, held: Held) -> str:
    old = open_secret(store, ref, held.row, "access_token")
    return get_valid_token(store, ref, rejected=old)


def _renewable(ref: IntegrationRef, held: Held) -> bool:
    asks_again = isinstance(ref.way, OAuth) and ref.way.asks_again
    return asks_again or held.row.refresh_token is not None


def _is_due(held: Held) -> bool:
    """Whether to refresh now: some time before the end, not the same moment in every process."""
    if held.row.expires_at is None:
        return False
    life = held.row.expires_at - held.row.obtained_at
    margin = min(MARGIN, life * MARGIN_SHARE) * random.uniform(1.0, 1.25)  # noqa: S311 - jitter
    return held.row.expires_at - margin <= held.now


def _last_token(
    store: Store, ref: IntegrationRef, held: Held, current: str, *, usable: bool
) -> str:
    """The access token, where there is nothing to refresh it with."""
    if usable and held.alive:
        return current
    error = ConnectAgainError("The connection has ended.")
    rows.flag(store, ref, AlertKind.CONNECT_AGAIN, str(error), version=held.row.version)
    raise error


def _resting(ref: IntegrationRef, held: Held) -> TransientError:
    seconds = held.resting.total_seconds()
    error = TransientError(
        f"{ref.key}: the last refresh failed; the next one is tried in {seconds:.0f} seconds."
    )
    error.retry_after = seconds
    return error


KEPT_SECONDS = 1.0
"""A token is given again without a look for so long: less than any token still has to live."""


class VaultTokens:
    """The token source of one integration: the vault is asked anew all the time."""

    def __init__(self, store: Store, ref: IntegrationRef) -> None:
        self._store = store
        self._ref = ref
        self._known: tuple[str, float] | None = None

    def token(self) -> str:
        """A token that is valid now."""
        known = self._known
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        return self._keep(get_valid_token(self._store, self._ref))

    def renew(self, rejected: str) -> str:
        """Another token, after the service refused `rejected`."""
        return self._keep(get_valid_token(self._store, self._ref, rejected=rejected))

    def _keep(self, token: str) -> str:
        self._known = (token, time.monotonic() + KEPT_SECONDS)
        return token
