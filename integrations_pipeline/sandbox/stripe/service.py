"""Stripe as an emulated service: its operations, limits and headers."""

import secrets
from collections.abc import Mapping, Sequence

from integrations_pipeline.sandbox.accounts import Client, client_with_secret
from integrations_pipeline.sandbox.keys import account_with_key
from integrations_pipeline.sandbox.limits import Budget, Usage
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.service import ApiRequest, ConsentRules, Operation, Service
from integrations_pipeline.sandbox.stripe import errors, lists, search, tokens, writes
from integrations_pipeline.sandbox.stripe.data import StripeData
from integrations_pipeline.sandbox.stripe.listings import LISTINGS
from integrations_pipeline.sandbox.stripe.repeats import IDEMPOTENCY_HEADER
from integrations_pipeline.sandbox.stripe.versions import default_version, is_version
from integrations_pipeline.sandbox.stripe.writables import WRITABLES
from integrations_pipeline.sandbox.tables import Record

_TEST_MODE_BUDGET = Budget("account", 25, 1)
_SEARCH_BUDGET = Budget("search", 20, 1)


class Stripe(Service[StripeData]):
    """Stripe in test mode, reached by the OAuth of Stripe Apps."""

    name = "stripe"
    prefix = "/stripe"
    consent = ConsentRules(
        title="Stripe", path="/oauth/v2/authorize", code_seconds=300, code_prefix="ac_", pkce=False
    )
    token_operations = (Operation("POST", "/v1/oauth/token", tokens.token),)
    operations = (
        Operation("GET", "/v1/account", lists.get_account),
        Operation("GET", "/v1/events", lists.list_events),
        Operation("GET", "/v1/events/{id}", lists.retrieved(lists.EVENTS)),
        Operation("GET", "/v1/invoices/{id}/lines", lists.invoice_lines),
        Operation("GET", "/v1/subscription_items", lists.subscription_items),
        *(Operation("GET", f"/v1/{name}/search", search.searched(name)) for name in search.FIELDS),
        *(
            Operation("POST", f"/v1/{one.resource}", writes.created(one), writes=True)
            for one in WRITABLES
            if one.create
        ),
        *(
            Operation("POST", f"/v1/{one.resource}/{{id}}", writes.updated(one), writes=True)
            for one in WRITABLES
        ),
        *(
            Operation("DELETE", f"/v1/{one.resource}/{{id}}", writes.deleted(one), writes=True)
            for one in WRITABLES
            if one.deletable
        ),
        *(Operation("GET", f"/v1/{one.resource}", lists.listed(one)) for one in LISTINGS),
        *(Operation("GET", f"/v1/{one.resource}/{{id}}", lists.retrieved(one)) for one in LISTINGS),
    )

    def dataset(
        self, account: str, records: int, changed: Mapping[str, Sequence[Record]]
    ) -> StripeData:
        return StripeData(account, records, changed)

    def bearer(self, request: ApiRequest) -> str | None:
        return request.bearer or tokens.basic_user(request)

    def key_account(self, request: ApiRequest) -> str | None:
        return account_with_key("stripe", "api_key", self.bearer(request))

    def claimed_client(self, request: ApiRequest) -> Client | None:
        return client_with_secret("stripe", tokens.basic_user(request))

    def unauthorized(self, reason: str) -> Reply:
        return errors.unauthorized(reason)

    def rate_limited(self, usage: Usage) -> Reply:
        del usage
        message = "Request rate limit exceeded. Learn more at https://stripe.com/docs/rate-limits."
        reply = errors.problem(429, message, code="rate_limit")
        return Reply(reply.body, reply.status, {"Stripe-Rate-Limited-Reason": "global-rate"})

    def server_error(self) -> Reply:
        message = "Sorry! There was an error while talking to Stripe."
        return errors.problem(500, message, kind="api_error")

    def unknown_path(self, request: ApiRequest) -> Reply:
        message = f"Unrecognized request URL ({request.method}: {request.path})."
        return errors.problem(404, message)

    def refusal(self, request: ApiRequest) -> Reply | None:
        asked = request.headers.get("stripe-version")
        if asked and not is_version(asked):
            return errors.problem(400, f"Invalid Stripe API version: {asked}")
        return None

    def budgets(self, path: str) -> Sequence[Budget]:
        return [_SEARCH_BUDGET] if path.endswith("/search") else [_TEST_MODE_BUDGET]

    def limit_headers(self, usages: Sequence[Usage]) -> dict[str, str]:
        """Stripe tells no budget before it is used up."""
        del usages
        return {}

    def running_key(self, request: ApiRequest) -> str | None:
        return request.headers.get(IDEMPOTENCY_HEADER) if request.method == "POST" else None

    def headers(self, request: ApiRequest, account: str | None) -> dict[str, str]:
        asked = request.headers.get("stripe-version")
        return {
            "Request-Id": f"req_{secrets.token_hex(7)}",
            "Stripe-Version": asked or default_version(account or ""),
        }

    def endless(self, request: ApiRequest, body: Record) -> Record:
        del request
        return {**body, "has_more": True}
