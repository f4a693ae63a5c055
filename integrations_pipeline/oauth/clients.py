"""An HTTP client for a connected account: authorized, paced, retried, guarded."""

from integrations_pipeline.errors import ConnectAgainError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.endpoints import endpoints_of
from integrations_pipeline.oauth.vault import VaultTokens, integration_row
from integrations_pipeline.store import Store
from integrations_pipeline.transport.authorized import AuthorizedSession
from integrations_pipeline.transport.client import ServiceClient


def service_client(store: Store, ref: IntegrationRef) -> ServiceClient:
    """A client whose requests carry the account's token, refreshed as needed."""
    row = integration_row(store, ref)
    endpoints = endpoints_of(
        ref.connector, store.settings, row.settings, way=ref.way, facts=row.facts
    )
    return ServiceClient(
        ref.connector,
        endpoints.api_base_url,
        VaultTokens(store, ref),
        account=str(ref.id),
        carriage=ref.way.carriage,
        allow_private=endpoints.allow_private,
        timeout=store.settings.request_timeout_seconds,
        retry_seconds=store.settings.retry_seconds,
    )


def authorized_session(store: Store, ref: IntegrationRef) -> AuthorizedSession:
    """A plain `requests` session for one account: paths below its API, authorized by itself.

    Raises:
        ConnectAgainError: the account was never connected.
    """
    row = integration_row(store, ref)
    endpoints = endpoints_of(
        ref.connector, store.settings, row.settings, way=ref.way, facts=row.facts
    )
    if not endpoints.api_base_url:
        raise ConnectAgainError(
            "The account is not connected yet.", action=f"Run: integrations connect {ref.key}"
        )
    return AuthorizedSession(
        endpoints.api_base_url,
        VaultTokens(store, ref),
        carriage=ref.way.carriage,
        headers=ref.connector.headers,
        allow_private=endpoints.allow_private,
        timeout=store.settings.request_timeout_seconds,
    )
