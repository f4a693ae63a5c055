"""An HTTP client for a connected account: authorized, paced, retried, guarded."""

from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.endpoints import endpoints_of
from integrations_pipeline.oauth.vault import VaultTokens
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration
from integrations_pipeline.transport.client import ServiceClient


def service_client(store: Store, ref: IntegrationRef) -> ServiceClient:
    """A client whose requests carry the account's token, refreshed as needed."""
    with store.tenant(ref.tenant_id) as session:
        row = session.get_one(Integration, (ref.tenant_id, ref.id))
    endpoints = endpoints_of(ref.connector, store.settings, row.settings)
    return ServiceClient(
        ref.connector,
        endpoints.api_base_url,
        VaultTokens(store, ref),
        account=str(ref.id),
        allow_private=endpoints.allow_private,
        timeout=store.settings.request_timeout_seconds,
        retry_seconds=store.settings.retry_seconds,
    )
