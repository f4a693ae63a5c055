"""Shopify's tokens: for good, or expiring with a refresh token that rotates."""

import base64
import hashlib
import hmac
from urllib.parse import urlencode

from integrations_pipeline.sandbox.accounts import Client
from integrations_pipeline.sandbox.grants import Fields, Issued, TokenRules, problem
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.service import TokenCall
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.vault import Rotation

_REFRESH_SECONDS = 7_776_000
_APP_SCOPES = ("read_customers", "read_inventory", "read_orders", "read_products")


def shop_of(account: str) -> str:
    """The host name of the account's shop."""
    return f"{account}.myshopify.com"


def signed(client: Client, answer: dict[str, str], now: float) -> dict[str, str]:
    """The parameters of the callback, signed with the client's secret."""
    shop = shop_of(client.account)
    admin = base64.urlsafe_b64encode(f"admin.shopify.com/store/{client.account}".encode())
    about = {"host": admin.decode().rstrip("="), "shop": shop, "timestamp": str(int(now))}
    content = {**answer, **about}
    message = urlencode(sorted(content.items())).encode()
    mark = hmac.new(client.client_secret.encode(), message, hashlib.sha256).hexdigest()
    return {**content, "hmac": mark}


def _asks_expiring(fields: Fields) -> bool:
    return str(fields.get("expiring", "")).lower() in {"1", "true"}


def _expires(fields: Fields) -> bool:
    return fields.get("grant_type") == "refresh_token" or _asks_expiring(fields)


def _check_shop(call: TokenCall, client: Client) -> Reply | None:
    if call.request.tenant == shop_of(client.account):
        return None
    return problem(400, "invalid_request", "The app is not installed on this shop.")


def _answer(issued: Issued) -> Record:
    answer: Record = {
        "access_token": issued.access.token,
        "scope": ",".join(issued.access.scopes),
    }
    expires = issued.grant_type == "client_credentials" or _expires(issued.call.request.fields)
    if expires:
        answer["expires_in"] = issued.access.seconds
    if issued.refresh_token:
        answer["refresh_token"] = issued.refresh_token
        answer["refresh_token_expires_in"] = _REFRESH_SECONDS
    return answer


RULES = TokenRules(
    service="shopify",
    prefixes=("shpat_", "shprt_"),
    body="either",
    client_auth=("body",),
    grants=("authorization_code", "refresh_token", "client_credentials"),
    implied_grant="authorization_code",
    redirect_uri=False,
    refreshable=_asks_expiring,
    expires=_expires,
    refresh_seconds=_REFRESH_SECONDS,
    rotation=lambda *_: Rotation(until_used=True),
    scopes_of_client=lambda _: _APP_SCOPES,
    check=_check_shop,
    refusals={
        "code": problem(
            400, "invalid_request", "The authorization code was not found or was already used"
        ),
        "redirect": problem(400, "invalid_request", "The redirect_uri is not that of the code"),
        "refresh": problem(400, "invalid_grant", "This refresh token is invalid or expired."),
    },
    answer=_answer,
)
