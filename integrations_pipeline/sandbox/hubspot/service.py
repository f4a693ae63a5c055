"""HubSpot as an emulated service: its operations, limits and scopes."""

import re
from collections.abc import Mapping, Sequence

from integrations_pipeline.sandbox.accounts import Client, find_client
from integrations_pipeline.sandbox.hubspot import (
    batches,
    definitions,
    errors,
    objects,
    search,
    tokens,
    writes,
)
from integrations_pipeline.sandbox.hubspot.data import HubSpotData
from integrations_pipeline.sandbox.hubspot.properties import OBJECT_TYPE_IDS, TYPES
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

_ACCOUNT_BUDGET = Budget("account", 110, 10)
_SEARCH_BUDGET = Budget("search", 5, 1)
_LONGEST_QUERY = 8_000
_OBJECTS = "/crm/v3/objects/{type}"
_OBJECT = "/crm/v3/objects/{type}/{id}"
_SCOPES = re.compile(r"oauth|tickets|crm\.(export|import)|crm\.[a-z_]+(\.[a-z_]+)*\.(read|write)")


class HubSpot(Service[HubSpotData]):
    """HubSpot: one account is a portal with a number."""

    name = "hubspot"
    prefix = "/hubspot"
    consent = ConsentRules(
        title="HubSpot",
        path="/oauth/authorize",
        code_seconds=300,
        scopes=_SCOPES,
        scope_error_redirects=False,
    )
    token_operations = (
        Operation("POST", "/oauth/2026-03/token", tokens.token),
        Operation("POST", "/oauth/2026-03/token/revoke", tokens.revoke, revokes=True),
        Operation("POST", "/oauth/2026-03/token/introspect", tokens.introspect),
    )
    operations = (
        Operation("GET", _OBJECTS, objects.list_objects),
        Operation("POST", f"{_OBJECTS}/search", search.search),
        Operation("POST", f"{_OBJECTS}/batch/read", objects.batch_read),
        Operation("POST", f"{_OBJECTS}/batch/create", batches.batch_create, writes=True),
        Operation("POST", f"{_OBJECTS}/batch/update", batches.batch_update, writes=True),
        Operation("POST", f"{_OBJECTS}/batch/upsert", batches.batch_upsert, writes=True),
        Operation("POST", f"{_OBJECTS}/batch/archive", batches.batch_archive, writes=True),
        Operation("POST", _OBJECTS, writes.create_object, writes=True),
        Operation("GET", _OBJECT, objects.get_object),
        Operation("PATCH", _OBJECT, writes.update_object, writes=True),
        Operation("DELETE", _OBJECT, writes.archive_object, writes=True),
        Operation("POST", "/crm/v4/associations/{type}/{to}/batch/read", objects.read_associations),
        Operation("GET", "/crm/v3/owners", objects.list_owners),
        Operation("GET", "/crm/v3/properties/{type}", definitions.list_properties),
        Operation("POST", "/crm/v3/properties/{type}", definitions.create_property, writes=True),
        Operation("GET", "/crm/v3/properties/{type}/{name}", definitions.get_property),
        Operation("GET", "/account-info/v3/details", tokens.details),
    )

    def dataset(
        self, account: str, records: int, changed: Mapping[str, Sequence[Record]]
    ) -> HubSpotData:
        return HubSpotData(account, records, changed)

    def claimed_client(self, request: ApiRequest) -> Client | None:
        return find_client("hubspot", request.form.get("client_id"))

    def key_account(self, request: ApiRequest) -> str | None:
        return account_with_key("hubspot", "private_app", request.bearer)

    def unauthorized(self, reason: str) -> Reply:
        return errors.unauthorized(reason)

    def rate_limited(self, usage: Usage) -> Reply:
        reply = errors.rate_limited(usage)
        return Reply(reply.body, reply.status, self.limit_headers([usage]))

    def server_error(self) -> Reply:
        return errors.problem(500, "INTERNAL_ERROR", "internal error")

    def unknown_path(self, request: ApiRequest) -> Reply:
        return errors.problem(404, "NOT_FOUND", f"No resource at {request.path}")

    def refusal(self, request: ApiRequest) -> Reply | None:
        if len(request.query_string) > _LONGEST_QUERY:
            return errors.problem(414, "URI_TOO_LONG", "The request URI is too long")
        return None

    def budgets(self, path: str) -> Sequence[Budget]:
        return [_SEARCH_BUDGET] if path.endswith("/search") else [_ACCOUNT_BUDGET]

    def limit_headers(self, usages: Sequence[Usage]) -> dict[str, str]:
        """Search answers carry none."""
        usage = usages[0]
        if usage.budget is _SEARCH_BUDGET:
            return {}
        return {
            "X-HubSpot-RateLimit-Max": str(usage.budget.total),
            "X-HubSpot-RateLimit-Remaining": str(usage.remaining),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(usage.budget.seconds * 1000)),
        }

    def check_scopes(self, call: Call[HubSpotData]) -> None:
        needed = _needed_scopes(call.request)
        if needed and not needed & set(call.access.scopes):
            raise errors.missing_scopes(sorted(needed))

    def endless(self, request: ApiRequest, body: Record) -> Record:
        results = body.get("results") or [{}]
        cursor = str(results[-1].get("id", "1"))
        following = {"after": cursor, "link": f"{request.base}{request.path}?after={cursor}"}
        return {**body, "paging": body.get("paging") or {"next": following}}


def _needed_scopes(request: ApiRequest) -> set[str]:
    """Any one of them is enough."""
    if "owners" in request.path:
        return {"crm.objects.owners.read"}
    name = request.params.get("type", "")
    resource = OBJECT_TYPE_IDS.get(name, name)
    if resource not in TYPES:
        return set()
    access = "write" if _writes(request) else "read"
    needed = {f"crm.objects.{resource}.{access}"}
    if "/properties/" in request.path:
        schemas = {f"crm.schemas.{resource}.{access}"}
        needed = schemas if access == "write" else needed | schemas
    if resource == "tickets":
        needed.add("tickets")
    return needed


def _writes(request: ApiRequest) -> bool:
    """Searches and batch reads are POST requests that only read."""
    reads = request.method == "GET" or request.path.endswith(("/search", "/batch/read"))
    return not reads
