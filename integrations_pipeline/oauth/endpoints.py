"""Where one integration's service is reached: the connector's addresses, or overrides."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.errors import ConfigurationError, RequestError
from integrations_pipeline.settings import Override, Settings


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses of a service for one account."""

    authorize_url: str
    token_url: str
    revoke_url: str | None
    api_base_url: str
    allow_private: bool


def endpoints_of(
    connector: Connector, settings: Settings, account_settings: Mapping[str, Any]
) -> Endpoints:
    """The addresses for an account with these settings (subdomain, shop ...).

    Raises:
        RequestError: a setting that the addresses need is missing or malformed.
        ConfigurationError: an address is not https and no override allows that.
    """
    check_settings(connector, account_settings)
    override = settings.overrides.get(connector.name, Override())
    values = {setting.name: str(account_settings[setting.name]) for setting in connector.settings}
    oauth = connector.oauth
    revoke = override.revoke_url or oauth.revoke_url
    found = Endpoints(
        authorize_url=(override.authorize_url or oauth.authorize_url).format(**values),
        token_url=(override.token_url or oauth.token_url).format(**values),
        revoke_url=revoke.format(**values) if revoke else None,
        api_base_url=(override.api_base_url or connector.api_base_url).format(**values),
        allow_private=override.allow_private_network,
    )
    _require_https(connector, found)
    return found


def check_settings(connector: Connector, account_settings: Mapping[str, Any]) -> None:
    """Refuse settings that are unknown, missing or not of the form that a host name needs."""
    known = {setting.name for setting in connector.settings}
    if unknown := set(account_settings) - known:
        raise RequestError(f"{connector.label} has no setting {', '.join(sorted(unknown))}.")
    for setting in connector.settings:
        value = account_settings.get(setting.name)
        if not isinstance(value, str) or not re.fullmatch(setting.pattern, value):
            raise RequestError(
                f"{connector.label} needs the setting {setting.name!r}.",
                action=f"Give: {setting.label}.",
            )


def _require_https(connector: Connector, endpoints: Endpoints) -> None:
    addresses = [endpoints.authorize_url, endpoints.token_url, endpoints.api_base_url]
    addresses += [endpoints.revoke_url] if endpoints.revoke_url else []
    if not endpoints.allow_private and any(not url.startswith("https://") for url in addresses):
        raise ConfigurationError(
            f"An address of {connector.label} is not https.",
            action="Plain http needs allow_private_network in the connector overrides.",
        )
