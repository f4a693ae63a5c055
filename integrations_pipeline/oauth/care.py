"""Looking after tokens that nobody asks for: refreshes left half-way, idle refresh tokens."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import structlog
from sqlalchemy import Float, Interval, and_, cast, delete, func, literal, or_, select

from integrations_pipeline.alerts import AlertKind, raise_alert, send_alerts
from integrations_pipeline.connectors.auth import OAuth
from integrations_pipeline.oauth.accounts import IntegrationRef, references
from integrations_pipeline.oauth.claims import MARK
from integrations_pipeline.oauth.rows import open_secret, read_token
from integrations_pipeline.oauth.vault import get_valid_token
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration, OAuthState, OAuthToken
from integrations_pipeline.store.states import IntegrationStatus

log = structlog.get_logger("integrations_pipeline.oauth")
USED_EVERY = timedelta(days=7)
IDLE_SHARE = 0.25
WARN_BEFORE = timedelta(days=60)
AT_ONCE = 200
WORKERS = 8
ROUND_SECONDS = 15.0
"""For each of two kinds; a sensor has a minute in Dagster."""
PATIENCE_SECONDS = 10.0
KEPT = timedelta(days=1)
T = TypeVar("T")
_of_integration = and_(
    OAuthToken.tenant_id == Integration.tenant_id, OAuthToken.integration_id == Integration.id
)


@dataclass(frozen=True, slots=True)
class Care:
    """What one round did."""

    resolved: int
    """Refreshes that a process left half-way, begun anew."""
    refreshed: int
    """Tokens that nobody had used for long."""
    failed: int
    alerts_sent: int

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.resolved} abandoned refreshes resolved, {self.refreshed} idle tokens "
            f"refreshed, {self.failed} of them failed, {self.alerts_sent} alerts sent."
        )


def care_for_tokens(store: Store) -> Care:
    """One round: begin abandoned refreshes anew, use idle refresh tokens, send alerts.

    A refresh whose process died ends here in a usable token or in an alert, within `MARK` and
    the time between two rounds. A round ends soon, and no step's trouble hinders the others:
    what it does not come to waits for the next.
    """
    sent = _guarded(send_alerts, store) or 0
    resolved = _all_renewed(store, _guarded(_abandoned, store) or [])
    refreshed = _all_renewed(store, _guarded(_idle, store) or [])
    _guarded(_warn_of_ending_consents, store)
    _guarded(_forget_old_states, store)
    sent += _guarded(send_alerts, store) or 0
    failed = (resolved + refreshed).count(False)
    return Care(len(resolved), len(refreshed), failed, sent)


def _guarded(step: Callable[[Store], T], store: Store) -> T | None:
    try:
        return step(store)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other steps go on
        log.error(
            "care step failed", step=getattr(step, "__name__", ""), error=type(error).__name__
        )
        return None


def _all_renewed(store: Store, refs: list[IntegrationRef]) -> list[bool]:
    """Whether each could be renewed, as far as that is known in time."""
    pool = ThreadPoolExecutor(WORKERS)
    asked = [pool.submit(_renewed, store, ref) for ref in refs]
    done, _ = wait(asked, timeout=ROUND_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)  # who is at it ends in its own time
    return [one.result() for one in done if not one.cancelled()]


def _renewed(store: Store, ref: IntegrationRef) -> bool:
    """Get another token in place of the present one, whatever state it is in."""
    try:
        row = read_token(store, ref).row
        old = open_secret(store, ref, row, "access_token")
        get_valid_token(store, ref, rejected=old, patience_seconds=PATIENCE_SECONDS)
    except Exception as error:  # noqa: BLE001 - one account's trouble is not the others'
        log.warning("token not renewed", integration=ref.key, error=type(error).__name__)
        return False
    return True


def _abandoned(store: Store) -> list[IntegrationRef]:
    query = (
        select(Integration)
        .join(OAuthToken, _of_integration)
        .where(
            OAuthToken.refresh_started_at < func.now() - MARK,
            Integration.status != IntegrationStatus.ERROR.value,
        )
        .order_by(OAuthToken.refresh_started_at)
        .limit(AT_ONCE)
    )
    with store.system() as session:
        rows = list(session.scalars(query))
    return references(rows)


def _idle(store: Store) -> list[IntegrationRef]:
    """Tokens whose refresh token would die if it stayed unused, paused integrations included."""
    life = cast(OAuthToken.refresh_expires_at - OAuthToken.obtained_at, Interval)
    rest = func.least(USED_EVERY, life.op("*")(literal(IDLE_SHARE, Float)))
    query = (
        select(Integration, OAuthToken.obtained_at, func.now())
        .join(OAuthToken, _of_integration)
        .where(
            OAuthToken.refresh_token.is_not(None),
            OAuthToken.refresh_started_at.is_(None),
            # how long a declared service lets its tokens lie is known only to its connector
            or_(OAuthToken.obtained_at + rest < func.now(), Integration.type == "CUSTOM"),
            or_(
                OAuthToken.refresh_not_before.is_(None),
                OAuthToken.refresh_not_before < func.now(),
            ),
            Integration.status != IntegrationStatus.ERROR.value,
        )
        .order_by(OAuthToken.obtained_at)
    )
    with store.system() as session:
        found = session.execute(query).all()
    due = [row for row, since, now in found if row.type != "CUSTOM" or _lies_long(row, now - since)]
    return references(due[:AT_ONCE])


def _lies_long(row: Integration, age: timedelta) -> bool:
    way = next((ref.way for ref in references([row])), None)
    idle = way.idle if isinstance(way, OAuth) else None
    return age > min(USED_EVERY, idle * IDLE_SHARE if idle else USED_EVERY)


def _warn_of_ending_consents(store: Store) -> None:
    query = (
        select(Integration, OAuthToken.consent_expires_at)
        .join(OAuthToken, _of_integration)
        .where(OAuthToken.consent_expires_at < func.now() + WARN_BEFORE)
    )
    with store.system() as session:
        for row, ends in session.execute(query).all():
            text = f"{row.key}: its consent ends on {ends:%Y-%m-%d}. Connect the account again."
            raise_alert(session, row.tenant_id, row.id, AlertKind.CONSENT_ENDS, text)


def _forget_old_states(store: Store) -> None:
    """Connections that were begun long ago, with their sealed verifiers."""
    with store.system() as session:
        session.execute(delete(OAuthState).where(OAuthState.expires_at < func.now() - KEPT))
