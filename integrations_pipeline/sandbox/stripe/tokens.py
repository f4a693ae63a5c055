"""The token endpoint of Stripe Apps; each refresh gives a new refresh token and ends the old."""

from integrations_pipeline.sandbox.accounts import Client, client_with_secret, digest
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.service import ApiRequest, TokenCall
from integrations_pipeline.sandbox.stripe.errors import token_problem
from integrations_pipeline.sandbox.vault import AccessToken

_PREFIXES = ("sk_acct_", "rt_")
_REFRESH_SECONDS = 365 * 86_400
_SCOPES = ("stripe_apps",)


def account_id(account: str) -> str:
    """The acct_ id of an account."""
    return f"acct_1{digest(account, 'stripe account')[:15]}"


def basic_user(request: ApiRequest) -> str | None:
    """The user name of HTTP Basic, which is where Stripe's libraries put a key."""
    return request.basic[0] if request.basic else None


def token(call: TokenCall) -> Reply:
    """Exchanges a code or a refresh token; the secret key is the user name of HTTP Basic."""
    client = client_with_secret("stripe", basic_user(call.request))
    form = call.request.form
    if client is None or form.get("client_id", client.client_id) != client.client_id:
        raise token_problem(401, "invalid_client", "No such application or wrong secret key.")
    match form.get("grant_type"):
        case "authorization_code":
            _spend_code(call, client)
        case "refresh_token":
            _end_refresh_token(call, client)
        case other:
            message = f"Unsupported grant type: {other}"
            raise token_problem(400, "unsupported_grant_type", message)
    access = call.vault.grant(
        client,
        _SCOPES,
        prefixes=_PREFIXES,
        access_seconds=call.config.token_seconds,
        refresh_seconds=_REFRESH_SECONDS,
    )
    return Reply(_answer(access))


def _spend_code(call: TokenCall, client: Client) -> None:
    form = call.request.form
    code = call.vault.redeem(client, form.get("code"))
    # Stripe's own examples send no redirect_uri here; one that is sent must agree.
    if code is None or form.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
        message = f"Authorization code does not exist or was used: {form.get('code')}"
        raise token_problem(400, "invalid_grant", message)


def _end_refresh_token(call: TokenCall, client: Client) -> None:
    refresh = call.vault.refresh_token(client, call.request.form.get("refresh_token"))
    if refresh is None:
        raise token_problem(400, "invalid_grant", "Refresh token does not exist or was used.")
    call.vault.revoke_refresh(refresh.token, with_access=False)


def _answer(access: AccessToken) -> dict[str, object]:
    """There is no expires_in in it."""
    return {
        "access_token": access.token,
        "refresh_token": access.refresh_token,
        "token_type": "bearer",
        "stripe_publishable_key": f"pk_test_{digest(access.account, 'publishable')[:40]}",
        "stripe_user_id": account_id(access.account),
        "scope": access.scopes[0],
        "livemode": False,
    }
