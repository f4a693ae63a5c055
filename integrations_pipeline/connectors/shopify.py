"""Shopify, through the GraphQL Admin API.

Odd here: the host is the shop's own and the callback is signed with the client secret; the token
has a header of its own. GraphQL fails with status 200. Tokens that are asked for with `expiring`
live an hour; custom apps may still have some that live until the app is uninstalled.
"""

from datetime import timedelta

from integrations_pipeline.connectors.access import ErrorRule, Quota, Reaction, Told
from integrations_pipeline.connectors.auth import (
    Fact,
    FollowUp,
    Grant,
    HeaderAuth,
    KeyAccess,
    OAuth,
    Scopes,
    Setting,
)
from integrations_pipeline.connectors.base import Connector, IntegrationType

TOKEN_URL = "https://{shop}/admin/oauth/access_token"  # noqa: S105 - an address
TOKEN_HEADER = HeaderAuth("X-Shopify-Access-Token", "")
SHOP = r"[a-zA-Z0-9][a-zA-Z0-9-]*\.myshopify\.com"
WRITABLE = (
    "orders",
    "products",
    "customers",
    "inventory",
    "draft_orders",
    "merchant_managed_fulfillment_orders",
)


def code(value: str, reaction: Reaction, wait: float | None = None) -> ErrorRule:
    """A line of the error table for a code of GraphQL, which comes with status 200."""
    return ErrorRule(200, reaction, "errors.0.extensions.code", value, wait)


SHOPIFY = Connector(
    type=IntegrationType.SHOPIFY,
    name="shopify",
    label="Shopify",
    api_base_url="https://{shop}/admin/api/2026-10",
    oauth=OAuth(
        authorize_url="https://{shop}/admin/oauth/authorize",
        token_url=TOKEN_URL,
        token_params={"expiring": "1"},
        pkce=False,
        scope_separator=",",
        resource_scopes={
            # 60 days back; `read_all_orders` reaches further and needs Shopify's approval
            "orders": Scopes(("read_orders",), ("write_orders",)),
            "products": Scopes(("read_products",), ("write_products",)),
            "customers": Scopes(("read_customers",), ("write_customers",)),
            "inventory_levels": Scopes(("read_inventory", "read_locations"), ("write_inventory",)),
            # shipments are read from their orders, and made from what is still to be shipped;
            # `read_fulfillments` is about those who ship
            "fulfillments": Scopes(
                ("read_orders",), ("write_merchant_managed_fulfillment_orders",)
            ),
            "draft_orders": Scopes(("read_draft_orders",), ("write_draft_orders",)),
        },
        implied={f"write_{name}": (f"read_{name}",) for name in WRITABLE},
        signed_callback=True,
        idle=timedelta(days=90),
        refresh_life_at="refresh_token_expires_in",
        carriage=TOKEN_HEADER,
    ),
    others={
        "access_token": KeyAccess(
            label="Admin API access token of a custom app",
            carriage=TOKEN_HEADER,
            pattern=r"shpat_[0-9A-Za-z]+",
        ),
        # Only for apps that are installed on their own organisation's shops.
        "client_credentials": OAuth(
            label="App of the shop's own organisation",
            grant=Grant.CLIENT_CREDENTIALS,
            token_url=TOKEN_URL,
            pkce=False,
            lifetime=timedelta(hours=24),
            carriage=TOKEN_HEADER,
        ),
    },
    identity=(
        FollowUp(
            url="/graphql.json",
            body={"query": "{shop{name myshopifyDomain}}"},
            # the shop's first name, which it keeps; webhooks name it too
            facts=(
                Fact("account_id", "data.shop.myshopifyDomain", SHOP),
                Fact("account_name", "data.shop.name"),
            ),
        ),
    ),
    settings=(Setting("shop", "Shop (acme.myshopify.com)", SHOP),),
    # The limit is on a query's cost, and every answer says what is left of it.
    # Buckets that leak for 20 seconds: a span in which no more than the whole of one is used.
    quotas=(
        Quota(
            2000,
            20.0,
            "/graphql.json",
            name="query cost",
            cost=50,
            told=Told(
                limit="extensions.cost.throttleStatus.maximumAvailable",
                remaining="extensions.cost.throttleStatus.currentlyAvailable",
                in_body=True,
            ),
        ),
        Quota(
            40,
            20.0,
            path_lacks="/graphql.json",
            told=Told(
                header="X-Shopify-Shop-Api-Call-Limit", pattern=r"(?P<used>\d+)/(?P<limit>\d+)"
            ),
        ),
    ),
    errors=(
        # one query costs 1,000 at most, and the slowest plan restores 100 a second
        code("THROTTLED", Reaction.RATE_LIMITED, 10),
        code("ACCESS_DENIED", Reaction.FORBIDDEN),
        code("SHOP_INACTIVE", Reaction.FORBIDDEN),
        code("INTERNAL_SERVER_ERROR", Reaction.RETRY),
        code("TIMEOUT", Reaction.RETRY),
        ErrorRule(200, Reaction.REJECTED, "errors"),
        # frozen or locked: a new consent mends nothing, the merchant must act
        ErrorRule(402, Reaction.FORBIDDEN),
        ErrorRule(423, Reaction.FORBIDDEN),
        ErrorRule(404, Reaction.WRONG_HOST),
        ErrorRule(430, Reaction.RATE_LIMITED, wait_seconds=300),  # taken for an attack
    ),
    message_at=("errors.0.message", "errors", "error_description", "error"),
    details_at=("errors.0.extensions.code",),
    request_id_header="X-Request-Id",
)
