"""What an admin chooses for an integration: service, way in, resources, direction, addresses."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import orjson

from integrations_pipeline.connectors import connector_named
from integrations_pipeline.connectors.auth import OAuth, Scopes, Way
from integrations_pipeline.connectors.base import Connector, IntegrationType
from integrations_pipeline.connectors.custom import addresses, custom_connector
from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth.endpoints import endpoints_of
from integrations_pipeline.settings import Override, Settings
from integrations_pipeline.store.models import Integration
from integrations_pipeline.store.states import Direction
from integrations_pipeline.transport.guard import check_host


@dataclass(frozen=True, slots=True)
class Choice:
    """What to connect an account for, and by which way in."""

    way: str = ""
    """Empty: the service's usual one."""
    resources: tuple[str, ...] = ()
    """Empty: all of them."""
    direction: str = Direction.PULL

    def checked(self, connector: Connector) -> str:
        """The name of the way in.

        Raises:
            RequestError: the service knows no such way, resource or direction.
        """
        way = self.way or next(iter(connector.ways))
        if way not in connector.ways:
            raise RequestError(
                f"{connector.label} can't be connected by {way!r}.",
                action=f"Known: {', '.join(connector.ways)}.",
            )
        if unknown := set(self.resources) - set(connector.scoped_names):
            raise RequestError(
                f"{connector.label} has no {', '.join(sorted(unknown))}.",
                action=f"Known: {', '.join(connector.scoped_names)}.",
            )
        if self.direction not in set(Direction):
            raise RequestError(f"Unknown direction {self.direction!r}.")
        return way


def declared(settings: Settings, service: str, account_settings: Mapping[str, Any]) -> Connector:
    """The connector that new settings mean; a Custom one is built from them.

    Raises:
        RequestError: there is no such service, or the declaration is not sound.
    """
    connector = connector_named(service)
    if connector.type is not IntegrationType.CUSTOM:
        return connector
    allowed = settings.overrides.get(connector.name, Override()).allow_private_network
    return custom_connector(account_settings, allow_http=allowed)


def connector_of(type_name: str, account_settings: Mapping[str, Any]) -> Connector:
    """The connector of a stored integration; its declaration was checked when it was saved."""
    connector = connector_named(type_name)
    if connector.type is not IntegrationType.CUSTOM:
        return connector
    return _built(orjson.dumps(account_settings))


@lru_cache(maxsize=256)
def _built(declaration: bytes) -> Connector:
    return custom_connector(orjson.loads(declaration), allow_http=True)


def check_account(
    settings: Settings, connector: Connector, way: Way, account_settings: Mapping[str, Any]
) -> None:
    """Refuse settings that don't make addresses, or addresses that lead into private networks.

    Raises:
        RequestError: a setting is missing or malformed.
        BlockedAddressError: a host that the customer named is not on the public internet.
    """
    found = endpoints_of(connector, settings, account_settings, way=way)
    if connector.type is IntegrationType.CUSTOM and not found.allow_private:
        for address in addresses(account_settings):
            check_host(urlsplit(address).hostname or "")


def scopes_to_ask(connector: Connector, way: Way, row: Integration) -> tuple[str, ...]:
    """The service's own scopes and those of what the account is connected for, each once."""
    if not isinstance(way, OAuth):
        return ()
    names = tuple(row.resources) or connector.scoped_names
    needed = [scope for name in names for scope in scopes_of(way, name, row.direction)]
    return tuple(dict.fromkeys((*way.scopes, *needed)))


def scopes_of(way: OAuth, resource: str, direction: str) -> tuple[str, ...]:
    """What a resource needs in a direction."""
    scopes = way.resource_scopes.get(resource, Scopes())
    read = scopes.read if direction != Direction.PUSH else ()
    write = scopes.write if direction != Direction.PULL else ()
    return (*read, *write)


def missing_scopes(
    way: Way, granted: tuple[str, ...], resource: str, direction: str
) -> tuple[str, ...]:
    """What the account did not grant of what the resource needs."""
    if not isinstance(way, OAuth):
        return ()
    held = {scope.removeprefix(way.scope_prefix) for scope in granted}
    held |= {inner for scope in held for inner in way.implied.get(scope, ())}
    return tuple(scope for scope in scopes_of(way, resource, direction) if scope not in held)
