"""Stripe's lists, newest first with ids as cursors, and its single objects."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from itertools import islice

from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.service import Call
from integrations_pipeline.sandbox.stripe.data import StripeData
from integrations_pipeline.sandbox.stripe.errors import invalid, missing
from integrations_pipeline.sandbox.stripe.expansion import expanded
from integrations_pipeline.sandbox.stripe.listings import Listing
from integrations_pipeline.sandbox.stripe.parameters import Parameters, page_size, parsed
from integrations_pipeline.sandbox.stripe.tokens import account_id
from integrations_pipeline.sandbox.stripe.versions import default_version, rendered
from integrations_pipeline.sandbox.tables import Record

StripeCall = Call[StripeData]

_PAGING = {"limit", "starting_after", "ending_before", "expand"}
_EVENT_TYPES = 20
_EVENTS_KEPT_SECONDS = 30 * 86_400
EVENTS = Listing("events", "event")


def listed(listing: Listing) -> Callable[[StripeCall], Reply]:
    """The list endpoint of a resource."""

    def handler(call: StripeCall) -> Reply:
        asked = parsed(call.request.pairs, listing.parameters | _PAGING)
        rows = call.data.ordered(listing.resource)[::-1]
        return _list(call, rows, asked, listing.kind, lambda row: listing.matches(row, asked))

    return handler


def retrieved(listing: Listing) -> Callable[[StripeCall], Reply]:
    """The endpoint of single objects; of the deleted ones only customers still answer."""

    def handler(call: StripeCall) -> Reply:
        asked = parsed(call.request.pairs, {"expand"})
        identifier = call.params["id"]
        record = call.data.tables[listing.resource].get(identifier)
        if record is None or (record.get("deleted") and listing.resource != "customers"):
            raise missing(listing.kind, identifier)
        shown = rendered(record, version(call))
        return Reply(expanded(call.data, shown, asked.lists.get("expand", []), version(call)))

    return handler


def list_events(call: StripeCall) -> Reply:
    """The events of the last 30 days, by type or by several types."""
    allowed = _PAGING | {"type", "types", "created", "delivery_success"}
    asked = parsed(call.request.pairs, allowed)
    types = asked.lists.get("types", [])
    if len(types) > _EVENT_TYPES or (types and "type" in asked.plain):
        raise invalid(f"Pass type, or up to {_EVENT_TYPES} types", "types", "parameter_invalid")
    wanted = types or [asked.plain.get("type", "*")]
    oldest = call.now - _EVENTS_KEPT_SECONDS

    def matches(event: Record) -> bool:
        named = any(fnmatchcase(event["type"], pattern) for pattern in wanted)
        return named and event["created"] >= oldest and EVENTS.matches(event, asked)

    return _list(call, call.data.ordered("events")[::-1], asked, "event", matches)


def invoice_lines(call: StripeCall) -> Reply:
    """All lines of an invoice, of which the invoice itself shows the first ten."""
    asked = parsed(call.request.pairs, _PAGING)
    invoice = call.data.find("invoices", call.params["id"])
    if invoice is None:
        raise missing("invoice", call.params["id"], param="invoice")
    return _list(call, invoice["lines"]["data"], asked, "line_item", bool)


def subscription_items(call: StripeCall) -> Reply:
    """All items of a subscription."""
    asked = parsed(call.request.pairs, _PAGING | {"subscription"})
    identifier = asked.plain.get("subscription")
    if not identifier:
        raise invalid("Missing required param: subscription.", "subscription", "parameter_missing")
    subscription = call.data.find("subscriptions", identifier)
    if subscription is None:
        raise missing("subscription", identifier, param="subscription")
    return _list(call, subscription["items"]["data"], asked, "item", bool)


def get_account(call: StripeCall) -> Reply:
    """The account that the token belongs to."""
    name = call.access.account
    return Reply(
        {
            "id": account_id(name),
            "object": "account",
            "business_profile": {"name": name.capitalize(), "url": f"https://{name}.example"},
            "charges_enabled": True,
            "country": "US",
            "default_currency": "usd",
            "details_submitted": True,
            "email": f"billing@{name}.example",
            "metadata": {},
            "payouts_enabled": True,
            "settings": {"dashboard": {"display_name": name.capitalize(), "timezone": "Etc/UTC"}},
            "type": "standard",
        }
    )


def version(call: StripeCall) -> str:
    """The API version the request asks for, else the account's."""
    return call.request.headers.get("stripe-version") or default_version(call.access.account)


def _list(
    call: StripeCall,
    rows: Sequence[Record],
    asked: Parameters,
    kind: str,
    matches: Callable[[Record], bool],
) -> Reply:
    page, has_more = _page(rows, asked, kind, matches)
    body = {
        "object": "list",
        "url": call.request.path,
        "has_more": has_more,
        "data": [rendered(record, version(call)) for record in page],
    }
    return Reply(expanded(call.data, body, asked.lists.get("expand", []), version(call)))


def _page(
    rows: Sequence[Record], asked: Parameters, kind: str, matches: Callable[[Record], bool]
) -> tuple[list[Record], bool]:
    limit = page_size(asked)
    after, before = asked.plain.get("starting_after"), asked.plain.get("ending_before")
    if after and before:
        raise invalid("Pass one of starting_after and ending_before", "ending_before")
    if after:
        rows = rows[_position(rows, after, kind, "starting_after") + 1 :]
    elif before:
        rows = rows[: _position(rows, before, kind, "ending_before")][::-1]
    found = list(islice(filter(matches, rows), limit + 1))
    page = found[:limit]
    return page[::-1] if before else page, len(found) > limit


def _position(rows: Sequence[Record], cursor: str, kind: str, param: str) -> int:
    for position, record in enumerate(rows):
        if record["id"] == cursor:
            return position
    raise missing(kind, cursor, status=400, param=param)
