"""An HTTP client for a connected account: authorized, paced, retried, guarded."""

from integrations_pipeline.connectors.base import IntegrationType
from integrations_pipeline.errors import ConnectAgainError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.endpoints import endpoints_of
from integrations_pipeline.oauth.vault import VaultTokens, integration_row
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration
from integrations_pipeline.transport.authorized import AuthorizedSession
from integrations_pipeline.transport.client import CONNECT_SECONDS, ServiceClient
from integrations_pipeline.transport.ledger import PostgresLedger
from integrations_pipeline.transport.limits import Limits, Scope, scope_key


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
        limits=_limits(store, ref, row, endpoints.api_base_url),
        carriage=ref.way.carriage,
        allow_private=endpoints.allow_private,
        timeout=store.settings.request_timeout_seconds,
        retry_seconds=store.settings.retry_seconds,
    )


def _limits(store: Store, ref: IntegrationRef, row: Integration, base_url: str) -> Limits:
    """The limits of the account, whoever connected it; a custom API's word is no proof whose."""
    custom = ref.connector.type is IntegrationType.CUSTOM
    account = row.account_id if row.account_id and not custom else str(ref.id)
    name = ref.connector.name
    scope = Scope(
        account=scope_key(name, base_url, account),
        app=scope_key(name, base_url if custom else "", row.client_id) if row.client_id else "",
        user=scope_key(str(ref.tenant_id)),
        reserve=ref.policy.reserve_share,
    )
    return Limits(
        ref.connector.label,
        ref.connector.quotas,
        scope=scope,
        ledger=PostgresLedger(store.engine),
        lease=store.settings.request_timeout_seconds * 5 + CONNECT_SECONDS,
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
