"""The services, by name."""

from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.connectors.hubspot import HUBSPOT
from integrations_pipeline.connectors.stripe import STRIPE
from integrations_pipeline.connectors.zendesk import ZENDESK
from integrations_pipeline.errors import RequestError

CONNECTORS: dict[str, Connector] = {
    connector.name: connector for connector in (HUBSPOT, STRIPE, ZENDESK)
}


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
