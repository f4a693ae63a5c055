"""Zendesk as an emulated service: its operations, limits and scopes."""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence

from integrations_pipeline.sandbox.accounts import ACCOUNTS
from integrations_pipeline.sandbox.keys import account_with_key
from integrations_pipeline.sandbox.limits import Budget, Usage
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.service import (
    ApiRequest,
    Call,
    ConsentRules,
    Operation,
    Service,
)
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.vault import Vault
from integrations_pipeline.sandbox.zendesk import errors, incremental, jobs, lists, tokens, writes
from integrations_pipeline.sandbox.zendesk.data import ZendeskData

_ACCOUNT_BUDGET = Budget("account", 700, 60)
_EXPORT_BUDGET = Budget("incremental-exports", 10, 60)
_TICKETS_BUDGET = Budget("tickets-index", 100, 60)
_TICKET_UPDATES_BUDGET = Budget("ticket-updates", 100, 60)
_TICKET_DELETIONS_BUDGET = Budget("ticket-deletions", 400, 60)
_API = "/api/v2"
_RESOURCE = re.compile(r"/api/v2/(?:incremental/)?(\w+)")
# Metrics have no narrow scope of their own: they belong to tickets.
_SCOPE_OF = {"ticket_metrics": "tickets", "ticket_fields": "tickets"}
# Jobs have none either: whoever may begin one may ask for it.
_OPEN_TO_ALL = frozenset({"oauth", "account", "job_statuses"})
_WRITTEN = ("tickets", "users", "organizations")
_UPSERTED = ("users", "organizations")
# How often one record may be updated, and in how many seconds.
_PER_RECORD = {"tickets": (30, 600), "users": (5, 60), "organizations": (5, 60)}
_ONE = re.compile(r"/api/v2/(tickets|users|organizations)/(\d+)")


def _write(
    method: str, path: str, handler: Callable[[Call[ZendeskData]], Reply]
) -> Operation[Callable[[Call[ZendeskData]], Reply]]:
    return Operation(method, f"{_API}/{path}", handler, writes=True)


_WRITES = (
    _write("POST", "tickets", writes.created_once),
    *(_write("POST", name, writes.created(name)) for name in _UPSERTED),
    *(_write("POST", f"{name}/create_or_update", writes.upserted(name)) for name in _UPSERTED),
    _write("POST", "users/create_or_update_many", jobs.upsert_many("users")),
    *(_write("POST", f"{name}/create_many", jobs.create_many(name)) for name in _WRITTEN),
    *(_write("PUT", f"{name}/update_many", jobs.update_many(name)) for name in _WRITTEN),
    *(_write("DELETE", f"{name}/destroy_many", jobs.destroy_many(name)) for name in _WRITTEN),
    *(_write("PUT", f"{name}/{{id}}", writes.updated(name)) for name in _WRITTEN),
    *(_write("DELETE", f"{name}/{{id}}", writes.deleted(name)) for name in _WRITTEN),
)


class Zendesk(Service[ZendeskData]):
    """Zendesk Support: one account is a subdomain."""

    name = "zendesk"
    prefix = "/zendesk/{subdomain}"
    consent = ConsentRules(
        title="Zendesk",
        path="/oauth/authorizations/new",
        code_seconds=120,
        response_type_required=True,
        scopes=re.compile(r"read|write|impersonate|[a-z_]+:(read|write)"),
    )
    token_operations = (Operation("POST", "/oauth/tokens", tokens.token),)
    operations = (
        Operation("GET", f"{_API}/oauth/tokens/current", tokens.current),
        Operation("DELETE", f"{_API}/oauth/tokens/current", tokens.revoke_current, revokes=True),
        Operation("GET", f"{_API}/users/me", lists.me),
        Operation("GET", f"{_API}/account/settings", lists.settings),
        *(
            Operation("GET", f"{_API}/incremental/{name}/cursor", handler)
            for name in ("tickets", "users")
            for handler in [incremental.export_by_cursor(name)]
        ),
        Operation("GET", f"{_API}/incremental/organizations", incremental.export_organizations),
        Operation("GET", f"{_API}/ticket_fields", lists.ticket_fields),
        *(
            Operation("GET", f"{_API}/{name}", lists.listed(name))
            for name in (
                "tickets",
                "users",
                "organizations",
                "ticket_metrics",
                "satisfaction_ratings",
            )
        ),
        *(
            Operation("GET", f"{_API}/{name}/show_many", lists.many(name))
            for name in ("tickets", "users", "organizations")
        ),
        *(
            Operation("GET", f"{_API}/{name}/count", lists.counted(name))
            for name in ("tickets", "users", "organizations")
        ),
        *(
            Operation("GET", f"{_API}/{name}/search", lists.found(name))
            for name in ("users", "organizations")
        ),
        Operation("GET", f"{_API}/job_statuses/{{id}}", jobs.job_status),
        *_WRITES,
        *(
            Operation("GET", f"{_API}/{name}/{{id}}", lists.one(name))
            for name in ("tickets", "users", "organizations", "satisfaction_ratings")
        ),
    )

    def dataset(
        self, account: str, records: int, changed: Mapping[str, Sequence[Record]]
    ) -> ZendeskData:
        return ZendeskData(account, records, changed, jobs.work_on)

    def account_of(self, request: ApiRequest, vault: Vault) -> str | None:
        """The subdomain says it."""
        del vault
        return request.tenant if request.tenant in ACCOUNTS else None

    def key_account(self, request: ApiRequest) -> str | None:
        """HTTP Basic with email/token as user and the key as password."""
        user, key = request.basic or ("", "")
        return account_with_key("zendesk", "api_token", key) if user.endswith("/token") else None

    def refusal(self, request: ApiRequest) -> Reply | None:
        return None if request.tenant in ACCOUNTS else errors.no_help_center()

    def unauthorized(self, reason: str) -> Reply:
        return errors.unauthorized(reason)

    def rate_limited(self, usage: Usage) -> Reply:
        return errors.rate_limited(usage)

    def server_error(self) -> Reply:
        message = "Sorry, we could not process your request. Please try again in a moment."
        return Reply({"error": {"title": "Internal Server Error", "message": message}}, 500)

    def unknown_path(self, request: ApiRequest) -> Reply:
        del request
        return errors.plain(404, "InvalidEndpoint", "Not found")

    def budgets(self, path: str) -> Sequence[Budget]:
        if path.startswith(f"{_API}/incremental/"):
            return [_ACCOUNT_BUDGET, _EXPORT_BUDGET]
        if path == f"{_API}/tickets":
            return [_ACCOUNT_BUDGET, _TICKETS_BUDGET]
        return [_ACCOUNT_BUDGET]

    def budgets_of(self, request: ApiRequest) -> Sequence[Budget]:
        """Writes draw on the account's budget and on those of what they do."""
        one = _ONE.fullmatch(request.path)
        if request.method == "GET":
            return self.budgets(request.path)
        if one is None or request.method == "POST":
            return [_ACCOUNT_BUDGET]
        if request.method == "DELETE":
            return [_ACCOUNT_BUDGET, *[_TICKET_DELETIONS_BUDGET] * (one[1] == "tickets")]
        own = Budget(request.path, *_PER_RECORD[one[1]])
        return [_ACCOUNT_BUDGET, *[_TICKET_UPDATES_BUDGET] * (one[1] == "tickets"), own]

    def limit_headers(self, usages: Sequence[Usage]) -> dict[str, str]:
        return {n: v for usage in usages for n, v in errors.budget_headers(usage).items()}

    def headers(self, request: ApiRequest, account: str | None) -> dict[str, str]:
        del request, account
        return {"X-Request-Id": str(uuid.uuid4())}

    def check_scopes(self, call: Call[ZendeskData]) -> None:
        found = _RESOURCE.match(call.request.path)
        resource = found[1] if found else ""
        access = "read" if call.request.method == "GET" else "write"
        needed = {access, f"{_SCOPE_OF.get(resource, resource)}:{access}"}
        if resource not in _OPEN_TO_ALL and not needed & set(call.access.scopes):
            raise errors.forbidden()

    def endless(self, request: ApiRequest, body: Record) -> Record:
        url = f"{request.base}{request.path}.json?{request.query_string}"
        if "after_url" in body:
            return {**body, "end_of_stream": False}
        if "end_time" in body:
            return {**body, "end_of_stream": False, "next_page": body["next_page"] or url}
        if "meta" in body:
            links = {**body["links"], "next": body["links"]["next"] or url}
            return {**body, "meta": {**body["meta"], "has_more": True}, "links": links}
        return {**body, "next_page": body.get("next_page") or url}
