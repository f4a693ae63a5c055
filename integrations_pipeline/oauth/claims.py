"""The token row in the database: read, claimed for a refresh, replaced, ended.

A refresh is claimed by a mark in the row, done with no lock held, and committed only by the
claim's holder. While the holder waits for the service it renews the mark; a mark that is older
than `MARK` was left by a process that died or stands still, and may be taken over. All times are
the database's: clocks of machines that differ do no harm.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from integrations_pipeline.alerts import AlertKind, clear_alerts, raise_alert
from integrations_pipeline.errors import ConnectAgainError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.store import Place, SealError, Store
from integrations_pipeline.store.models import Integration, OAuthToken
from integrations_pipeline.store.states import IntegrationStatus

MARK = timedelta(seconds=20)
BEAT_SECONDS = 5.0
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=5)

log = structlog.get_logger("integrations_pipeline.oauth")


class ClaimLostError(Exception):
    """Another took the claim over."""


@dataclass(frozen=True, slots=True, repr=False)
class Held:
    """A token row as it was read, and the database's time then."""

    row: OAuthToken
    now: datetime

    @property
    def alive(self) -> bool:
        """Whether the access token still has a moment to live."""
        ends = self.row.expires_at
        return ends is None or ends > self.now + timedelta(seconds=1)

    @property
    def resting(self) -> timedelta:
        """How long no refresh is tried, after some that failed."""
        until = self.row.refresh_not_before
        return max(until - self.now, timedelta(0)) if until else timedelta(0)


def read_token(store: Store, ref: IntegrationRef) -> Held:
    """The integration's tokens.

    Raises:
        ConnectAgainError: there are none.
    """
    query = select(OAuthToken, func.now()).where(*_of(ref))
    with store.tenant(ref.tenant_id) as session:
        found = session.execute(query).first()
    if found is None:
        raise ConnectAgainError(
            "The account is not connected yet.", action=f"Run: integrations connect {ref.key}"
        )
    return Held(*found)


def open_secret(store: Store, ref: IntegrationRef, row: OAuthToken, column: str) -> str:
    """The access or refresh token.

    Raises:
        ConnectAgainError: it is gone.
        SealError: it was moved or altered; the integration is flagged.
    """
    sealed: bytes | None = getattr(row, column)
    if sealed is None:
        raise ConnectAgainError("The connection has ended.")
    try:
        return store.keyring.open(sealed, _place(ref, column))
    except SealError as error:
        flag(store, ref, AlertKind.SEALED_VALUE, str(error))
        raise


def flag(store: Store, ref: IntegrationRef, kind: AlertKind, reason: str) -> None:
    """The integration is in ERROR until a person looks after it; an alert says so."""
    with store.tenant(ref.tenant_id) as session:
        _set_error(session, ref, kind, reason)


def save_connection(store: Store, ref: IntegrationRef, token: TokenSet) -> None:
    """Keep a new connection's tokens in place of older ones; the integration is ACTIVE."""
    values = _values(store, ref, token)
    fresh = {"version": OAuthToken.version + 1, **_UNCLAIMED}
    with store.tenant(ref.tenant_id) as session:
        session.execute(
            insert(OAuthToken)
            .values(tenant_id=ref.tenant_id, integration_id=ref.id, **values)
            .on_conflict_do_update(
                index_elements=["tenant_id", "integration_id"], set_={**values, **fresh}
            )
        )
        session.execute(
            _integration(ref).values(
                status=IntegrationStatus.ACTIVE.value, status_reason=None, updated_at=func.now()
            )
        )
        clear_alerts(session, ref.tenant_id, ref.id)


def claim(store: Store, ref: IntegrationRef, row: OAuthToken) -> str | None:
    """The claim on the next refresh, or None where somebody has it or the row has changed."""
    holder = uuid4().hex
    free = or_(
        OAuthToken.refresh_started_at.is_(None), OAuthToken.refresh_started_at < func.now() - MARK
    )
    # another may have failed since the row was read
    rested = or_(
        OAuthToken.refresh_not_before.is_(None), OAuthToken.refresh_not_before <= func.now()
    )
    with store.tenant(ref.tenant_id) as session:
        claimed = session.execute(
            update(OAuthToken)
            .where(*_of(ref), OAuthToken.version == row.version, free, rested)
            .values(refresh_holder=holder, refresh_started_at=func.now())
            .returning(OAuthToken.version)
        ).first()
    return holder if claimed else None


def confirm(store: Store, ref: IntegrationRef, holder: str) -> bool:
    """Renew the claim's mark, if it is still ours: whoever stood still must not send any more."""
    return _still_ours(store, ref, holder, refresh_started_at=func.now())


@contextmanager
def kept(store: Store, ref: IntegrationRef, holder: str) -> Iterator[None]:
    """Renew the claim's mark while the service thinks."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(BEAT_SECONDS):
            try:
                confirm(store, ref, holder)
            except SQLAlchemyError as error:  # the mark grows old, and that is all
                log.warning("mark not renewed", integration=ref.key, error=type(error).__name__)

    thread = threading.Thread(target=renew, name="token-mark", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def rest(store: Store, ref: IntegrationRef, held: Held, holder: str, asked: float | None) -> bool:
    """Give the claim back after a failure; the next try comes later the more of them failed.

    False: the claim is not ours any more; nothing was changed.
    """
    pause = min(FIRST_PAUSE * 2 ** min(held.row.refresh_failures, 20), LONGEST_PAUSE)
    pause = max(pause, min(timedelta(seconds=asked or 0), LONGEST_PAUSE * 12))
    return _still_ours(
        store,
        ref,
        holder,
        refresh_holder=None,
        refresh_started_at=None,
        refresh_failures=OAuthToken.refresh_failures + 1,
        refresh_not_before=func.now() + pause,
    )


def replace(
    store: Store, ref: IntegrationRef, row: OAuthToken, holder: str, token: TokenSet
) -> bool:
    """Store both tokens in one commit, if the claim is still ours."""
    with store.tenant(ref.tenant_id) as session:
        stored = session.execute(
            update(OAuthToken)
            .where(*_held(ref, row, holder))
            .values(**_values(store, ref, token), version=row.version + 1, **_UNCLAIMED)
            .returning(OAuthToken.version)
        ).first()
        if stored and token.facts:
            session.execute(
                _integration(ref).values(facts=Integration.facts.op("||")(dict(token.facts)))
            )
    return stored is not None


def end(store: Store, ref: IntegrationRef, row: OAuthToken, holder: str, reason: str) -> bool:
    """Let these credentials be dead: no further try until a person connects again.

    False: the claim is not ours any more; nothing was changed.
    """
    with store.tenant(ref.tenant_id) as session:
        ended = session.execute(
            update(OAuthToken)
            .where(*_held(ref, row, holder))
            .values(refresh_token=None, version=row.version + 1, **_UNCLAIMED)
            .returning(OAuthToken.version)
        ).first()
        if ended is not None:
            _set_error(session, ref, AlertKind.CONNECT_AGAIN, reason)
    return ended is not None


def refreshing(store: Store, ref: IntegrationRef) -> bool:
    """Whether somebody refreshes the token at this moment."""
    young = OAuthToken.refresh_started_at >= func.now() - MARK
    with store.tenant(ref.tenant_id) as session:
        return session.scalar(select(OAuthToken.version).where(*_of(ref), young)) is not None


def take_out(store: Store, ref: IntegrationRef) -> OAuthToken | None:
    """Remove the tokens for good, and return what they were."""
    with store.tenant(ref.tenant_id) as session:
        row = session.scalar(delete(OAuthToken).where(*_of(ref)).returning(OAuthToken))
        session.execute(
            _integration(ref).values(
                status=IntegrationStatus.INACTIVE.value, status_reason="disconnected"
            )
        )
        clear_alerts(session, ref.tenant_id, ref.id)
    return row


_UNCLAIMED: dict[str, Any] = {
    "refresh_holder": None,
    "refresh_started_at": None,
    "refresh_failures": 0,
    "refresh_not_before": None,
}


def _still_ours(store: Store, ref: IntegrationRef, holder: str, **values: Any) -> bool:
    """Change the row under a claim; False where somebody else has taken it over."""
    change = update(OAuthToken).where(*_of(ref), OAuthToken.refresh_holder == holder)
    with store.tenant(ref.tenant_id) as session:
        found = session.execute(change.values(**values).returning(OAuthToken.version)).first()
    return found is not None


def _of(ref: IntegrationRef) -> tuple[ColumnElement[bool], ...]:
    return (OAuthToken.tenant_id == ref.tenant_id, OAuthToken.integration_id == ref.id)


def _held(ref: IntegrationRef, row: OAuthToken, holder: str) -> tuple[ColumnElement[bool], ...]:
    mine = (OAuthToken.version == row.version, OAuthToken.refresh_holder == holder)
    return (*_of(ref), *mine)


def _integration(ref: IntegrationRef) -> Any:
    return update(Integration).where(
        Integration.tenant_id == ref.tenant_id, Integration.id == ref.id
    )


def _place(ref: IntegrationRef, column: str) -> Place:
    return Place(ref.tenant_id, ref.id, f"oauth_token.{column}")


def _values(store: Store, ref: IntegrationRef, token: TokenSet) -> dict[str, Any]:
    seal, refresh = store.keyring.seal, token.refresh_token
    return {
        "access_token": seal(token.access_token, _place(ref, "access_token")),
        "refresh_token": seal(refresh, _place(ref, "refresh_token")) if refresh else None,
        "scopes": list(token.scopes),
        "expires_at": _by_database(token.expires_at),
        "refresh_expires_at": _by_database(token.refresh_expires_at),
        "consent_expires_at": _by_database(token.consent_expires_at),
        "obtained_at": func.now(),
    }


def _by_database(moment: datetime | None) -> Any:
    """A time of our clock as one of the database's, however far they are apart."""
    return None if moment is None else func.now() + (moment - datetime.now(UTC))


def _set_error(session: Session, ref: IntegrationRef, kind: AlertKind, reason: str) -> None:
    # the first reason is the one that explains it
    session.execute(
        _integration(ref)
        .where(Integration.status != IntegrationStatus.ERROR.value)
        .values(status=IntegrationStatus.ERROR.value, status_reason=reason, updated_at=func.now())
    )
    raise_alert(session, ref.tenant_id, ref.id, kind, f"{ref.key}: {reason}")
