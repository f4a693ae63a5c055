"""Why a connection is unwell, found by looking and by one small call, and what to do about it."""

from dataclasses import dataclass

from integrations_pipeline.connectors.auth import OAuth
from integrations_pipeline.errors import (
    AnswerError,
    ConfigurationError,
    ConnectAgainError,
    ForbiddenError,
    IntegrationsError,
    NotConnectedError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    TransientError,
    WrongAddressError,
)
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.endpoints import endpoints_of
from integrations_pipeline.oauth.identity import ask, calls_of
from integrations_pipeline.oauth.joining import lacking
from integrations_pipeline.oauth.rows import Held, open_secret, read_token
from integrations_pipeline.oauth.vault import (
    VaultTokens,
    get_valid_token,
    integration_row,
    oauth_client,
)
from integrations_pipeline.store import SealError, Store
from integrations_pipeline.store.models import Integration
from integrations_pipeline.store.states import IntegrationStatus

SKEW_SECONDS = 120.0
"""A clock that is further off makes signatures and token lifetimes fail."""

CAUSES: tuple[tuple[type[IntegrationsError], str], ...] = (
    (SealError, "bad key"),
    (RateLimitedError, "quota"),
    (ForbiddenError, "permission missing"),
    (WrongAddressError, "wrong address"),
    (NotFoundError, "wrong address"),
    (TransientError, "provider down"),
    (AnswerError, "provider down"),
    (RejectedError, "refused"),
    (ConfigurationError, "configuration"),
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How one connection is: `cause` is empty when it is well."""

    integration: str
    cause: str
    text: str

    @property
    def well(self) -> bool:
        """Whether nothing needs to be done."""
        return not self.cause

    def told(self) -> dict[str, object]:
        """The same as JSON tells it."""
        return {
            "integration": self.integration,
            "well": self.well,
            "cause": self.cause or None,
            "text": self.text,
        }


def examine(store: Store, ref: IntegrationRef) -> Diagnosis:
    """Look at one connection, and make the call that tells whose account it is."""
    try:
        row = integration_row(store, ref)
        if row.status == IntegrationStatus.INACTIVE:
            return _not_connected(ref)
        return _ended(store, ref, row) or _lacking(store, ref, row) or _asked(store, ref, row)
    except NotConnectedError:
        return _not_connected(ref)
    except IntegrationsError as error:
        return _explained(store, ref, error)


def _not_connected(ref: IntegrationRef) -> Diagnosis:
    text = f"The account is not connected. Run: integrations connect {ref.key}"
    return Diagnosis(ref.key, "not connected", text)


def _ended(store: Store, ref: IntegrationRef, row: Integration) -> Diagnosis | None:
    """Whether it is known that a person must connect again; all stored secrets must open."""
    held = read_token(store, ref)
    for column in ("access_token", "refresh_token"):
        if getattr(held.row, column) is not None:
            open_secret(store, ref, held.row, column)
    if row.client_secret is not None:
        oauth_client(store, ref)
    if row.status != IntegrationStatus.ERROR:
        return None
    return Diagnosis(ref.key, _end_of(ref, held), row.status_reason or "The connection has ended.")


def _lacking(store: Store, ref: IntegrationRef, row: Integration) -> Diagnosis | None:
    missing = lacking(ref, row, tuple(read_token(store, ref).row.scopes))
    if not missing:
        return None
    scopes = sorted({scope for needed in missing.values() for scope in needed})
    text = (
        f"{', '.join(missing)} can't be synced: {', '.join(scopes)} was not granted. "
        f"Run `integrations connect {ref.key}` and allow it."
    )
    return Diagnosis(ref.key, "scope missing", text)


def _asked(store: Store, ref: IntegrationRef, row: Integration) -> Diagnosis:
    """Ask the service whose account it is; the last of its calls proves the connection."""
    account = row.facts.get("account_name") or row.account_id or "an unnamed account"
    calls = calls_of(ref.connector, ref.way)
    if not calls:
        get_valid_token(store, ref)
        return Diagnosis(ref.key, "", f"Its token is valid; {ref.connector.label} was not asked.")
    endpoints = endpoints_of(
        ref.connector, store.settings, row.settings, way=ref.way, facts=row.facts
    )
    tokens = VaultTokens(store, ref)
    _, ahead = ask(ref.connector, ref.way, endpoints, calls[-1], row.facts, tokens)
    if abs(ahead or 0.0) > SKEW_SECONDS:
        return _clock(ref, ahead or 0.0)
    return Diagnosis(ref.key, "", f"{ref.connector.label} answers for {account}.")


def _clock(ref: IntegrationRef, ahead: float) -> Diagnosis:
    how = "ahead of" if ahead > 0 else "behind"
    text = (
        f"This machine's clock is {abs(ahead):.0f} seconds {how} {ref.connector.label}'s. Set it."
    )
    return Diagnosis(ref.key, "clock", text)


def _explained(store: Store, ref: IntegrationRef, error: IntegrationsError) -> Diagnosis:
    if isinstance(error, ConnectAgainError):
        try:
            return Diagnosis(ref.key, _end_of(ref, read_token(store, ref)), str(error))
        except NotConnectedError:  # disconnected at this very moment
            return _not_connected(ref)
    cause = next((name for kind, name in CAUSES if isinstance(error, kind)), "unknown")
    return Diagnosis(ref.key, cause, str(error))


def _end_of(ref: IntegrationRef, held: Held) -> str:
    """Whether the credentials ran out, or somebody ended them."""
    ends = [held.row.refresh_expires_at, held.row.consent_expires_at]
    if isinstance(ref.way, OAuth) and ref.way.idle:
        ends.append(held.row.obtained_at + ref.way.idle)
    return "expired" if any(end and end <= held.now for end in ends) else "revoked"
