"""Claims on a refresh: taken, kept alive, given back.

A refresh is claimed by a mark in the token's row, done with no lock held, and committed only by
the claim's holder. While the holder waits for the service it renews the mark; a mark that is
older than `MARK` was left by a process that died or stands still, and may be taken over.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from integrations_pipeline.alerts import AlertKind, clear_alerts, raise_alert
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.oauth.rows import (
    UNCLAIMED,
    Held,
    change_of,
    of,
    set_error,
    values_of,
)
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration, OAuthToken
from integrations_pipeline.store.states import IntegrationStatus

MARK = timedelta(seconds=20)
BEAT_SECONDS = 5.0
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=5)

log = structlog.get_logger("integrations_pipeline.oauth")


class ClaimLostError(Exception):
    """Another took the claim over."""


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
            .where(*of(ref), *_unchanged(row), free, rested)
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


def rest(
    store: Store,
    ref: IntegrationRef,
    held: Held,
    holder: str,
    *,
    asked: float | None,
    alert: str | None,
) -> bool:
    """Give the claim back after a failure; the next try comes later the more of them failed.

    `asked`: seconds that the service asks us to wait. `alert`: what a person must know.
    False: the claim is not ours any more; nothing was changed.
    """
    pause = min(FIRST_PAUSE * 2 ** min(held.row.refresh_failures, 20), LONGEST_PAUSE)
    pause = max(pause, min(timedelta(seconds=asked or 0), LONGEST_PAUSE * 12))
    ours = _still_ours(
        store,
        ref,
        holder,
        refresh_holder=None,
        refresh_started_at=None,
        refresh_failures=OAuthToken.refresh_failures + 1,
        refresh_not_before=func.now() + pause,
    )
    if ours and alert:
        with store.tenant(ref.tenant_id) as session:
            raise_alert(session, ref.tenant_id, ref.id, AlertKind.REFRESH_FAILS, alert)
    return ours


def replace(
    store: Store, ref: IntegrationRef, row: OAuthToken, holder: str, token: TokenSet
) -> bool:
    """Store both tokens in one commit, if the claim is still ours."""
    values = values_of(store, ref, token)
    for name in ("refresh_expires_at", "consent_expires_at"):
        if values[name] is None:
            del values[name]  # what an answer leaves out has not changed
    with store.tenant(ref.tenant_id) as session:
        stored = session.execute(
            update(OAuthToken)
            .where(*_held(ref, row, holder))
            .values(**values, version=row.version + 1, **UNCLAIMED)
            .returning(OAuthToken.version)
        ).first()
        if stored and token.facts:
            session.execute(
                change_of(ref).values(facts=Integration.facts.op("||")(dict(token.facts)))
            )
        if stored:
            clear_alerts(session, ref.tenant_id, ref.id, [AlertKind.REFRESH_FAILS])
    return stored is not None


def end(store: Store, ref: IntegrationRef, row: OAuthToken, holder: str, reason: str) -> bool:
    """Let these credentials be dead: no further try until a person connects again.

    False: the claim is not ours any more; nothing was changed.
    """
    with store.tenant(ref.tenant_id) as session:
        ended = session.execute(
            update(OAuthToken)
            .where(*_held(ref, row, holder))
            .values(refresh_token=None, version=row.version + 1, **UNCLAIMED)
            .returning(OAuthToken.version)
        ).first()
        if ended is not None:
            set_error(session, ref, AlertKind.CONNECT_AGAIN, reason, row.version + 1)
    return ended is not None


def take_out(
    store: Store, ref: IntegrationRef, *, during_refresh: bool
) -> tuple[bool, OAuthToken | None]:
    """Remove the tokens for good; whether that was done, and what they were.

    Not `during_refresh`: while somebody refreshes them, nothing is done.
    """
    quiet = or_(
        OAuthToken.refresh_started_at.is_(None), OAuthToken.refresh_started_at < func.now() - MARK
    )
    with store.tenant(ref.tenant_id) as session:
        found = session.execute(select(OAuthToken, quiet).where(*of(ref)).with_for_update()).first()
        if found and not found[1] and not during_refresh:
            return False, None
        session.execute(delete(OAuthToken).where(*of(ref)))
        session.execute(
            change_of(ref).values(
                status=IntegrationStatus.INACTIVE.value, status_reason="disconnected"
            )
        )
        clear_alerts(session, ref.tenant_id, ref.id)
    return True, found[0] if found else None


def _still_ours(store: Store, ref: IntegrationRef, holder: str, **values: Any) -> bool:
    """Change the row under a claim; False where somebody else has taken it over."""
    change = update(OAuthToken).where(*of(ref), OAuthToken.refresh_holder == holder)
    with store.tenant(ref.tenant_id) as session:
        found = session.execute(change.values(**values).returning(OAuthToken.version)).first()
    return found is not None


def _unchanged(row: OAuthToken) -> tuple[ColumnElement[bool], ...]:
    """The version begins anew when an account is connected anew; the time does not."""
    return (OAuthToken.version == row.version, OAuthToken.obtained_at == row.obtained_at)


def _held(ref: IntegrationRef, row: OAuthToken, holder: str) -> tuple[ColumnElement[bool], ...]:
    mine = (OAuthToken.version == row.version, OAuthToken.refresh_holder == holder)
    return (*of(ref), *mine)
