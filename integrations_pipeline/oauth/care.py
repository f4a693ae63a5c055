"""Looking after tokens that nobody asks for: refreshes left half-way, idle refresh tokens."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import func, or_, select

from integrations_pipeline.alerts import AlertKind, raise_alert, send_alerts
from integrations_pipeline.connectors.auth import OAuth
from integrations_pipeline.errors import IntegrationsError
from integrations_pipeline.oauth.accounts import IntegrationRef, references
from integrations_pipeline.oauth.claims import MARK, open_secret, read_token
from integrations_pipeline.oauth.vault import get_valid_token
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration, OAuthToken
from integrations_pipeline.store.states import IntegrationStatus

log = structlog.get_logger("integrations_pipeline.oauth")
USED_EVERY = timedelta(days=7)
IDLE_SHARE = 0.25
WARN_BEFORE = timedelta(days=60)
AT_ONCE = 200
WORKERS = 8
ROUND_SECONDS = 10.0
"""With one token endpoint's timeout more, still within the minute that Dagster gives a sensor."""
PATIENCE_SECONDS = 10.0


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
    the time between two rounds. A round ends soon: what it does not come to waits for the next.
    """
    deadline = time.monotonic() + ROUND_SECONDS
    with ThreadPoolExecutor(WORKERS) as pool:
        resolved = _all_renewed(store, pool, _abandoned(store), deadline)
        refreshed = _all_renewed(store, pool, _idle(store), deadline)
    _warn_of_ending_consents(store)
    failed = (resolved + refreshed).count(False)
    return Care(len(resolved), len(refreshed), failed, send_alerts(store))


def _all_renewed(
    store: Store, pool: ThreadPoolExecutor, refs: list[IntegrationRef], deadline: float
) -> list[bool]:
    done: list[bool] = []
    while len(done) < len(refs) and time.monotonic() < deadline:
        some = refs[len(done) : len(done) + WORKERS]
        done += pool.map(lambda ref: _renewed(store, ref), some)
    return done


def _renewed(store: Store, ref: IntegrationRef) -> bool:
    """Get another token in place of the present one, whatever state it is in."""
    try:
        row = read_token(store, ref).row
        old = open_secret(store, ref, row, "access_token")
        get_valid_token(store, ref, rejected=old, patience_seconds=PATIENCE_SECONDS)
    except IntegrationsError as error:
        log.warning("token not renewed", integration=ref.key, error=type(error).__name__)
        return False
    return True


def _abandoned(store: Store) -> list[IntegrationRef]:
    query = (
        select(Integration)
        .join(OAuthToken, OAuthToken.integration_id == Integration.id)
        .where(OAuthToken.refresh_started_at < func.now() - MARK)
        .order_by(OAuthToken.refresh_started_at)
        .limit(AT_ONCE)
    )
    with store.system() as session:
        rows = list(session.scalars(query))
    return references(rows)


def _idle(store: Store) -> list[IntegrationRef]:
    """Tokens whose refresh token would die if it stayed unused, paused integrations included."""
    rested = or_(
        OAuthToken.refresh_not_before.is_(None), OAuthToken.refresh_not_before < func.now()
    )
    query = (
        select(Integration, OAuthToken.obtained_at, func.now())
        .join(OAuthToken, OAuthToken.integration_id == Integration.id)
        .where(
            OAuthToken.refresh_token.is_not(None),
            OAuthToken.refresh_started_at.is_(None),
            OAuthToken.obtained_at < func.now() - USED_EVERY * IDLE_SHARE,
            Integration.status != IntegrationStatus.ERROR.value,
            rested,
        )
        .order_by(OAuthToken.obtained_at)
    )
    with store.system() as session:
        ages = {row: now - since for row, since, now in session.execute(query)}
    ids = {row.id: age for row, age in ages.items()}
    return [ref for ref in references(ages) if ids[ref.id] > _longest_rest(ref)][:AT_ONCE]


def _longest_rest(ref: IntegrationRef) -> timedelta:
    idle = ref.way.idle if isinstance(ref.way, OAuth) else None
    return min(USED_EVERY, idle * IDLE_SHARE) if idle else timedelta.max


def _warn_of_ending_consents(store: Store) -> None:
    query = (
        select(Integration, OAuthToken.consent_expires_at)
        .join(OAuthToken, OAuthToken.integration_id == Integration.id)
        .where(OAuthToken.consent_expires_at < func.now() + WARN_BEFORE)
    )
    with store.system() as session:
        for row, ends in session.execute(query).all():
            text = f"{row.key}: its consent ends on {ends:%Y-%m-%d}. Connect the account again."
            raise_alert(session, row.tenant_id, row.id, AlertKind.CONSENT_ENDS, text)
