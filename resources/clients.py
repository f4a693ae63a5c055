"""Each service's OAuth client: authorized sessions for calls that the pipeline does not model."""

from typing import ClassVar

import dagster as dg

from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth import IntegrationRef, find_integration
from integrations_pipeline.oauth.clients import authorized_session, service_client
from integrations_pipeline.transport.authorized import AuthorizedSession
from integrations_pipeline.transport.client import ServiceClient
from resources.database import DatabaseResource


class OAuthClientResource(dg.ConfigurableResource[None]):
    """Hands out what is authorized for one integration's account, its tokens refreshed by itself.

    In an asset: `hubspot.session("acme--crm").get("/crm/v3/owners").json()`.
    """

    service: ClassVar[str]
    database: DatabaseResource

    def session(self, key: str) -> AuthorizedSession:
        """A `requests` session for the integration with this key (`tenant--name`).

        Raises:
            RequestError: there is none, or it is another service's.
            ConnectAgainError: its account was never connected.
        """
        return authorized_session(self.database.store, self._find(key))

    def client(self, key: str) -> ServiceClient:
        """The engine's own client: JSON only, paced, retried, errors by what to do about them."""
        return service_client(self.database.store, self._find(key))

    def _find(self, key: str) -> IntegrationRef:
        ref = find_integration(self.database.store, key)
        if ref.connector.name != self.service:
            raise RequestError(
                f"{key} is an integration of {ref.connector.label}.",
                action=f"Use the resource {ref.connector.name!r} for it.",
            )
        return ref


class Salesforce(OAuthClientResource):
    """Salesforce's OAuth client."""

    service = "salesforce"


class HubSpot(OAuthClientResource):
    """HubSpot's OAuth client."""

    service = "hubspot"


class QuickBooks(OAuthClientResource):
    """QuickBooks Online's OAuth client."""

    service = "quickbooks"


class Stripe(OAuthClientResource):
    """Stripe's OAuth client."""

    service = "stripe"


class GoogleAnalytics(OAuthClientResource):
    """Google Analytics' OAuth client."""

    service = "google_analytics"


class Zendesk(OAuthClientResource):
    """Zendesk's OAuth client."""

    service = "zendesk"


class Jira(OAuthClientResource):
    """Jira's OAuth client."""

    service = "jira"


class Mailchimp(OAuthClientResource):
    """Mailchimp's OAuth client."""

    service = "mailchimp"


class Slack(OAuthClientResource):
    """Slack's OAuth client."""

    service = "slack"


class MicrosoftTeams(OAuthClientResource):
    """Microsoft Teams' OAuth client."""

    service = "microsoft_teams"


class Shopify(OAuthClientResource):
    """Shopify's OAuth client."""

    service = "shopify"


class Custom(OAuthClientResource):
    """The client of any REST API that an integration declares."""

    service = "custom"


CLIENTS: tuple[type[OAuthClientResource], ...] = (
    Salesforce,
    HubSpot,
    QuickBooks,
    Stripe,
    GoogleAnalytics,
    Zendesk,
    Jira,
    Mailchimp,
    Slack,
    MicrosoftTeams,
    Shopify,
    Custom,
)


def client_resources(database: DatabaseResource) -> dict[str, OAuthClientResource]:
    """One resource for each service, by its name."""
    return {kind.service: kind(database=database) for kind in CLIENTS}
