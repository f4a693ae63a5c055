"""Connected accounts, for calls that the pipeline itself does not make."""

import dagster as dg

from integrations_pipeline.oauth import find_integration
from integrations_pipeline.oauth.clients import service_client
from integrations_pipeline.transport.client import ServiceClient
from resources.database import DatabaseResource


class AccountsResource(dg.ConfigurableResource[ServiceClient]):
    """Hands out clients that carry an integration's token and refresh it by themselves.

    In an asset: `accounts.client("acme--crm").get("/crm/v3/pipelines/deals")`.
    """

    database: DatabaseResource

    def client(self, key: str) -> ServiceClient:
        """A client for the integration with this key (`tenant--name`)."""
        store = self.database.store
        return service_client(store, find_integration(store, key))
