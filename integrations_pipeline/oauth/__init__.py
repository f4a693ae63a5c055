"""Connecting accounts: authorize, exchange, refresh, and the vault that keeps the tokens."""

from integrations_pipeline.oauth.accounts import (
    IntegrationRef,
    change_integration,
    create_integration,
    create_tenant,
    create_user,
    find_integration,
    find_tenant,
    list_integrations,
    reference,
    references,
    told_integration,
)
from integrations_pipeline.oauth.choosing import Choice
from integrations_pipeline.oauth.direct import connect_directly, needs_browser
from integrations_pipeline.oauth.flow import (
    deny_connection,
    exchange_code_for_token,
    generate_auth_url,
)
from integrations_pipeline.oauth.revocation import disconnect_integration
from integrations_pipeline.oauth.vault import (
    VaultTokens,
    get_valid_token,
    refresh_access_token,
    store_oauth_token,
)

__all__ = [
    "Choice",
    "IntegrationRef",
    "VaultTokens",
    "change_integration",
    "connect_directly",
    "create_integration",
    "create_tenant",
    "create_user",
    "deny_connection",
    "disconnect_integration",
    "exchange_code_for_token",
    "find_integration",
    "find_tenant",
    "generate_auth_url",
    "get_valid_token",
    "list_integrations",
    "needs_browser",
    "reference",
    "references",
    "refresh_access_token",
    "store_oauth_token",
    "told_integration",
]
