"""The token vault: tokens sealed in the database, refreshed once however many ask.

A refresh is claimed by writing a mark into the token's row (compare-and-swap on `version`), done
with no lock held, and committed only by the claim's holder. A mark that outlived its holder is
taken over after `MARK`; a late answer of the old holder is then refused by the version.
"""

import random
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, func, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from integrations_pipeline.errors import ConnectAgainError, IntegrationsError, TransientError
from integrations_pipeline.oauth.accounts import CLIENT_SECRET, IntegrationRef
from integrations_pipeline.oauth.endpoints import endpoints_of
from integrations_pipeline.oauth.provider import OAuthClient, TokenSet
from integrations_pipeline.store import Place, Store
from integrations_pipeline.store.models import Integration, OAuthToken
from integrations_pipeline.store.states import IntegrationStatus

MARK = timedelta(seconds=60)
MARGIN = timedelta(minutes=5)
MARGIN_SHARE = 0.2
PATIENCE_SECONDS = 90.0
CALLBACK = "/api/integrations/callback"


def oauth_client(store: Store, ref: IntegrationRef) -> OAuthClient:
    """Our client at the integration's service, with its secret opened."""
    with store.tenant(ref.tenant_id) as session:
        row = session.get_one(Integration, (ref.tenant_id, ref.id))
    place = Place(ref.tenant_id, ref.id, CLIENT_SECRET)
    return OAuthClient(
        connector=ref.connector,
        endpoints=endpoints_of(ref.connector, store.settings, row.settings),
        client_id=row.client_id or "",
        client_secret=store.keyring.open(row.client_secret, place) if row.client_secret else "",
        redirect_uri=store.settings.public_url.rstrip("/") + CALLBACK,
    )


def store_oauth_token(store: Store, ref: IntegrationRef, token: TokenSet) -> None:
    """Keep a new connection's tokens in place of older ones; the integration is ACTIVE."""
    values = _sealed(store, ref, token)
    fresh = {"version": OAuthToken.version + 1, "refresh_holder": None, "refresh_started_at": None}
    with store.tenant(ref.tenant_id) as session:
        session.execute(
            insert(OAuthToken)
            .values(tenant_id=ref.tenant_id, integration_id=ref.id, **values)
            .on_conflict_do_update(
                index_elements=["tenant_id", "integration_id"], set_={**values, **fresh}
            )
        )
        _set_status(session, ref, IntegrationStatus.ACTIVE, None)


def get_valid_token(store: Store, ref: IntegrationRef, *, rejected: str | None = None) -> str:
    """An access token that is valid now, refreshed before it expires.

    `rejected` is a token that the service has just refused: another one is returned.

    Raises:
        ConnectAgainError: there is none and none can be got without a person.
        TransientError: the token endpoint does not answer, and the last token has run out.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        row = _read(store, ref)
        current = _open(store, ref, row, "access_token")
        usable = current != rejected
        if usable and not _is_due(row):
            return current
        if row.refresh_token is None:
            return _last_token(store, ref, row, current, usable=usable)
        holder = _claim(store, ref, row)
        if holder is not None:
            return refresh_access_token(store, ref, row, holder, usable=usable)
        if usable and _is_alive(row):
            return current  # someone refreshes it at this moment; it still has some time
        time.sleep(0.1)
    raise TransientError(f"{ref.key}: the token is being refreshed elsewhere and does not arrive.")


def refresh_access_token(
    store: Store, ref: IntegrationRef, row: OAuthToken, holder: str, *, usable: bool
) -> str:
    """Refresh under a claim and return the new access token; see `get_valid_token`."""
    try:
        refresh_token = _open(store, ref, row, "refresh_token")
        token = oauth_client(store, ref).refresh(refresh_token, tuple(row.scopes))
    except ConnectAgainError as error:
        return _after_refusal(store, ref, row, error)
    except IntegrationsError:
        _release(store, ref, holder)
        if usable and _is_alive(row):
            return _open(store, ref, row, "access_token")
        raise
    if not _replace(store, ref, row, holder, token):
        # Our claim was taken over: what the other one stored is newer than what we hold.
        return _open(store, ref, _read(store, ref), "access_token")
    return token.access_token


def mark_broken(store: Store, ref: IntegrationRef, reason: str) -> None:
    """The integration is in ERROR until a person connects it again."""
    with store.tenant(ref.tenant_id) as session:
        _set_status(session, ref, IntegrationStatus.ERROR, reason)


def end_connection(store: Store, ref: IntegrationRef, row: OAuthToken, reason: str) -> bool:
    """Let these credentials be dead: no further try until a person connects again.

    False: others have taken their place in the meantime; nothing was changed.
    """
    with store.tenant(ref.tenant_id) as session:
        ended = session.execute(
            update(OAuthToken)
            .where(*_of(ref), OAuthToken.version == row.version)
            .values(
                refresh_token=None,
                refresh_holder=None,
                refresh_started_at=None,
                version=OAuthToken.version + 1,
            )
            .returning(OAuthToken.version)
        ).first()
        if ended is not None:
            _set_status(session, ref, IntegrationStatus.ERROR, reason)
    return ended is not None


def _read(store: Store, ref: IntegrationRef) -> OAuthToken:
    with store.tenant(ref.tenant_id) as session:
        row = session.get(OAuthToken, (ref.tenant_id, ref.id))
    if row is None:
        raise ConnectAgainError(
            "The account is not connected yet.", action=f"Run: integrations connect {ref.key}"
        )
    return row


def _open(store: Store, ref: IntegrationRef, row: OAuthToken, column: str) -> str:
    sealed: bytes | None = getattr(row, column)
    if sealed is None:
        raise ConnectAgainError("The connection has ended.")
    return store.keyring.open(sealed, _place(ref, column))


def _of(ref: IntegrationRef) -> tuple[ColumnElement[bool], ...]:
    return (OAuthToken.tenant_id == ref.tenant_id, OAuthToken.integration_id == ref.id)


def _place(ref: IntegrationRef, column: str) -> Place:
    return Place(ref.tenant_id, ref.id, f"oauth_token.{column}")


def _sealed(store: Store, ref: IntegrationRef, token: TokenSet) -> dict[str, object]:
    seal, refresh = store.keyring.seal, token.refresh_token
    return {
        "access_token": seal(token.access_token, _place(ref, "access_token")),
        "refresh_token": seal(refresh, _place(ref, "refresh_token")) if refresh else None,
        "scopes": list(token.scopes),
        "expires_at": token.expires_at,
        "obtained_at": datetime.now(UTC),
    }


def _is_alive(row: OAuthToken) -> bool:
    return row.expires_at is None or row.expires_at > datetime.now(UTC) + timedelta(seconds=1)


def _is_due(row: OAuthToken) -> bool:
    """Whether to refresh now: some time before the end, not the same moment in every process."""
    if row.expires_at is None:
        return False
    life = row.expires_at - row.obtained_at
    margin = min(MARGIN, life * MARGIN_SHARE) * random.uniform(1.0, 1.25)  # noqa: S311 - jitter
    return row.expires_at - margin <= datetime.now(UTC)


def _claim(store: Store, ref: IntegrationRef, row: OAuthToken) -> str | None:
    holder = uuid4().hex
    free = or_(
        OAuthToken.refresh_started_at.is_(None), OAuthToken.refresh_started_at < func.now() - MARK
    )
    with store.tenant(ref.tenant_id) as session:
        claimed = session.execute(
            update(OAuthToken)
            .where(*_of(ref), OAuthToken.version == row.version, free)
            .values(refresh_holder=holder, refresh_started_at=func.now())
            .returning(OAuthToken.version)
        ).first()
    return holder if claimed else None


def _release(store: Store, ref: IntegrationRef, holder: str) -> None:
    with store.tenant(ref.tenant_id) as session:
        session.execute(
            update(OAuthToken)
            .where(*_of(ref), OAuthToken.refresh_holder == holder)
            .values(refresh_holder=None, refresh_started_at=None)
        )


def _replace(
    store: Store, ref: IntegrationRef, row: OAuthToken, holder: str, token: TokenSet
) -> bool:
    """Store both tokens in one commit, if the claim is still ours."""
    with store.tenant(ref.tenant_id) as session:
        stored = session.execute(
            update(OAuthToken)
            .where(
                *_of(ref),
                OAuthToken.version == row.version,
                OAuthToken.refresh_holder == holder,
            )
            .values(
                **_sealed(store, ref, token),
                version=row.version + 1,
                refresh_holder=None,
                refresh_started_at=None,
            )
            .returning(OAuthToken.version)
        ).first()
    return stored is not None


def _after_refusal(
    store: Store, ref: IntegrationRef, row: OAuthToken, error: ConnectAgainError
) -> str:
    """Another process may have won the race; if none did, the connection is over."""
    if end_connection(store, ref, row, str(error)):
        raise error
    now = _read(store, ref)
    if now.refresh_token is None and not _is_alive(now):
        raise error
    return _open(store, ref, now, "access_token")


def _last_token(
    store: Store, ref: IntegrationRef, row: OAuthToken, current: str, *, usable: bool
) -> str:
    """The access token, where there is nothing to refresh it with."""
    if usable and _is_alive(row):
        return current
    error = ConnectAgainError("The connection has ended.")
    mark_broken(store, ref, str(error))
    raise error


def _set_status(
    session: Session, ref: IntegrationRef, status: IntegrationStatus, reason: str | None
) -> None:
    change = (
        update(Integration)
        .where(Integration.tenant_id == ref.tenant_id, Integration.id == ref.id)
        .values(status=status.value, status_reason=reason, updated_at=func.now())
    )
    if status is IntegrationStatus.ERROR:
        # the first reason is the one that explains it
        change = change.where(Integration.status != IntegrationStatus.ERROR)
    session.execute(change)


class VaultTokens:
    """The token source of one integration: the vault is asked for every request."""

    def __init__(self, store: Store, ref: IntegrationRef) -> None:
        self._store = store
        self._ref = ref

    def token(self) -> str:
        """A token that is valid now."""
        return get_valid_token(self._store, self._ref)

    def renew(self, rejected: str) -> str:
        """Another token, after the service refused `rejected`."""
        return get_valid_token(self._store, self._ref, rejected=rejected)
