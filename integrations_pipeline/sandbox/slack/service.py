"""Slack as an emulated service: one account is a workspace; errors come with status 200."""

import re

from integrations_pipeline.sandbox.accounts import digest
from integrations_pipeline.sandbox.connected import (
    DatalessService,
    ErrorForms,
    OwnCall,
    bearer_key,
)
from integrations_pipeline.sandbox.grants import Issued, TokenEndpoint, TokenRules
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.service import ApiRequest, ConsentRules, Operation
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.vault import Rotation

_REASONS = {"missing": "not_authed", "invalid": "invalid_auth", "expired": "token_expired"}


def failed(error: str) -> Reply:
    """Slack's form of errors, which is no status of HTTP."""
    return Reply({"ok": False, "error": error})


def identifier(letter: str, account: str) -> str:
    """An id such as T0AB12CD34E: the letter tells of what."""
    return f"{letter}0{digest(account, 'slack', letter)[:9].upper()}"


def _answer(issued: Issued) -> Record:
    account = issued.account
    return {
        "ok": True,
        "app_id": identifier("A", account),
        "access_token": issued.access.token,
        "token_type": "bot",
        "scope": ",".join(issued.access.scopes),
        "bot_user_id": identifier("U", account),
        "refresh_token": issued.refresh_token,
        "expires_in": issued.access.seconds,
        "team": {"id": identifier("T", account), "name": account.capitalize()},
        "enterprise": None,
        "is_enterprise_install": False,
        "authed_user": {"id": identifier("W", account)},
    }


RULES = TokenRules(
    service="slack",
    prefixes=("xoxe.xoxb-1-", "xoxe-1-"),
    implied_grant="authorization_code",
    rotation=lambda *_: Rotation(),
    refusals={
        "body": failed("invalid_arguments"),
        "client": failed("invalid_client_id"),
        "secret": failed("bad_client_secret"),
        "code": failed("invalid_code"),
        "used": failed("code_already_used"),
        "redirect": failed("bad_redirect_uri"),
        "refresh": failed("invalid_refresh_token"),
        "grant": failed("invalid_grant_type"),
    },
    answer=_answer,
)


def _auth_test(call: OwnCall) -> Reply:
    account = call.access.account
    body = {
        "ok": True,
        "url": f"https://{account}.slack.com/",
        "team": account.capitalize(),
        "user": "data-sync",
        "team_id": identifier("T", account),
        "user_id": identifier("U", account),
        "bot_id": identifier("B", account),
        "is_enterprise_install": False,
    }
    return Reply(body, headers={"X-OAuth-Scopes": ",".join(call.access.scopes)})


def _revoke(call: OwnCall) -> Reply:
    asked = {**call.query, **call.request.form}
    if asked.get("test") in {"1", "true"} or call.access.by_key:
        return Reply({"ok": True, "revoked": False})
    call.vault.end_grant(call.access.family)
    return Reply({"ok": True, "revoked": True})


class Slack(DatalessService):
    """Slack's Web API for an app with token rotation."""

    name = "slack"
    prefix = "/slack"
    rules = RULES
    consent = ConsentRules(
        title="Slack",
        path="/oauth/v2/authorize",
        code_seconds=600,
        # The app is a confidential client, so it has PKCE turned off.
        pkce=False,
        scopes=re.compile(r"[a-z]+(\.[a-z]+)?:[a-z_.]+(\.[a-z]+)?"),
        scope_separator=",",
    )
    token_operations = (Operation("POST", "/api/oauth.v2.access", TokenEndpoint(RULES)),)
    operations = (
        Operation("GET", "/api/auth.test", _auth_test),
        Operation("POST", "/api/auth.test", _auth_test),
        Operation("GET", "/api/auth.revoke", _revoke, revokes=True),
        Operation("POST", "/api/auth.revoke", _revoke, revokes=True),
    )
    forms = ErrorForms(
        unauthorized=lambda reason: failed(_REASONS[reason]),
        rate_limited=lambda usage: Reply(
            {"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(usage.wait_seconds)}
        ),
        server_error=lambda: Reply({"ok": False, "error": "internal_error"}, 500),
        unknown_path=lambda _: failed("unknown_method"),
    )

    def key_account(self, request: ApiRequest) -> str | None:
        return bearer_key(self.name, "bot_token", request)
