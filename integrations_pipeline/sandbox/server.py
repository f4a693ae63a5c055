"""The sandbox as an ASGI application and as a server on loopback."""

import time
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from integrations_pipeline.sandbox.authorize import AuthorizePage
from integrations_pipeline.sandbox.config import SandboxConfig
from integrations_pipeline.sandbox.control import Control
from integrations_pipeline.sandbox.gate import Gate
from integrations_pipeline.sandbox.hubspot.service import HubSpot
from integrations_pipeline.sandbox.service import Service
from integrations_pipeline.sandbox.state import SandboxState
from integrations_pipeline.sandbox.stripe.service import Stripe
from integrations_pipeline.sandbox.zendesk.service import Zendesk

__all__ = ["SandboxConfig", "create_app", "overrides", "run"]

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(config: SandboxConfig, *, clock: Callable[[], float] = time.time) -> Starlette:
    """The three services and the control endpoints; the clock can be set by tests."""
    services: dict[str, Service[Any]] = {s.name: s for s in (HubSpot(), Stripe(), Zendesk())}
    state = SandboxState(config, services, clock)
    routes = Control(state).routes()
    for service in services.values():
        page, gate = AuthorizePage(state, service), Gate(state, service)
        consent_path = service.prefix + service.consent.path
        routes.append(Route(consent_path, page.serve, methods=["GET", "POST"]))
        routes.append(Route(service.prefix + "/{path:path}", gate.serve, methods=_METHODS))
    return Starlette(routes=routes)


def overrides(base_url: str) -> dict[str, dict[str, object]]:
    """Addresses that point a connector at the sandbox; Zendesk's keep {subdomain} to fill in."""
    root = base_url.rstrip("/")
    hubspot, stripe, zendesk = (
        f"{root}/hubspot",
        f"{root}/stripe",
        f"{root}/zendesk/{{subdomain}}",
    )
    addresses: dict[str, dict[str, object]] = {
        "hubspot": {
            "authorize_url": f"{hubspot}/oauth/authorize",
            "token_url": f"{hubspot}/oauth/2026-03/token",
            "revoke_url": f"{hubspot}/oauth/2026-03/token/revoke",
            "api_base_url": hubspot,
        },
        "stripe": {
            "authorize_url": f"{stripe}/oauth/v2/authorize",
            "token_url": f"{stripe}/v1/oauth/token",
            "revoke_url": None,
            "api_base_url": stripe,
        },
        "zendesk": {
            "authorize_url": f"{zendesk}/oauth/authorizations/new",
            "token_url": f"{zendesk}/oauth/tokens",
            "revoke_url": f"{zendesk}/api/v2/oauth/tokens/current",
            "api_base_url": zendesk,
        },
    }
    return {name: {**urls, "allow_private_network": True} for name, urls in addresses.items()}


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
