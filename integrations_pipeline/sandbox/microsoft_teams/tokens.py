"""Tokens of Microsoft's identity platform: each refresh gives another, and the old ones stay."""

import uuid

from integrations_pipeline.sandbox.accounts import Client, guid
from integrations_pipeline.sandbox.grants import Issued, TokenRules
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.service import TokenCall
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.vault import Rotation

DEFAULT_SCOPE = "https://graph.microsoft.com/.default"
_ANY_TENANT = frozenset({"common", "organizations"})
_UNTOLD = frozenset({"openid", "offline_access"})


def tenant_id(account: str) -> str:
    """The id of the account's directory."""
    return guid(account, "entra tenant")


def tenants(account: str) -> frozenset[str]:
    """The names that lead to the directory, in the paths of the login host."""
    return _ANY_TENANT | {tenant_id(account), f"{account}.onmicrosoft.com"}


def aadsts(status: int, error: str, number: int, text: str) -> Reply:
    """The login host's form of errors, with a number that clients should not look at."""
    body = {
        "error": error,
        "error_description": f"AADSTS{number}: {text}",
        "error_codes": [number],
        "trace_id": str(uuid.UUID(int=number)),
        "correlation_id": str(uuid.UUID(int=number + 1)),
        "error_uri": f"https://login.microsoftonline.com/error?code={number}",
    }
    return Reply(body, status)


def _check_tenant(call: TokenCall, client: Client) -> Reply | None:
    tenant = call.request.params["tenant"]
    if tenant not in tenants(client.account):
        return aadsts(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
    alone = call.request.form.get("grant_type") == "client_credentials"
    if alone and tenant in _ANY_TENANT:
        text = "The tenant must be a concrete one for this grant."
        return aadsts(400, "invalid_request", 53003, text)
    return None


def _scopes_of_client(call: TokenCall) -> tuple[str, ...] | None:
    scope = call.request.form.get("scope", "")
    return (scope,) if scope == DEFAULT_SCOPE else None


def _answer(issued: Issued) -> Record:
    seconds = issued.access.seconds
    answer: Record = {
        "token_type": "Bearer",
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": issued.access.token,
    }
    if issued.grant_type != "client_credentials":
        told = [scope for scope in issued.access.scopes if scope not in _UNTOLD]
        answer["scope"] = " ".join(told)
    if issued.refresh_token:
        answer["refresh_token"] = issued.refresh_token
    return answer


RULES = TokenRules(
    service="microsoft_teams",
    prefixes=("eyJ0eXAi", "0.AX"),
    client_auth=("body",),
    grants=("authorization_code", "refresh_token", "client_credentials"),
    refresh_seconds=90 * 86_400,
    rotation=lambda *_: Rotation(grace_seconds=None, one_successor=False),
    scopes_of_client=_scopes_of_client,
    check=_check_tenant,
    refusals={
        "client": aadsts(400, "unauthorized_client", 700016, "The application was not found."),
        "secret": aadsts(401, "invalid_client", 7000215, "Invalid client secret provided."),
        "code": aadsts(400, "invalid_grant", 70008, "The code has expired or is invalid."),
        "used": aadsts(400, "invalid_grant", 54005, "The code was already redeemed."),
        "redirect": aadsts(400, "invalid_grant", 500112, "The reply address does not match."),
        "verifier": aadsts(400, "invalid_grant", 501481, "The code_verifier does not match."),
        "refresh": aadsts(400, "invalid_grant", 70008, "The refresh token has expired."),
        "grant": aadsts(400, "unsupported_grant_type", 70003, "The grant is not supported."),
        "scope": aadsts(400, "invalid_scope", 1002012, "The scope must end in /.default."),
    },
    answer=_answer,
)
