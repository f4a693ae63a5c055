"""Mailchimp as an emulated service: one account lives in one data centre."""

import uuid

from integrations_pipeline.sandbox.accounts import digest, digits
from integrations_pipeline.sandbox.connected import (
    DatalessService,
    ErrorForms,
    OwnCall,
    basic_key,
    bearer_key,
)
from integrations_pipeline.sandbox.grants import TokenEndpoint, TokenRules
from integrations_pipeline.sandbox.keys import mailchimp_dc
from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.service import ApiRequest, ConsentRules, Operation

_METADATA = "/oauth2/metadata"
_DOCS = "https://mailchimp.com/developer/marketing/docs/errors/"

RULES = TokenRules(
    service="mailchimp",
    prefixes=("", ""),
    client_auth=("body",),
    grants=("authorization_code",),
    refreshable=lambda _: False,
    expires=lambda _: False,
    answer=lambda issued: {
        "access_token": issued.access.token,
        "expires_in": 0,
        "scope": None,
    },
)


def failure(status: int, title: str, detail: str) -> Reply:
    """The form of errors of RFC 7807."""
    body = {"type": _DOCS, "title": title, "status": status, "detail": detail}
    headers = {"Content-Type": "application/problem+json"}
    return Reply({**body, "instance": str(uuid.uuid4())}, status, headers)


def _metadata(call: OwnCall) -> Reply:
    account = call.access.account
    email = f"admin@{account}.example"
    login = {"email": email, "login_email": email, "login_name": account}
    return Reply(
        {
            "dc": mailchimp_dc(account),
            "role": "owner",
            "accountname": account.capitalize(),
            "user_id": int(digits(8, account, "mailchimp user")),
            "login": {**login, "login_id": int(digits(8, account, "mailchimp login"))},
            "login_url": "https://login.mailchimp.com",
            "api_endpoint": f"https://{mailchimp_dc(account)}.api.mailchimp.com",
        }
    )


def _root(call: OwnCall) -> Reply:
    account = _checked(call)
    return Reply(
        {
            "account_id": digest(account, "mailchimp account")[:24],
            "login_id": digits(8, account, "mailchimp login"),
            "account_name": account.capitalize(),
            "email": f"admin@{account}.example",
            "role": "owner",
            "pro_enabled": False,
            "total_subscribers": 0,
            "_links": [],
        }
    )


def _ping(call: OwnCall) -> Reply:
    _checked(call)
    return Reply({"health_status": "Everything's Chimpy!"})


def _checked(call: OwnCall) -> str:
    account = call.access.account
    if call.params["dc"] != mailchimp_dc(account):
        raise ApiError(failure(403, "Forbidden", "The account lives in another data centre."))
    return account


class Mailchimp(DatalessService):
    """Mailchimp's login host, and the Marketing API behind the name of a data centre."""

    name = "mailchimp"
    prefix = "/mailchimp"
    rules = RULES
    consent = ConsentRules(
        title="Mailchimp",
        path="/oauth2/authorize",
        code_seconds=600,
        pkce=False,
        response_type_required=True,
    )
    token_operations = (Operation("POST", "/oauth2/token", TokenEndpoint(RULES)),)
    operations = (
        Operation("GET", _METADATA, _metadata),
        Operation("GET", "/{dc}/3.0", _root),
        Operation("GET", "/{dc}/3.0/ping", _ping),
    )
    forms = ErrorForms(
        unauthorized=lambda _: failure(
            401, "API Key Invalid", "Your API key may be invalid, or of the wrong datacenter."
        ),
        rate_limited=lambda _: failure(
            429, "Too Many Requests", "You have exceeded the limit of simultaneous connections."
        ),
        server_error=lambda: failure(500, "Internal Server Error", "An unexpected error occurred."),
        unknown_path=lambda _: failure(
            404, "Resource Not Found", "The requested resource could not be found."
        ),
    )

    def bearer(self, request: ApiRequest) -> str | None:
        """The metadata call alone wants a scheme of its own."""
        return request.authorization("oauth") if request.path == _METADATA else request.bearer

    def key_account(self, request: ApiRequest) -> str | None:
        if request.path == _METADATA:
            return None
        way = (self.name, "api_key", request)
        return basic_key(*way) or bearer_key(*way)

    def headers(self, request: ApiRequest, account: str | None) -> dict[str, str]:
        return {"X-Request-Id": str(uuid.uuid4())}
