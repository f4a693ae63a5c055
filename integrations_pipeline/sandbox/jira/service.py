"""Jira Cloud as an emulated service: one consent reaches all sites of an account."""

import re

from integrations_pipeline.sandbox.accounts import guid
from integrations_pipeline.sandbox.connected import (
    DatalessService,
    ErrorForms,
    OwnCall,
    basic_key,
)
from integrations_pipeline.sandbox.grants import TokenEndpoint, TokenRules, problem
from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.service import ApiRequest, ConsentRules, Operation
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.vault import Rotation

# Of the two accounts one has two sites, so that somebody must choose.
_SITES = {"acme": ("acme", "acme-lab"), "globex": ("globex",)}
_READS_USERS = frozenset({"read:jira-user", "read:jira-work"})

RULES = TokenRules(
    service="jira",
    prefixes=("eyJraWQi", "eyJjdHki"),
    body="json",
    client_auth=("body",),
    refresh_seconds=90 * 86_400,
    rotation=lambda config, *_: Rotation(
        grace_seconds=config.jira_grace_seconds, reuse_ends_grant=True
    ),
    refusals={
        "body": problem(400, "invalid_request", "The body must be application/json"),
        "code": problem(403, "invalid_grant", "Invalid authorization code"),
        "redirect": problem(403, "invalid_grant", "The redirect_uri is not that of the code"),
        "refresh": problem(403, "unauthorized_client", "refresh_token is invalid"),
    },
)


def cloud_id(site: str) -> str:
    """The id of a site, which stands in the paths of its API."""
    return guid("jira site", site)


def failure(status: int, message: str) -> Reply:
    """Jira's own form of errors."""
    return Reply({"errorMessages": [message], "errors": {}, "status": status}, status)


def gateway(status: int, message: str) -> Reply:
    """The form of errors of the gateway before Jira."""
    return Reply({"code": status, "message": message}, status)


def _accessible(call: OwnCall) -> Reply:
    scopes = [scope for scope in call.access.scopes if scope != "offline_access"]
    return Reply([_site(name, scopes) for name in _SITES[call.access.account]])


def _site(name: str, scopes: list[str]) -> Record:
    return {
        "id": cloud_id(name),
        "url": f"https://{name}.atlassian.net",
        "name": name,
        "scopes": scopes,
        "avatarUrl": f"https://{name}.atlassian.net/avatar.png",
    }


def _myself(call: OwnCall) -> Reply:
    account, asked = call.access.account, call.params["site"]
    sites = _SITES[account]
    hosts = {f"{name}.atlassian.net" for name in sites}
    if asked not in hosts | {cloud_id(name) for name in sites}:
        raise ApiError(gateway(404, "No site has this id."))
    if asked in hosts and not call.access.by_key:
        raise ApiError(gateway(401, "Unauthorized"))
    user = f"712020:{guid(account, 'atlassian user')}"
    return Reply(
        {
            "self": f"{call.request.base}/ex/jira/{asked}/rest/api/3/user?accountId={user}",
            "accountId": user,
            "accountType": "atlassian",
            "emailAddress": f"admin@{account}.example",
            "displayName": f"{account.capitalize()} Admin",
            "active": True,
            "timeZone": "Europe/Oslo",
            "locale": "en_US",
        }
    )


class Jira(DatalessService):
    """Atlassian's auth host, its API gateway, and the sites that API tokens go to."""

    name = "jira"
    prefix = "/jira"
    rules = RULES
    consent = ConsentRules(
        title="Jira",
        path="/authorize",
        code_seconds=300,
        pkce=False,
        response_type_required=True,
        scopes=re.compile(r"(read|write|manage|delete):[\w.-]+(:[\w-]+)?|offline_access"),
        required={"audience": "api.atlassian.com", "prompt": "consent", "state": None},
        offline_scopes=frozenset({"offline_access"}),
    )
    token_operations = (Operation("POST", "/oauth/token", TokenEndpoint(RULES)),)
    operations = (
        Operation("GET", "/oauth/token/accessible-resources", _accessible),
        Operation("GET", "/ex/jira/{site}/rest/api/3/myself", _myself),
        Operation("GET", "/{site}/rest/api/3/myself", _myself),
    )
    forms = ErrorForms(
        unauthorized=lambda _: gateway(401, "Unauthorized"),
        rate_limited=lambda usage: Reply(
            {"errorMessages": ["Rate limit exceeded."], "errors": {}},
            429,
            {"Retry-After": str(usage.wait_seconds)},
        ),
        server_error=lambda: failure(500, "Internal server error"),
        unknown_path=lambda _: failure(404, "Not found"),
    )

    def key_account(self, request: ApiRequest) -> str | None:
        return basic_key(self.name, "api_token", request)

    def check_scopes(self, call: OwnCall) -> None:
        if "/rest/" in call.request.path and not _READS_USERS & set(call.access.scopes):
            raise ApiError(gateway(401, "Unauthorized; scope does not match"))
