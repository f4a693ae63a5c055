"""Shopify as an emulated service: one account is a shop, named in every path."""

import re

from integrations_pipeline.sandbox.accounts import Client, digits
from integrations_pipeline.sandbox.connected import DatalessService, ErrorForms, OwnCall
from integrations_pipeline.sandbox.grants import TokenEndpoint
from integrations_pipeline.sandbox.keys import account_with_key
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.service import ApiRequest, ConsentRules, Operation
from integrations_pipeline.sandbox.shopify import tokens
from integrations_pipeline.sandbox.shopify.selection import UnreadableError, selected
from integrations_pipeline.sandbox.tables import Record

_TOKEN_HEADER = "x-shopify-access-token"
_VERSION = re.compile(r"/admin/api/(\d{4}-\d{2}|unstable)/")
_COST = {
    "requestedQueryCost": 1,
    "actualQueryCost": 1,
    "throttleStatus": {
        "maximumAvailable": 2000.0,
        "currentlyAvailable": 1999,
        "restoreRate": 100.0,
    },
}


def failure(status: int, message: str) -> Reply:
    """The form of errors outside GraphQL."""
    return Reply({"errors": message}, status)


def _throttled() -> Reply:
    """What GraphQL says instead of 429."""
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
    return Reply({"errors": [error], "extensions": {"cost": {**_COST, "actualQueryCost": None}}})


def _graphql(call: OwnCall) -> Reply:
    asked = call.request.json if isinstance(call.request.json, dict) else {}
    try:
        data = selected(str(asked.get("query", "")), _root(call))
    except UnreadableError as error:
        return Reply({"errors": [{"message": str(error)}]})
    return Reply({"data": data, "extensions": {"cost": _COST}})


def _root(call: OwnCall) -> Record:
    return {
        "shop": _shop(call.access.account),
        "currentAppInstallation": {"accessScopes": _handles(call)},
    }


def _shop(account: str) -> Record:
    host = tokens.shop_of(account)
    return {
        "id": f"gid://shopify/Shop/{digits(11, account, 'shop')}",
        "name": account.capitalize(),
        "email": f"admin@{account}.example",
        "myshopifyDomain": host,
        "primaryDomain": {"host": f"{account}.example", "url": f"https://{account}.example"},
        "currencyCode": "EUR",
        "ianaTimezone": "Europe/Oslo",
        "plan": {"publicDisplayName": "Basic"},
    }


def _handles(call: OwnCall) -> list[Record]:
    return [{"handle": scope} for scope in call.access.scopes]


def _access_scopes(call: OwnCall) -> Reply:
    return Reply({"access_scopes": _handles(call)})


def _uninstall(call: OwnCall) -> Reply:
    """Ends all that the app has on this shop."""
    call.vault.end_grants("shopify", call.access.account)
    return Reply({})


class Shopify(DatalessService):
    """A shop's own host: OAuth and the Admin API."""

    name = "shopify"
    prefix = "/shopify/{subdomain}"
    rules = tokens.RULES
    consent = ConsentRules(
        title="Shopify",
        path="/admin/oauth/authorize",
        code_seconds=600,
        pkce=False,
        scopes=re.compile(r"(unauthenticated_)?(read|write)_\w+"),
        scope_separator=",",
        scope_error_redirects=False,
    )
    token_operations = (
        Operation("POST", "/admin/oauth/access_token", TokenEndpoint(tokens.RULES)),
    )
    operations = (
        Operation("POST", "/admin/api/{version}/graphql", _graphql),
        Operation("GET", "/admin/oauth/access_scopes", _access_scopes),
        Operation("DELETE", "/admin/api_permissions/current", _uninstall, revokes=True),
    )
    forms = ErrorForms(
        unauthorized=lambda _: failure(
            401,
            "[API] Invalid API key or access token (unrecognized login or wrong password)",
        ),
        rate_limited=lambda _: _throttled(),
        server_error=lambda: failure(500, "Internal Server Error"),
        unknown_path=lambda _: failure(404, "Not Found"),
    )

    def tenants(self, account: str) -> frozenset[str]:
        return frozenset({tokens.shop_of(account)})

    def refusal(self, request: ApiRequest) -> Reply | None:
        return None if self.tenant_exists(request.tenant) else failure(404, "Not Found")

    def bearer(self, request: ApiRequest) -> str | None:
        return request.headers.get(_TOKEN_HEADER)

    def key_account(self, request: ApiRequest) -> str | None:
        return account_with_key(self.name, "access_token", self.bearer(request))

    def callback(self, client: Client, answer: dict[str, str], now: float) -> dict[str, str]:
        return tokens.signed(client, answer, now)

    def headers(self, request: ApiRequest, account: str | None) -> dict[str, str]:
        found = _VERSION.match(request.path)
        return {"X-Shopify-API-Version": found[1]} if found else {}
