"""Salesforce as an emulated service: one account is an org."""

import re

from integrations_pipeline.sandbox.connected import DatalessService, ErrorForms, OwnCall
from integrations_pipeline.sandbox.grants import Revocation, TokenEndpoint, problem
from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.salesforce import tokens
from integrations_pipeline.sandbox.service import ConsentRules, Operation
from integrations_pipeline.sandbox.tables import Record

_VERSIONS = range(62, 69)
_SELECT = re.compile(r"\s*select\s+([\w,\s]+?)\s+from\s+(\w+)(\s+limit\s+\d+)?\s*", re.IGNORECASE)


def failure(status: int, code: str, message: str) -> Reply:
    """The REST API's form of errors: a list."""
    return Reply([{"message": message, "errorCode": code}], status)


def _versions(_: OwnCall) -> Reply:
    rows = [{"version": f"{n}.0", "url": f"/services/data/v{n}.0"} for n in _VERSIONS]
    return Reply(rows)


def _query(call: OwnCall) -> Reply:
    """Whose org it is; no other object is emulated."""
    found = _SELECT.fullmatch(call.query.get("q", ""))
    if found is None:
        raise ApiError(failure(400, "MALFORMED_QUERY", "unexpected token"))
    if found[2].lower() != "organization":
        message = f"sObject type '{found[2]}' is not supported."
        raise ApiError(failure(400, "INVALID_TYPE", message))
    url = f"{call.request.path.removesuffix('/query')}/sobjects/Organization"
    asked = [name.strip() for name in found[1].split(",")]
    row: Record = {"attributes": {"type": "Organization", "url": url}}
    row |= {name: _field(call.access.account, name) for name in asked}
    return Reply({"totalSize": 1, "done": True, "records": [row]})


def _field(account: str, name: str) -> object:
    fields = {
        "id": tokens.org_id(account),
        "name": account.capitalize(),
        "organizationtype": "Developer Edition",
        "instancename": "DEV1",
        "issandbox": False,
    }
    if name.lower() not in fields:
        message = f"No such column '{name}' on entity 'Organization'."
        raise ApiError(failure(400, "INVALID_FIELD", message))
    return fields[name.lower()]


def _identity(call: OwnCall) -> Reply:
    account = call.access.account
    return Reply(
        {
            "id": tokens.identity_url(account),
            "user_id": tokens.user_id(account),
            "organization_id": tokens.org_id(account),
            "username": f"admin@{account}.example",
            "display_name": f"{account.capitalize()} Admin",
            "email": f"admin@{account}.example",
            "active": True,
        }
    )


class Salesforce(DatalessService):
    """Salesforce, at the login host and at the org's own one."""

    name = "salesforce"
    prefix = "/salesforce"
    rules = tokens.RULES
    consent = ConsentRules(
        title="Salesforce",
        path="/services/oauth2/authorize",
        code_seconds=900,
        code_prefix="aPrx",
        response_type_required=True,
        scopes=re.compile(
            r"api|refresh_token|offline_access|id|openid|profile|email|address|phone|full|web"
        ),
        offline_scopes=frozenset({"refresh_token", "offline_access", "full"}),
    )
    token_operations = (
        Operation("POST", "/services/oauth2/token", TokenEndpoint(tokens.RULES)),
        Operation(
            "POST",
            "/services/oauth2/revoke",
            Revocation(tokens.RULES, unknown=problem(400, "invalid_token", "invalid token")),
            revokes=True,
        ),
    )
    operations = (
        Operation("GET", "/services/data", _versions),
        Operation("GET", "/services/data/{version}/query", _query),
        Operation("GET", "/services/oauth2/userinfo", _identity),
        Operation("GET", "/id/{org}/{user}", _identity),
    )
    forms = ErrorForms(
        unauthorized=lambda _: failure(401, "INVALID_SESSION_ID", "Session expired or invalid"),
        rate_limited=lambda _: failure(
            403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."
        ),
        server_error=lambda: failure(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred."),
        unknown_path=lambda _: failure(404, "NOT_FOUND", "The requested resource does not exist"),
    )
