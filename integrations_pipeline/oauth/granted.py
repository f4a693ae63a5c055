"""What an account granted, and what that leaves out."""

from collections.abc import Mapping

from integrations_pipeline.errors import ForbiddenError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.choosing import missing_scopes
from integrations_pipeline.oauth.joining import lacking
from integrations_pipeline.oauth.rows import read_token
from integrations_pipeline.oauth.vault import integration_row
from integrations_pipeline.store import Store
from integrations_pipeline.transport.redact import clean

UNAPPROVED = ("OAUTH_APPROVAL_ERROR_GENERIC", "app must be installed into org")


def require_scopes(store: Store, ref: IntegrationRef, resource: str, direction: str) -> None:
    """Refuse, before anything is asked of the service, what the account did not grant.

    Raises:
        ForbiddenError: it names the scopes.
        ConnectAgainError: the account is not connected.
    """
    granted = tuple(read_token(store, ref).row.scopes)
    if missing := missing_scopes(ref.way, granted, resource, direction):
        raise ForbiddenError(
            f"The account did not grant {', '.join(missing)}.",
            action=f"Run `integrations connect {ref.key}` again and allow it.",
        )


def shortcomings(store: Store, ref: IntegrationRef) -> list[str]:
    """What a new connection does not allow, in a line for each resource."""
    granted = tuple(read_token(store, ref).row.scopes)
    missing = lacking(ref, integration_row(store, ref), granted)
    return [
        f"{name} can't be synced: {', '.join(scopes)} was not granted. "
        "Connect again and allow it, if you need it."
        for name, scopes in missing.items()
    ]


def denial(ref: IntegrationRef, query: Mapping[str, str]) -> str:
    """Why a service sent the browser back with an error (RFC 6749, 4.1.2.1), for people."""
    error, reason = clean(query.get("error", "")), clean(query.get("error_description", ""))
    if any(sign in f"{error} {reason}" for sign in UNAPPROVED):
        return (
            f"{ref.key}: {ref.connector.label} blocks apps that its administrator has not "
            "installed. Ask the administrator to install or approve this app there, "
            "then connect again."
        )
    if error == "access_denied":
        told = f"{ref.connector.label} says that access was not granted"
    else:
        told = f"{ref.connector.label} did not grant access ({error} {reason}".rstrip(" .") + ")"
    return f"{ref.key} is not connected: {told}. Open a new connect link to try again."
