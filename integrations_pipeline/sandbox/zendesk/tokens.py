"""Zendesk's token endpoint; a refresh gives a new pair and deletes the old one at once."""

from collections.abc import Mapping
from typing import Any

from integrations_pipeline.sandbox.accounts import Client, digest, find_client
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.seed import iso_seconds
from integrations_pipeline.sandbox.service import ApiRequest, Call, TokenCall
from integrations_pipeline.sandbox.vault import AccessToken
from integrations_pipeline.sandbox.zendesk.data import ZendeskData
from integrations_pipeline.sandbox.zendesk.errors import token_problem

_DAY = 86_400
_ACCESS_RANGE = (300, 2 * _DAY)
_REFRESH_RANGE = (7 * _DAY, 90 * _DAY)
_REFRESH_SECONDS = 30 * _DAY


def token(call: TokenCall) -> Reply:
    """Exchanges a code or a refresh token."""
    given = call.request.fields
    client = _client(call.request, given)
    refresh_seconds = _span(given, "refresh_token_expires_in", _REFRESH_RANGE, _REFRESH_SECONDS)
    asked = _span(given, "expires_in", _ACCESS_RANGE, call.config.token_seconds)
    match given.get("grant_type"):
        case "authorization_code":
            scopes, old = _scopes_of_code(call, client, given), None
        case "refresh_token":
            old = call.vault.refresh_token(client, str(given.get("refresh_token")))
            if old is None:
                raise token_problem(400, "invalid_grant", "The refresh token is invalid.")
            scopes = old.scopes
        case other:
            message = f"The grant type {other} is not supported."
            raise token_problem(400, "unsupported_grant_type", message)
    access = call.vault.grant(
        client,
        scopes,
        prefixes=("", ""),
        access_seconds=min(asked, call.config.token_seconds),
        refresh_seconds=refresh_seconds,
    )
    if old is not None:
        call.vault.revoke_refresh(old.token, with_access=True)
    return Reply(_answer(access, refresh_seconds))


def current(call: Call[ZendeskData]) -> Reply:
    """What the token in use is."""
    access = call.access
    return Reply(
        {
            "token": {
                "id": int(digest(access.token)[:8], 16),
                "client_id": int(digest(access.account, "client number")[:8], 16),
                "user_id": call.data.admin_id,
                "token": access.token[:10],
                "scopes": list(access.scopes),
                "created_at": iso_seconds(access.created_at),
                "expires_at": iso_seconds(access.expires_at),
            }
        }
    )


def revoke_current(call: Call[ZendeskData]) -> Reply:
    """Ends the token in use together with its refresh token."""
    call.vault.revoke_refresh(call.access.refresh_token, with_access=True)
    return Reply(status=204)


def _client(request: ApiRequest, given: Mapping[str, Any]) -> Client:
    client = find_client("zendesk", given.get("client_id"))
    proof = (request.tenant, given.get("client_secret"))
    if client is None or (client.account, client.client_secret) != proof:
        raise token_problem(401, "invalid_client", "Client authentication failed.")
    return client


def _scopes_of_code(call: TokenCall, client: Client, given: Mapping[str, Any]) -> tuple[str, ...]:
    code = call.vault.redeem(client, str(given.get("code")))
    if (
        code is None
        or code.redirect_uri != given.get("redirect_uri")
        or not code.verified_by(str(given.get("code_verifier", "")))
    ):
        message = "The authorization grant is invalid, expired, revoked or does not match."
        raise token_problem(400, "invalid_grant", message)
    return code.scopes


def _span(given: Mapping[str, Any], name: str, limits: tuple[int, int], usual: int) -> int:
    """A life span asked for, refused when it is out of range."""
    if name not in given:
        return usual
    text = str(given[name])
    if not text.isdecimal() or not limits[0] <= int(text) <= limits[1]:
        message = f"{name} must be between {limits[0]} and {limits[1]}."
        raise token_problem(400, "invalid_request", message)
    return int(text)


def _answer(access: AccessToken, refresh_seconds: int) -> dict[str, object]:
    return {
        "access_token": access.token,
        "refresh_token": access.refresh_token,
        "token_type": "bearer",
        "scope": " ".join(access.scopes),
        "expires_in": round(access.expires_at - access.created_at),
        "refresh_token_expires_in": refresh_seconds,
    }
