"""Where one integration's service is reached: the connector's addresses, or overrides."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from integrations_pipeline.connectors.auth import KeyAccess, OAuth, Setting, Way
from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.errors import ConfigurationError, RequestError
from integrations_pipeline.settings import Override, Settings


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses of a service for one account; empty where there is none (yet)."""

    authorize_url: str
    token_url: str
    revoke_url: str
    api_base_url: str
    identity_url: str
    """Instead of the whole addresses in the service's follow-up calls."""
    allow_private: bool


def endpoints_of(
    connector: Connector,
    settings: Settings,
    account_settings: Mapping[str, Any],
    *,
    way: Way | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Endpoints:
    """The addresses for an account with these settings (subdomain, shop ...) and facts.

    Raises:
        RequestError: a setting that the addresses need is missing or malformed.
        ConfigurationError: an address is not https and no override allows that.
    """
    way = way or next(iter(connector.ways.values()))
    values = {**(facts or {}), **full_settings(connector, way, account_settings)}
    override = settings.overrides.get(connector.name, Override())
    oauth = way if isinstance(way, OAuth) else OAuth(token_url="")
    revoke = oauth.revoke.url if oauth.revoke else ""
    base = override.api_base_url or connector.api_base_url
    if isinstance(way, KeyAccess) and way.api_base_url:
        base = override.key_api_base_url or way.api_base_url
    found = Endpoints(
        authorize_url=filled(override.authorize_url or oauth.authorize_url, values),
        token_url=filled(override.token_url or oauth.token_url, values),
        revoke_url=filled(override.revoke_url or revoke, values) if revoke else "",
        api_base_url=filled(base, values),
        identity_url=filled(override.identity_url or "", values),
        allow_private=override.allow_private_network,
    )
    _require_https(connector, found)
    return found


def full_settings(
    connector: Connector, way: Way, account_settings: Mapping[str, Any]
) -> dict[str, str]:
    """The settings of an account, with defaults in place of those that were not told.

    Raises:
        RequestError: one is unknown, missing, or not of the form that a host name needs.
    """
    if connector.type == "CUSTOM":
        return {}  # its settings are its declaration, checked where it was built
    wanted = {setting.name: setting for setting in (*connector.settings, *way.settings)}
    if unknown := set(account_settings) - set(wanted):
        raise RequestError(f"{connector.label} has no setting {', '.join(sorted(unknown))}.")
    return {name: _told(connector, one, account_settings) for name, one in wanted.items()}


def _told(connector: Connector, setting: Setting, account_settings: Mapping[str, Any]) -> str:
    value = account_settings.get(setting.name, setting.default)
    if not isinstance(value, str) or not re.fullmatch(setting.pattern, value):
        raise RequestError(
            f"{connector.label} needs the setting {setting.name!r}.",
            action=f"Give: {setting.label}.",
        )
    return value


def filled(template: str, values: Mapping[str, Any]) -> str:
    """The address or path, or nothing while a fact that it needs is not known."""
    names: Iterable[str] = (name for _, name, _, _ in Formatter().parse(template) if name)
    return template.format(**values) if all(values.get(name) for name in names) else ""


def _require_https(connector: Connector, endpoints: Endpoints) -> None:
    addresses = [
        endpoints.authorize_url,
        endpoints.token_url,
        endpoints.api_base_url,
        endpoints.revoke_url,
        endpoints.identity_url,
    ]
    if not endpoints.allow_private and any(
        url and not url.startswith("https://") for url in addresses
    ):
        raise ConfigurationError(
            f"An address of {connector.label} is not https.",
            action="Plain http needs allow_private_network in the connector overrides.",
        )
