"""Addresses that point a connector at the sandbox instead of the real service."""

from collections.abc import Mapping

_NAMES = ("authorize_url", "token_url", "revoke_url", "api_base_url", "identity_url")

# By service, below its own prefix: authorize page, token endpoint, revocation, API, and the
# call that tells whose account it is where its address is no path of the API.
# Names in braces are filled from an integration's settings, or facts that the service told.
_PATHS: Mapping[str, tuple[str | None, ...]] = {
    "hubspot": (
        "/oauth/authorize",
        "/oauth/2026-03/token",
        "/oauth/2026-03/token/revoke",
        "",
        None,
    ),
    "stripe": ("/oauth/v2/authorize", "/v1/oauth/token", None, "", None),
    "zendesk": (
        "/{subdomain}/oauth/authorizations/new",
        "/{subdomain}/oauth/tokens",
        "/{subdomain}/api/v2/oauth/tokens/current",
        "/{subdomain}",
        None,
    ),
    "salesforce": (
        "/services/oauth2/authorize",
        "/services/oauth2/token",
        "/services/oauth2/revoke",
        "",
        None,
    ),
    "quickbooks": (
        "/connect/oauth2",
        "/oauth2/v1/tokens/bearer",
        "/v2/oauth2/tokens/revoke",
        "/v3/company/{account_id}",
        None,
    ),
    "google_analytics": ("/o/oauth2/v2/auth", "/token", "/revoke", "/v1beta", "/v1/userinfo"),
    "jira": (
        "/authorize",
        "/oauth/token",
        None,
        "/ex/jira/{cloud_id}",
        "/oauth/token/accessible-resources",
    ),
    "mailchimp": (
        "/oauth2/authorize",
        "/oauth2/token",
        None,
        "/{dc}/3.0",
        "/oauth2/metadata",
    ),
    "slack": ("/oauth/v2/authorize", "/api/oauth.v2.access", "/api/auth.revoke", "/api", None),
    "microsoft_teams": (
        "/{tenant}/oauth2/v2.0/authorize",
        "/{tenant}/oauth2/v2.0/token",
        None,
        "/v1.0",
        None,
    ),
    "shopify": (
        "/{shop}/admin/oauth/authorize",
        "/{shop}/admin/oauth/access_token",
        "/{shop}/admin/api_permissions/current.json",
        "/{shop}/admin/api/2026-10",
        None,
    ),
}


def overrides(base_url: str) -> dict[str, dict[str, object]]:
    """By service; a custom connector's declaration has its addresses already."""
    root = base_url.rstrip("/")
    found: dict[str, dict[str, object]] = {
        service: {
            name: None if path is None else f"{root}/{service}{path}"
            for name, path in zip(_NAMES, paths, strict=True)
        }
        for service, paths in _PATHS.items()
    }
    found["jira"]["key_api_base_url"] = f"{root}/jira/{{site}}"
    return {
        name: {**addresses, "allow_private_network": True}
        for name, addresses in {**found, "custom": {}}.items()
    }
