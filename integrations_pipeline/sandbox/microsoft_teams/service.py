"""Microsoft Teams as an emulated service: one account is a tenant of Microsoft Graph."""

import uuid
from collections.abc import Mapping

from integrations_pipeline.sandbox.accounts import guid
from integrations_pipeline.sandbox.connected import DatalessService, ErrorForms, OwnCall
from integrations_pipeline.sandbox.grants import TokenEndpoint
from integrations_pipeline.sandbox.microsoft_teams import tokens
from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.service import ApiRequest, ConsentRules, Operation
from integrations_pipeline.sandbox.tables import Record

_CONTEXT = "https://graph.microsoft.com/v1.0/$metadata"


def failure(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Reply:
    """Graph's form of errors."""
    inner = {"request-id": str(uuid.uuid4()), "client-request-id": str(uuid.uuid4())}
    error = {"code": code, "message": message, "innerError": inner}
    return Reply({"error": error}, status, headers or {})


def _me(call: OwnCall) -> Reply:
    if tokens.DEFAULT_SCOPE in call.access.scopes:
        message = "/me request is only valid with delegated authentication flow."
        raise ApiError(failure(400, "BadRequest", message))
    account = call.access.account
    person = {
        "id": guid(account, "entra user"),
        "displayName": f"{account.capitalize()} Admin",
        "userPrincipalName": f"admin@{account}.onmicrosoft.com",
        "mail": f"admin@{account}.example",
    }
    context = {"@odata.context": f"{_CONTEXT}#users/$entity"}
    return Reply({**context, **_selected(call, person)})


def _organization(call: OwnCall) -> Reply:
    account = call.access.account
    row = {
        "id": tokens.tenant_id(account),
        "displayName": account.capitalize(),
        "countryLetterCode": "US",
        "verifiedDomains": [{"name": f"{account}.onmicrosoft.com", "isDefault": True}],
    }
    return Reply({"@odata.context": f"{_CONTEXT}#organization", "value": [_selected(call, row)]})


def _selected(call: OwnCall, row: Record) -> Record:
    wanted = call.query.get("$select")
    return {name: row[name] for name in wanted.split(",") if name in row} if wanted else row


class MicrosoftTeams(DatalessService):
    """The login host, whose paths begin with a tenant, and Graph v1.0."""

    name = "microsoft_teams"
    prefix = "/microsoft_teams"
    rules = tokens.RULES
    consent = ConsentRules(
        title="Microsoft Teams",
        path="/{subdomain}/oauth2/v2.0/authorize",
        code_seconds=600,
        code_prefix="0.AX",
        response_type_required=True,
        required={"scope": None},
        offline_scopes=frozenset({"offline_access"}),
    )
    token_operations = (
        Operation("POST", "/{tenant}/oauth2/v2.0/token", TokenEndpoint(tokens.RULES)),
    )
    operations = (
        Operation("GET", "/v1.0/me", _me),
        Operation("GET", "/v1.0/organization", _organization),
    )
    forms = ErrorForms(
        unauthorized=lambda reason: failure(
            401, "InvalidAuthenticationToken", f"Access token is {reason}."
        ),
        rate_limited=lambda usage: failure(
            429,
            "TooManyRequests",
            "Too many requests.",
            {"Retry-After": str(usage.wait_seconds)},
        ),
        server_error=lambda: failure(503, "ServiceUnavailable", "Service unavailable."),
        unknown_path=lambda _: failure(400, "BadRequest", "Resource not found for the segment."),
    )

    def tenants(self, account: str) -> frozenset[str]:
        return tokens.tenants(account)

    def headers(self, request: ApiRequest, account: str | None) -> dict[str, str]:
        return {"request-id": str(uuid.uuid4())}
