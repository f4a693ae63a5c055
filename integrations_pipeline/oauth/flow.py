"""Connecting an account: the authorization-code flow, from the link to the stored token."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select, update

from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef, reference
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.oauth.vault import oauth_client, store_oauth_token
from integrations_pipeline.store import Place, Store
from integrations_pipeline.store.models import Integration, OAuthState

LIFE = timedelta(minutes=10)
VERIFIER = "oauth_state.code_verifier"


class BadStateError(RequestError):
    """The callback belongs to no connection that this browser has begun."""

    action = "Begin again from the connect link."


@dataclass(frozen=True, slots=True)
class _Begun:
    """A connection that a browser has begun, taken out of the store for good."""

    ref: IntegrationRef
    verifier: str | None
    redirect_uri: str
    scopes: tuple[str, ...]


def generate_auth_url(store: Store, ref: IntegrationRef, *, user_id: UUID, session_id: str) -> str:
    """Where to send the browser of this session so that the user can grant access.

    The state is random, kept as a hash, good once and for ten minutes, and bound to the browser
    session, tenant, user and integration (RFC 9700, 4.7); PKCE is S256 (RFC 7636).
    """
    client = oauth_client(store, ref)
    scopes = scopes_to_ask(ref.connector)
    state = secrets.token_urlsafe(32)
    address, verifier = client.authorization(state, scopes)
    row = OAuthState(
        tenant_id=ref.tenant_id,
        id=uuid4(),
        state_hash=_digest(state),
        integration_id=ref.id,
        user_id=user_id,
        session_hash=_digest(session_id),
        redirect_uri=client.redirect_uri,
        scopes=list(scopes),
        expires_at=datetime.now(UTC) + LIFE,
    )
    if verifier is not None:
        place = Place(ref.tenant_id, row.id, VERIFIER)
        row.code_verifier = store.keyring.seal(verifier, place)
    with store.tenant(ref.tenant_id) as session:
        session.add(row)
    return address


def exchange_code_for_token(
    store: Store, *, state: str, code: str, session_id: str
) -> IntegrationRef:
    """Finish a connection: check the state, exchange the code, store the token.

    Raises:
        BadStateError: unknown, used, old, or begun in another browser; nothing was sent.
        ServiceError: the service refuses the code or does not answer.
    """
    begun = _take_state(store, state, session_id)
    client = oauth_client(store, begun.ref)
    token = client.exchange(code, begun.verifier, begun.scopes)
    _remember_account(store, begun.ref, token)
    store_oauth_token(store, begun.ref, token)
    return begun.ref


def deny_connection(store: Store, *, state: str, session_id: str) -> IntegrationRef:
    """Use up the state of a connection that the user or the service refused."""
    return _take_state(store, state, session_id).ref


def scopes_to_ask(connector: Connector) -> tuple[str, ...]:
    """The service's own scopes and those of its resources, each once."""
    needed = [scope for resource in connector.resources for scope in resource.scopes]
    return tuple(dict.fromkeys((*connector.oauth.scopes, *needed)))


def _take_state(store: Store, state: str, session_id: str) -> _Begun:
    """Use the state up, committed before anything is sent: of many callbacks one goes on."""
    with store.system() as session:
        row = session.scalar(
            update(OAuthState)
            .where(
                OAuthState.state_hash == _digest(state),
                OAuthState.session_hash == _digest(session_id),
                OAuthState.used_at.is_(None),
                OAuthState.expires_at > func.now(),
            )
            .values(used_at=func.now())
            .returning(OAuthState)
        )
        if row is None:
            raise BadStateError("This connection was not begun here, was used, or is too old.")
        owner: Any = session.scalars(
            select(Integration).where(
                Integration.tenant_id == row.tenant_id, Integration.id == row.integration_id
            )
        ).one()
        ref = reference(owner)
    place = Place(row.tenant_id, row.id, VERIFIER)
    verifier = store.keyring.open(row.code_verifier, place) if row.code_verifier else None
    return _Begun(ref, verifier, row.redirect_uri, tuple(row.scopes))


def _remember_account(store: Store, ref: IntegrationRef, token: TokenSet) -> None:
    with store.tenant(ref.tenant_id) as session:
        row = session.get_one(Integration, (ref.tenant_id, ref.id))
        account = token.account_id or "/".join(str(v) for v in row.settings.values())
        if row.account_id is not None and row.account_id != account:
            raise BadStateError(
                f"{ref.key} holds the records of account {row.account_id}, and this is {account}.",
                action="Connect that account again, or add another integration for this one.",
            )
        row.account_id = account


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
