"""Alerts: what a person must look after, kept until it is well again, and told once.

They are rows and log lines; with `INTEGRATIONS_ALERT_URL` each is posted there as well.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

import requests
import structlog
from sqlalchemy import and_, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from integrations_pipeline.errors import IntegrationsError
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Alert, Integration
from integrations_pipeline.transport.session import new_session

log = structlog.get_logger("integrations_pipeline.alerts")
TIMEOUT = 5.0
ROUND_SECONDS = 10.0


class AlertKind(StrEnum):
    """What an alert is about."""

    CONNECT_AGAIN = "connect_again"
    SEALED_VALUE = "sealed_value"
    """A stored secret does not open: it was moved or altered, or its key is gone."""
    CONSENT_ENDS = "consent_ends"
    REFRESH_FAILS = "refresh_fails"
    """The token endpoint refuses us, or has been in trouble for long."""
    HELD = "held"
    """A full read would delete so much that a person must agree first."""
    CONFLICT = "conflict"
    """Records to be written wait for a person's decision."""


_of_alert = and_(Integration.tenant_id == Alert.tenant_id, Integration.id == Alert.integration_id)


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that nobody has looked after yet."""

    integration: str
    kind: str
    message: str
    raised_at: datetime

    def told(self) -> dict[str, object]:
        """The same as JSON tells it."""
        return {
            "integration": self.integration,
            "kind": self.kind,
            "message": self.message,
            "raised_at": self.raised_at,
        }


def raise_alert(
    session: Session,
    tenant_id: UUID,
    integration_id: UUID,
    kind: AlertKind,
    message: str,
    subject: str = "",
) -> None:
    """Raise an alert in the caller's transaction; one that is open already stays as it is.

    `subject`: the resource that it is about, where it is not about the whole integration.
    """
    raised = session.scalar(
        insert(Alert)
        .values(
            tenant_id=tenant_id,
            id=uuid4(),
            integration_id=integration_id,
            kind=kind.value,
            subject=subject,
            message=message,
        )
        .on_conflict_do_nothing()
        .returning(Alert.id)
    )
    if raised is not None:
        log.error("alert", integration=str(integration_id), kind=kind.value, message=message)


def clear_alerts(
    session: Session,
    tenant_id: UUID,
    integration_id: UUID,
    kinds: Iterable[AlertKind] = AlertKind,
    subject: str | None = None,
) -> None:
    """This is well again with the integration, or with one subject of it."""
    clearing = update(Alert).where(
        Alert.tenant_id == tenant_id,
        Alert.integration_id == integration_id,
        Alert.kind.in_([kind.value for kind in kinds]),
        Alert.cleared_at.is_(None),
    )
    if subject is not None:
        clearing = clearing.where(Alert.subject == subject)
    session.execute(clearing.values(cleared_at=func.now()))


def open_alerts(store: Store, tenant_id: UUID | None = None) -> list[OpenAlert]:
    """The open alerts of a tenant, or of all, oldest first."""
    query = (
        select(Integration.key, Alert.kind, Alert.message, Alert.raised_at)
        .join(Integration, _of_alert)
        .where(Alert.cleared_at.is_(None))
        .order_by(Alert.raised_at)
    )
    with store.system() if tenant_id is None else store.tenant(tenant_id) as session:
        return [OpenAlert(*row) for row in session.execute(query)]


def send_alerts(store: Store) -> int:
    """Post the open alerts that were not posted yet to the operator's address; returns how many.

    One that can't be delivered is tried again at the next call; after a crash one may come twice.
    """
    address = store.settings.alert_url
    if address is None:
        return 0
    deadline, sent = time.monotonic() + ROUND_SECONDS, 0
    with new_session(allow_private=True) as http:
        for alert, key in _waiting(store):
            if time.monotonic() > deadline:
                break
            status = _post(http, address.get_secret_value(), alert, key)
            if status is None:
                break  # nobody answers there: the next would fail as well
            if status < 300:
                _note_sent(store, alert)
                sent += 1
    return sent


def _waiting(store: Store) -> list[tuple[Alert, str]]:
    query = (
        select(Alert, Integration.key)
        .join(Integration, _of_alert)
        .where(Alert.sent_at.is_(None), Alert.cleared_at.is_(None))
        .order_by(Alert.raised_at)
    )
    with store.system() as session:
        return [(alert, key) for alert, key in session.execute(query)]


def _note_sent(store: Store, alert: Alert) -> None:
    with store.tenant(alert.tenant_id) as session:
        session.execute(
            update(Alert)
            .where(Alert.tenant_id == alert.tenant_id, Alert.id == alert.id)
            .values(sent_at=func.now())
        )


def _post(http: requests.Session, address: str, alert: Alert, key: str) -> int | None:
    told = OpenAlert(key, alert.kind, alert.message, alert.raised_at).told()
    body = {**told, "raised_at": alert.raised_at.isoformat()}
    try:
        answer = http.post(address, json=body, timeout=TIMEOUT, allow_redirects=False)
    except (requests.RequestException, IntegrationsError) as error:
        log.warning("alert not delivered", integration=key, error=type(error).__name__)
        return None
    if not answer.ok:
        log.warning("alert not taken", integration=key, status=answer.status_code)
    return answer.status_code
