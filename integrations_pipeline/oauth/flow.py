"""Connecting an account: the authorization-code flow, from the link to the stored token."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sqlalchemy import func, select, update

from integrations_pipeline.errors import BadStateError
from integrations_pipeline.oauth.accounts import IntegrationRef, reference
from integrations_pipeline.oauth.callback import check_issuer, check_signature
from integrations_pipeline.oauth.choosing import scopes_to_ask
from integrations_pipeline.oauth.facts import read_facts
from integrations_pipeline.oauth.joining import join_account
from integrations_pipeline.oauth.vault import integration_row, oauth_client
from integrations_pipeline.store import Place, Store
from integrations_pipeline.store.models import Integration, OAuthState

LIFE = timedelta(minutes=10)
VERIFIER = "oauth_state.code_verifier"


@dataclass(frozen=True, slots=True)
class _Begun:
    """A connection that a browser has begun, taken out of the store for good."""

    ref: IntegrationRef
    verifier: str | None
    redirect_uri: str
    scopes: tuple[str, ...]
    another_account: bool


def generate_auth_url(
    store: Store,
    ref: IntegrationRef,
    *,
    user_id: UUID,
    session_id: str,
    another_account: bool = False,
) -> str:
    """Where to send the browser of this session so that the user can grant access.

    The state is random, kept as a hash, good once and for ten minutes, and bound to the browser
    session, tenant, user and integration (RFC 9700, 4.7); PKCE is S256 (RFC 7636).
    `another_account`: the user confirmed that it may be another account than before.
    """
    client = oauth_client(store, ref)
    scopes = scopes_to_ask(ref.connector, ref.way, integration_row(store, ref))
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
        another_account=another_account,
    )
    if verifier is not None:
        place = Place(ref.tenant_id, row.id, VERIFIER)
        row.code_verifier = store.keyring.seal(verifier, place)
    with store.tenant(ref.tenant_id) as session:
        session.add(row)
    return address


def exchange_code_for_token(
    store: Store,
    *,
    state: str,
    code: str,
    session_id: str,
    path: str | None = None,
    parameters: Mapping[str, str] | None = None,
) -> IntegrationRef:
    """Finish a connection: check the callback, exchange the code, store the token.

    `path` is the path of ours that was called, `parameters` the whole query.

    Raises:
        BadStateError: unknown, used, old, begun in another browser, brought to another address,
            from another issuer, or not signed by the service; nothing was sent.
        AnotherAccountError: it is not the account that the integration holds records of.
        ServiceError: the service refuses the code or does not answer.
    """
    begun = _take_state(store, state, session_id)
    query = parameters or {}
    client = oauth_client(store, begun.ref)
    if path is not None and path != urlsplit(begun.redirect_uri).path:
        raise BadStateError("The service sent the browser to another address than it was told.")
    check_issuer(client, query)
    check_signature(client, query, integration_row(store, begun.ref).settings)
    told = read_facts(client.oauth.callback_facts, query, client.label)
    token = client.exchange(code, begun.verifier, begun.scopes)
    join_account(store, begun.ref, token, told, another_account=begun.another_account)
    return begun.ref


def deny_connection(store: Store, *, state: str, session_id: str) -> IntegrationRef:
    """Use up the state of a connection that the user or the service refused."""
    return _take_state(store, state, session_id).ref


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
    return _Begun(ref, verifier, row.redirect_uri, tuple(row.scopes), row.another_account)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
