"""The token row in the database: read, opened, replaced by a new connection, flagged.

All times are the database's: clocks of machines that differ do no harm.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from integrations_pipeline.alerts import AlertKind, clear_alerts, raise_alert
from integrations_pipeline.errors import ConnectAgainError, NotConnectedError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.store import Place, SealError, Store
from integrations_pipeline.store.models import Integration, OAuthToken
from integrations_pipeline.store.states import IntegrationStatus


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
        NotConnectedError: there are none.
    """
    query = select(OAuthToken, func.now()).where(*of(ref))
    with store.tenant(ref.tenant_id) as session:
        found = session.execute(query).first()
    if found is None:
        raise NotConnectedError(
            "The account is not connected.", action=f"Run: integrations connect {ref.key}"
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
        flag(store, ref, AlertKind.SEALED_VALUE, str(error), version=row.version)
        raise


def flag(
    store: Store, ref: IntegrationRef, kind: AlertKind, reason: str, *, version: int | None = None
) -> None:
    """The integration is in ERROR until a person looks after it; an alert says so.

    With `version`: only if its tokens are still those. One that is not connected stays as it is.
    """
    with store.tenant(ref.tenant_id) as session:
        set_error(session, ref, kind, reason, version)


def save_connection(session: Session, store: Store, ref: IntegrationRef, token: TokenSet) -> None:
    """Keep a new connection's tokens in place of older ones; the integration is ACTIVE."""
    values = values_of(store, ref, token)
    fresh = {"version": OAuthToken.version + 1, **UNCLAIMED}
    session.execute(
        insert(OAuthToken)
        .values(tenant_id=ref.tenant_id, integration_id=ref.id, **values)
        .on_conflict_do_update(
            index_elements=["tenant_id", "integration_id"], set_={**values, **fresh}
        )
    )
    session.execute(
        change_of(ref).values(
            status=IntegrationStatus.ACTIVE.value, status_reason=None, updated_at=func.now()
        )
    )
    clear_alerts(session, ref.tenant_id, ref.id)


UNCLAIMED: dict[str, Any] = {
    "refresh_holder": None,
    "refresh_started_at": None,
    "refresh_failures": 0,
    "refresh_not_before": None,
}


def of(ref: IntegrationRef) -> tuple[ColumnElement[bool], ...]:
    """The integration's token row."""
    return (OAuthToken.tenant_id == ref.tenant_id, OAuthToken.integration_id == ref.id)


def change_of(ref: IntegrationRef) -> Any:
    """A change of the integration's own row."""
    return update(Integration).where(
        Integration.tenant_id == ref.tenant_id, Integration.id == ref.id
    )


def _place(ref: IntegrationRef, column: str) -> Place:
    return Place(ref.tenant_id, ref.id, f"oauth_token.{column}")


def values_of(store: Store, ref: IntegrationRef, token: TokenSet) -> dict[str, Any]:
    """The columns of a new token, sealed, its times by the database's clock."""
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


def set_error(
    session: Session, ref: IntegrationRef, kind: AlertKind, reason: str, version: int | None
) -> None:
    """See `flag`, in the caller's transaction."""
    there = exists().where(*of(ref), *([OAuthToken.version == version] if version else []))
    already = Integration.status == IntegrationStatus.ERROR.value
    flagged = session.execute(
        change_of(ref)
        .where(there, Integration.status != IntegrationStatus.INACTIVE.value)
        .values(
            status=IntegrationStatus.ERROR.value,
            # the first reason is the one that explains it
            status_reason=case((already, Integration.status_reason), else_=reason),
            updated_at=func.now(),
        )
        .returning(Integration.id)
    ).first()
    if flagged is not None:
        told = reason if reason.startswith(ref.key) else f"{ref.key}: {reason}"
        raise_alert(session, ref.tenant_id, ref.id, kind, told)
