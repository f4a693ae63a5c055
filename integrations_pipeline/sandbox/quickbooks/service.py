"""QuickBooks Online as an emulated service: one account is a company with a realm id."""

import re
import uuid

from integrations_pipeline.sandbox.accounts import Client, digits
from integrations_pipeline.sandbox.config import SandboxConfig
from integrations_pipeline.sandbox.connected import DatalessService, ErrorForms, OwnCall
from integrations_pipeline.sandbox.grants import (
    Issued,
    Revocation,
    TokenEndpoint,
    TokenRules,
    problem,
    standard,
)
from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.seed import iso_seconds
from integrations_pipeline.sandbox.service import ApiRequest, ConsentRules, Operation
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.vault import RefreshToken, Rotation

_REFRESH_SECONDS = 8_726_400
_CONSENT_SECONDS = 157_680_000
_TELL_HARD_LIMIT = "x-include-refresh-token-hard-expires-in"
_XML = {"Content-Type": "application/xml"}


def realm_id(account: str) -> str:
    """The company's id, which only the callback tells."""
    return f"934145{digits(10, account, 'realm')}"


def _rotation(config: SandboxConfig, old: RefreshToken, now: float) -> Rotation | None:
    """The value changes once it has some age, and the old one works on for a while."""
    if not old.replaced_by and now - old.created_at < config.quickbooks_rotation_seconds:
        return None
    return Rotation(grace_seconds=config.quickbooks_grace_seconds, reuse_ends_grant=True)


def _answer(issued: Issued) -> Record:
    refresh = issued.call.vault.remembered(issued.client, issued.refresh_token)
    answer = {**standard(issued), "token_type": "bearer"}
    del answer["scope"]
    if refresh is None or refresh.expires_at is None:
        return answer
    answer["x_refresh_token_expires_in"] = round(refresh.expires_at - issued.now)
    if issued.call.request.headers.get(_TELL_HARD_LIMIT, "").lower() == "true":
        left = refresh.consented_at + _CONSENT_SECONDS - issued.now
        answer["x_refresh_token_hard_expires_in"] = round(left)
    return answer


RULES = TokenRules(
    service="quickbooks",
    prefixes=("eyJhbGciOiJkaXIi", "AB11"),
    client_auth=("basic",),
    refresh_seconds=_REFRESH_SECONDS,
    consent_seconds=_CONSENT_SECONDS,
    rotation=_rotation,
    refusals={
        "code": problem(400, "invalid_grant", "Invalid authorization code"),
        "redirect": problem(400, "invalid_grant", "Invalid redirect uri"),
        "refresh": problem(400, "invalid_grant", "Incorrect or invalid refresh token"),
    },
    answer=_answer,
)
# Here alone the body is JSON.
_REVOKE_RULES = TokenRules(
    service="quickbooks", prefixes=("", ""), body="json", client_auth=("basic",)
)


def fault(status: int, kind: str, code: str, message: str) -> Reply:
    """The Accounting API's form of errors."""
    errors = [{"Message": message, "Detail": message, "code": code, "element": ""}]
    return Reply({"Fault": {"Error": errors, "type": kind}}, status)


def _unauthorized(reason: str) -> Reply:
    """In lower case, unlike other errors."""
    message = "message=AuthenticationFailed; errorCode=003200; statusCode=401"
    error = {"message": message, "detail": f"Token {reason}", "code": "3200"}
    return Reply({"fault": {"type": "AUTHENTICATION", "error": [error]}}, 401)


def _company(call: OwnCall) -> Reply:
    account = call.access.account
    realm = realm_id(account)
    if {call.params["realm"], call.params["id"]} != {realm}:
        message = "message=ApplicationAuthorizationFailed; errorCode=003100; statusCode=403"
        raise ApiError(fault(403, "AuthorizationFault", "3100", message))
    name = account.capitalize()
    if "json" not in call.request.headers.get("accept", ""):
        return Reply(
            f"<IntuitResponse><CompanyName>{name}</CompanyName></IntuitResponse>", 200, _XML
        )
    info = {"Id": "1", "SyncToken": "4", "CompanyName": name, "LegalName": name, "Country": "US"}
    return Reply({"CompanyInfo": info, "time": iso_seconds(call.now)})


class QuickBooks(DatalessService):
    """QuickBooks Online, sandbox companies."""

    name = "quickbooks"
    prefix = "/quickbooks"
    rules = RULES
    consent = ConsentRules(
        title="QuickBooks",
        path="/connect/oauth2",
        code_seconds=600,
        code_prefix="XAB",
        pkce=False,
        response_type_required=True,
        scopes=re.compile(
            r"com\.intuit\.quickbooks\.(accounting|payment)|openid|profile|email|phone|address"
        ),
        required={"state": None},
    )
    token_operations = (
        Operation("POST", "/oauth2/v1/tokens/bearer", TokenEndpoint(RULES)),
        Operation(
            "POST",
            "/v2/oauth2/tokens/revoke",
            Revocation(
                _REVOKE_RULES,
                proves_client=True,
                whole_grant=True,
                unknown=problem(400, "invalid_token", "Incorrect or invalid token"),
            ),
            revokes=True,
        ),
    )
    operations = (Operation("GET", "/v3/company/{realm}/companyinfo/{id}", _company),)
    forms = ErrorForms(
        unauthorized=_unauthorized,
        rate_limited=lambda _: fault(429, "ThrottleExceeded", "3001", "ThrottleExceeded"),
        server_error=lambda: fault(500, "SystemFault", "10000", "An application error occurred"),
        unknown_path=lambda _: fault(400, "ValidationFault", "2020", "Unsupported operation"),
    )

    def callback(self, client: Client, answer: dict[str, str], now: float) -> dict[str, str]:
        """The only place where the company's id is told."""
        return {**answer, "realmId": realm_id(client.account)} if "code" in answer else answer

    def headers(self, request: ApiRequest, account: str | None) -> dict[str, str]:
        return {"intuit_tid": f"1-{uuid.uuid4()}"}
