"""HubSpot's token endpoints in their version 2026-03; refresh tokens do not rotate."""

from integrations_pipeline.sandbox.accounts import Client, digest, find_client
from integrations_pipeline.sandbox.hubspot.data import HubSpotData
from integrations_pipeline.sandbox.hubspot.errors import token_problem
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.service import Call, TokenCall
from integrations_pipeline.sandbox.vault import AccessToken

_ACCESS_PREFIX = "CJ"
_REFRESH_PREFIX = "na1-"


def hub_id(account: str) -> int:
    """The number of the account, which HubSpot also calls its portal."""
    return 20_000_000 + int(digest(account, "hub")[:6], 16)


def token(call: TokenCall) -> Reply:
    """Exchanges a code or a refresh token."""
    client = _client(call)
    form = call.request.form
    match form.get("grant_type"):
        case "authorization_code":
            return _answer(_exchange(call, client))
        case "refresh_token":
            return _answer(_refresh(call, client))
        case other:
            message = f"unknown grant type {other}"
            raise token_problem("BAD_GRANT_TYPE", "unsupported_grant_type", message)


def revoke(call: TokenCall) -> Reply:
    """RFC 7009: an unknown token is no error; a refresh token takes its access tokens along."""
    client = _client(call)
    value = call.request.form.get("token", "")
    if call.vault.refresh_token(client, value):
        call.vault.revoke_refresh(value, with_access=True)
        return Reply()
    access = call.vault.access_token("hubspot", value)
    if access is not None and access.account == client.account:
        call.vault.revoke_access(value)
    return Reply()


def details(call: Call[HubSpotData]) -> Reply:
    """Whose token it is."""
    account = call.access.account
    return Reply(
        {
            "portalId": hub_id(account),
            "accountType": "DEVELOPER_TEST",
            "timeZone": "Europe/Oslo",
            "companyCurrency": "EUR",
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }
    )


def introspect(call: TokenCall) -> Reply:
    """RFC 7662, with HubSpot's names for the account and the user."""
    client = _client(call)
    value = call.request.form.get("token", "")
    access = call.vault.access_token("hubspot", value)
    about = {
        "client_id": client.client_id,
        "hub_id": hub_id(client.account),
        "user_id": hub_id(client.account) // 7,
        "token_type": "bearer",
    }
    if access and access.account == client.account and not call.vault.is_expired(access):
        left = int(access.expires_at - call.request.now)
        live = {"active": True, "token_use": "access_token", "expires_in": left}
        return Reply({**live, **about, "scopes": list(access.scopes)})
    refresh = call.vault.refresh_token(client, value)
    if refresh is not None:
        live = {"active": True, "token_use": "refresh_token"}
        return Reply({**live, **about, "scopes": list(refresh.scopes)})
    return Reply({"active": False})


def _client(call: TokenCall) -> Client:
    form = call.request.form
    client = find_client("hubspot", form.get("client_id"))
    if client is None:
        raise token_problem("BAD_CLIENT_ID", "invalid_client", "missing or unknown client id")
    if client.client_secret != form.get("client_secret"):
        message = "missing or invalid client secret"
        raise token_problem("BAD_CLIENT_SECRET", "invalid_client", message)
    return client


def _exchange(call: TokenCall, client: Client) -> AccessToken:
    form = call.request.form
    code = call.vault.redeem(client, form.get("code"))
    if code is None:
        raise token_problem("BAD_AUTH_CODE", "invalid_grant", "missing or unknown auth code")
    if code.redirect_uri != form.get("redirect_uri"):
        message = "redirect URI does not match the one of the auth code"
        raise token_problem("MISMATCH_REDIRECT_URI_AUTH_CODE", "invalid_grant", message)
    if not code.verified_by(form.get("code_verifier")):
        message = "code verifier does not match the code challenge"
        raise token_problem("BAD_CODE_VERIFIER", "invalid_grant", message)
    return call.vault.grant(
        client,
        code.scopes,
        prefixes=(_ACCESS_PREFIX, _REFRESH_PREFIX),
        access_seconds=call.config.token_seconds,
        refresh_seconds=None,
    )


def _refresh(call: TokenCall, client: Client) -> AccessToken:
    refresh = call.vault.refresh_token(client, call.request.form.get("refresh_token"))
    if refresh is None:
        message = "missing or invalid refresh token"
        raise token_problem("BAD_REFRESH_TOKEN", "invalid_grant", message)
    return call.vault.renew(
        refresh, prefix=_ACCESS_PREFIX, access_seconds=call.config.token_seconds
    )


def _answer(access: AccessToken) -> Reply:
    return Reply(
        {
            "token_type": "bearer",
            "access_token": access.token,
            "refresh_token": access.refresh_token,
            "expires_in": round(access.expires_at - access.created_at),
            "hub_id": hub_id(access.account),
            "user_id": hub_id(access.account) // 7,
            "scopes": list(access.scopes),
        }
    )
