"""A REST API of no particular vendor: plain OAuth 2.0, and keys in all the usual places."""

import re
from collections.abc import Mapping, Sequence

from integrations_pipeline.sandbox.accounts import digest
from integrations_pipeline.sandbox.connected import ConnectedService, ErrorForms
from integrations_pipeline.sandbox.custom.data import Things
from integrations_pipeline.sandbox.grants import (
    Revocation,
    TokenEndpoint,
    TokenRules,
    problem,
)
from integrations_pipeline.sandbox.keys import account_with_key
from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.service import ApiRequest, Call, ConsentRules, Operation
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.vault import Rotation

ThingsCall = Call[Things]
_LONGEST_PAGE = 100

RULES = TokenRules(
    service="custom",
    prefixes=("cat_", "crt_"),
    grants=("authorization_code", "refresh_token", "client_credentials"),
    refresh_seconds=30 * 86_400,
    rotation=lambda *_: Rotation(reuse_ends_grant=True),
    scopes_of_client=lambda call: tuple(call.request.fields.get("scope", "read").split()),
)


def _unauthorized(reason: str) -> Reply:
    """RFC 6750, section 3."""
    error = "" if reason == "missing" else ', error="invalid_token"'
    reply = problem(401, "invalid_token", f"The credential is {reason}.")
    return Reply(reply.body, 401, {"WWW-Authenticate": f'Bearer realm="custom"{error}'})


def _me(call: ThingsCall) -> Reply:
    account = call.access.account
    return Reply(
        {
            "id": digest(account, "custom account")[:12],
            "name": account.capitalize(),
            "email": f"admin@{account}.example",
        }
    )


def _list(call: ThingsCall) -> Reply:
    """`limit` and `cursor` page, `updated_since` keeps what has this stamp or a later one."""
    limit, begin = _number(call, "limit", 20), _number(call, "cursor", 0)
    since = call.query.get("updated_since", "")
    rows = [row for row in call.data.live("things") if row["updated_at"] >= since]
    end = begin + min(limit, _LONGEST_PAGE)
    more = end < len(rows)
    meta = {"next": str(end) if more else None, "has_more": more, "total": len(rows)}
    return Reply({"data": rows[begin:end], "meta": meta})


def _one(call: ThingsCall) -> Reply:
    row = call.data.find("things", call.params["id"])
    if row is None:
        raise ApiError(problem(404, "not_found", "There is no such thing."))
    return Reply(row)


def _number(call: ThingsCall, name: str, usual: int) -> int:
    text = call.query.get(name, str(usual))
    if not text.isdecimal():
        raise ApiError(problem(400, "invalid_request", f"{name} is no number."))
    return int(text)


class Custom(ConnectedService[Things]):
    """Its addresses come from an integration's own declaration, so nothing overrides them."""

    name = "custom"
    prefix = "/custom"
    rules = RULES
    consent = ConsentRules(
        title="Custom API",
        path="/oauth/authorize",
        code_seconds=60,
        response_type_required=True,
        scopes=re.compile(r"[\w.:-]+"),
    )
    token_operations = (
        Operation("POST", "/oauth/token", TokenEndpoint(RULES)),
        Operation("POST", "/oauth/revoke", Revocation(RULES, proves_client=True), revokes=True),
    )
    operations = (
        Operation("GET", "/me", _me),
        Operation("GET", "/things", _list),
        Operation("GET", "/things/{id}", _one),
    )
    forms = ErrorForms(
        unauthorized=_unauthorized,
        rate_limited=lambda usage: Reply(
            {"error": "rate_limited"}, 429, {"Retry-After": str(usage.wait_seconds)}
        ),
        server_error=lambda: problem(500, "server_error"),
        unknown_path=lambda _: problem(404, "not_found"),
    )

    def dataset(
        self, account: str, records: int, changed: Mapping[str, Sequence[Record]]
    ) -> Things:
        return Things(account, records, changed)

    def endless(self, request: ApiRequest, body: Record) -> Record:
        meta = {**body.get("meta", {}), "has_more": True}
        return {**body, "meta": {**meta, "next": meta.get("next") or "0"}}

    def key_account(self, request: ApiRequest) -> str | None:
        """A key in a header, in the query or as bearer token; or user and password."""
        key = request.headers.get("x-api-key") or request.query.get("api_key") or request.bearer
        basic = ":".join(request.basic) if request.basic else None
        return account_with_key(self.name, "api_key", key) or account_with_key(
            self.name, "basic", basic
        )
