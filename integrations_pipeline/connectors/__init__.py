"""The services, by name."""

from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.connectors.custom import CUSTOM
from integrations_pipeline.connectors.google_analytics import GOOGLE_ANALYTICS
from integrations_pipeline.connectors.hubspot import HUBSPOT
from integrations_pipeline.connectors.jira import JIRA
from integrations_pipeline.connectors.mailchimp import MAILCHIMP
from integrations_pipeline.connectors.microsoft_teams import MICROSOFT_TEAMS
from integrations_pipeline.connectors.quickbooks import QUICKBOOKS
from integrations_pipeline.connectors.salesforce import SALESFORCE
from integrations_pipeline.connectors.shopify import SHOPIFY
from integrations_pipeline.connectors.slack import SLACK
from integrations_pipeline.connectors.stripe import STRIPE
from integrations_pipeline.connectors.zendesk import ZENDESK
from integrations_pipeline.errors import RequestError

CONNECTORS: dict[str, Connector] = {
    connector.name: connector
    for connector in (
        SALESFORCE,
        HUBSPOT,
        QUICKBOOKS,
        STRIPE,
        GOOGLE_ANALYTICS,
        ZENDESK,
        JIRA,
        MAILCHIMP,
        SLACK,
        MICROSOFT_TEAMS,
        SHOPIFY,
        CUSTOM,
    )
}

SYNCED: dict[str, Connector] = {
    name: connector for name, connector in CONNECTORS.items() if connector.resources
}
"""The services whose records the pipeline reads; the others can be connected and called."""


def connector_named(name: str) -> Connector:
    """The connector of a service, by its name or its integration type (`hubspot`, `HUBSPOT`).

    Raises:
        RequestError: there is no such service.
    """
    connector = CONNECTORS.get(name.lower())
    if connector is None:
        raise RequestError(
            f"Unknown integration type {name!r}.", action=f"Known: {', '.join(CONNECTORS)}."
        )
    return connector
