"""Google Analytics as an emulated service: one account has one GA4 property."""

import re

from integrations_pipeline.sandbox.accounts import Client, client_of, digits
from integrations_pipeline.sandbox.connected import DatalessService, ErrorForms, OwnCall
from integrations_pipeline.sandbox.google_analytics import tokens
from integrations_pipeline.sandbox.grants import Revocation, TokenEndpoint, problem
from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.service import ApiRequest, ConsentRules, Operation
from integrations_pipeline.sandbox.tables import Record

ISSUER = "https://accounts.google.com"
_SCOPE = "https://www.googleapis.com/auth/analytics"
_READING = frozenset({f"{_SCOPE}.readonly", f"{_SCOPE}.edit", _SCOPE})


def property_id(account: str) -> str:
    """The number of the account's only property."""
    return client_of("google_analytics", account).settings["property_id"]


def failure(code: int, status: str, message: str, reason: str = "") -> Reply:
    """The form of errors that all of Google's APIs have."""
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
    error = {"code": code, "message": message, "status": status}
    if reason:
        error["details"] = [{**info, "domain": "googleapis.com", "metadata": {}}]
    return Reply({"error": error}, code)


def _userinfo(call: OwnCall) -> Reply:
    account = call.access.account
    person: Record = {
        "sub": digits(21, account, "google user"),
        "picture": "https://example.com/a.png",
    }
    if "email" in call.access.scopes:
        person |= {"email": f"admin@{account}.example", "email_verified": True}
    return Reply(person)


def _metadata(call: OwnCall) -> Reply:
    account = call.access.account
    if call.params["property"] != property_id(account):
        message = "User does not have sufficient permissions for this property."
        raise ApiError(failure(403, "PERMISSION_DENIED", message))
    name = f"properties/{property_id(account)}/metadata"
    return Reply({"dimensions": [], "metrics": [], "name": name})


def _summaries(call: OwnCall) -> Reply:
    account = call.access.account
    place, name = digits(8, account, "ga account"), account.capitalize()
    summary = {
        "name": f"accountSummaries/{place}",
        "account": f"accounts/{place}",
        "displayName": name,
        "propertySummaries": [
            {
                "property": f"properties/{property_id(account)}",
                "displayName": f"{name} shop",
                "propertyType": "PROPERTY_TYPE_ORDINARY",
                "parent": f"accounts/{place}",
            }
        ],
    }
    return Reply({"accountSummaries": [summary]})


class GoogleAnalytics(DatalessService):
    """Google's accounts and OAuth hosts, and the Data and Admin APIs of Analytics."""

    name = "google_analytics"
    prefix = "/google_analytics"
    rules = tokens.RULES
    consent = ConsentRules(
        title="Google Analytics",
        path="/o/oauth2/v2/auth",
        code_seconds=600,
        code_prefix="4/0A",
        response_type_required=True,
        scopes=re.compile(r"openid|email|profile|https://www\.googleapis\.com/auth/[\w.]+"),
        # Google gives one at the first consent only, or when consent is asked for again.
        offline_params={"access_type": "offline", "prompt": "consent"},
    )
    token_operations = (
        Operation("POST", "/token", TokenEndpoint(tokens.RULES)),
        Operation(
            "POST",
            "/revoke",
            Revocation(
                tokens.RULES,
                whole_grant=True,
                unknown=problem(400, "invalid_token", "Token expired or revoked"),
                done=Reply({}),
            ),
            revokes=True,
        ),
    )
    operations = (
        Operation("GET", "/v1/userinfo", _userinfo),
        Operation("GET", "/v1beta/properties/{property}/metadata", _metadata),
        Operation("GET", "/v1beta/accountSummaries", _summaries),
    )
    forms = ErrorForms(
        unauthorized=lambda _: failure(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token.",
        ),
        rate_limited=lambda _: failure(
            429, "RESOURCE_EXHAUSTED", "Exhausted property tokens per hour."
        ),
        server_error=lambda: failure(500, "INTERNAL", "Internal error encountered."),
        unknown_path=lambda _: failure(404, "NOT_FOUND", "Requested entity was not found."),
    )

    def claimed_client(self, request: ApiRequest) -> Client | None:
        account = tokens.statement_account(request.form.get("assertion", ""))
        return client_of(self.name, account) if account else super().claimed_client(request)

    def callback(self, client: Client, answer: dict[str, str], now: float) -> dict[str, str]:
        """RFC 9207: the issuer is Google, whatever host the request went to."""
        return {**answer, "iss": ISSUER}

    def check_scopes(self, call: OwnCall) -> None:
        if call.request.path.startswith("/v1beta") and not _READING & set(call.access.scopes):
            message = "Request had insufficient authentication scopes."
            reason = "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
            raise ApiError(failure(403, "PERMISSION_DENIED", message, reason))
