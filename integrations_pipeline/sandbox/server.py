"""The sandbox as an ASGI application and as a server on loopback."""

import time
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from integrations_pipeline.sandbox.addresses import overrides
from integrations_pipeline.sandbox.authorize import AuthorizePage
from integrations_pipeline.sandbox.config import SandboxConfig
from integrations_pipeline.sandbox.control import Control
from integrations_pipeline.sandbox.custom.service import Custom
from integrations_pipeline.sandbox.gate import Gate
from integrations_pipeline.sandbox.google_analytics.service import GoogleAnalytics
from integrations_pipeline.sandbox.hubspot.service import HubSpot
from integrations_pipeline.sandbox.jira.service import Jira
from integrations_pipeline.sandbox.mailchimp.service import Mailchimp
from integrations_pipeline.sandbox.microsoft_teams.service import MicrosoftTeams
from integrations_pipeline.sandbox.quickbooks.service import QuickBooks
from integrations_pipeline.sandbox.salesforce.service import Salesforce
from integrations_pipeline.sandbox.service import Service
from integrations_pipeline.sandbox.shopify.service import Shopify
from integrations_pipeline.sandbox.slack.service import Slack
from integrations_pipeline.sandbox.state import SandboxState
from integrations_pipeline.sandbox.stripe.service import Stripe
from integrations_pipeline.sandbox.zendesk.service import Zendesk

__all__ = ["SandboxConfig", "create_app", "overrides", "run"]

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


SERVICES: tuple[type[Service[Any]], ...] = (
    HubSpot,
    Stripe,
    Zendesk,
    Salesforce,
    QuickBooks,
    GoogleAnalytics,
    Jira,
    Mailchimp,
    Slack,
    MicrosoftTeams,
    Shopify,
    Custom,
)


def create_app(config: SandboxConfig, *, clock: Callable[[], float] = time.time) -> Starlette:
    """All services and the control endpoints; the clock can be set by tests."""
    services = {service.name: service() for service in SERVICES}
    state = SandboxState(config, services, clock)
    routes = Control(state).routes()
    for service in services.values():
        page, gate = AuthorizePage(state, service), Gate(state, service)
        consent_path = service.prefix + service.consent.path
        routes.append(Route(consent_path, page.serve, methods=["GET", "POST"]))
        routes.append(Route(service.prefix + "/{path:path}", gate.serve, methods=_METHODS))
    return Starlette(routes=routes)


def run(config: SandboxConfig, *, host: str = "127.0.0.1", port: int) -> None:
    """Serves until SIGTERM or SIGINT."""
    uvicorn.run(
        create_app(config),
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=3,
    )
