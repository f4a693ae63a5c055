"""Zendesk's lists, show_many, single records and the account's settings."""

from collections.abc import Callable, Mapping

from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.seed import DAY, iso_seconds
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.zendesk.data import shown
from integrations_pipeline.sandbox.zendesk.errors import bad_request, not_found
from integrations_pipeline.sandbox.zendesk.incremental import (
    ZendeskCall,
    side_loads_metrics,
    with_metric_set,
)
from integrations_pipeline.sandbox.zendesk.paging import in_order, page_of
from integrations_pipeline.sandbox.zendesk.records import account_number

_SHOW_MANY = 100
_ARCHIVED_AFTER = 120 * DAY
SINGULAR = {
    "tickets": "ticket",
    "users": "user",
    "organizations": "organization",
    "satisfaction_ratings": "satisfaction_rating",
}
_SEARCHED = {"users": ("external_id", "query"), "organizations": ("external_id", "name")}
_FILTERS = {"tickets": ("external_id",), "users": ("external_id",)}


def listed(resource: str) -> Callable[[ZendeskCall], Reply]:
    """The list of a resource."""

    def handler(call: ZendeskCall) -> Reply:
        rows = [row for row in in_order(call, resource) if _is_listed(call, resource, row)]
        return page_of(call, resource, rows)

    return handler


def one(resource: str) -> Callable[[ZendeskCall], Reply]:
    """A single record; a deleted user still answers, as inactive."""

    def handler(call: ZendeskCall) -> Reply:
        record = _visible(call, resource, call.params["id"])
        if record is None:
            raise not_found()
        return Reply({SINGULAR[resource]: shown(record)})

    return handler


def many(resource: str) -> Callable[[ZendeskCall], Reply]:
    """Up to 100 records by id; the missing ones are left out."""

    def handler(call: ZendeskCall) -> Reply:
        ids = [text for text in call.query.get("ids", "").split(",") if text]
        if not ids or len(ids) > _SHOW_MANY:
            raise bad_request("InvalidIds", f"ids must name 1 to {_SHOW_MANY} records")
        found = [_visible(call, resource, text) for text in dict.fromkeys(ids)]
        with_metrics = resource == "tickets" and side_loads_metrics(call)
        rows = [
            with_metric_set(call, record) if with_metrics else shown(record)
            for record in found
            if record is not None
        ]
        answer = {resource: rows, "count": len(rows), "next_page": None, "previous_page": None}
        return Reply(answer)

    return handler


def found(resource: str) -> Callable[[ZendeskCall], Reply]:
    """The search of one resource by external id, or by name or address: what is asked for."""

    def handler(call: ZendeskCall) -> Reply:
        asked = {name: call.query[name] for name in _SEARCHED[resource] if call.query.get(name)}
        if not asked:
            raise bad_request("InvalidParameter", f"Give one of {', '.join(_SEARCHED[resource])}")
        rows = call.data.live(resource)
        return page_of(call, resource, [row for row in rows if _is_match(row, asked)])

    return handler


def _is_match(row: Record, asked: Mapping[str, str]) -> bool:
    query = asked.get("query", "").removeprefix("email:").casefold()
    said = not query or query in {str(row.get(name)).casefold() for name in ("email", "name")}
    fields = {name: value for name, value in asked.items() if name != "query"}
    return said and all(
        str(row[name] or "").casefold() == value.casefold() for name, value in fields.items()
    )


def counted(resource: str) -> Callable[[ZendeskCall], Reply]:
    """How many records there are."""

    def handler(call: ZendeskCall) -> Reply:
        value = sum(call.data.is_live(resource, one) for one in call.data.tables[resource])
        return Reply({"count": {"value": value, "refreshed_at": iso_seconds(call.now)}})

    return handler


def me(call: ZendeskCall) -> Reply:
    """The user who gave the token: an admin."""
    return Reply({"user": call.data.find("users", str(call.data.admin_id))})


def settings(call: ZendeskCall) -> Reply:
    """A few of the account's settings."""
    account = call.access.account
    return Reply(
        {
            "settings": {
                "active_features": {"satisfaction_ratings": True, "user_tagging": True},
                "branding": {"header_color": "03363D", "favicon_url": None},
                "brands": {"default_brand_id": 360_000_001},
                "localization": {"locale_ids": [1]},
                "tickets": {"maximum_personal_views_to_list": 8, "tagging": True},
                "account": {"account_id": account_number(account), "subdomain": account},
            }
        }
    )


def ticket_fields(call: ZendeskCall) -> Reply:
    """The fields of tickets, all in one page."""
    rows = [shown(record) for record in call.data.tables["ticket_fields"]]
    return Reply({"ticket_fields": rows, "count": len(rows), "next_page": None})


def _visible(call: ZendeskCall, resource: str, identifier: str) -> Record | None:
    record = call.data.tables[resource].get(int(identifier)) if identifier.isdecimal() else None
    if record is None or resource in {"users", "satisfaction_ratings"}:
        return record
    return record if call.data.is_live(resource, record) else None


def _is_listed(call: ZendeskCall, resource: str, record: Record) -> bool:
    query = call.query
    if any(name in query and record[name] != query[name] for name in _FILTERS.get(resource, ())):
        return False
    match resource:
        case "satisfaction_ratings":
            return _is_rating_asked_for(query, record)
        case "tickets" | "ticket_metrics":
            return call.data.is_live(resource, record) and not _is_archived(call, resource, record)
        case "users":
            roles = [v for n, v in call.request.pairs if n in {"role", "role[]"}]
            return record["active"] and (not roles or record["role"] in roles)
        case _:
            return call.data.is_live(resource, record)


def _is_archived(call: ZendeskCall, resource: str, record: Record) -> bool:
    """Tickets closed for 120 days have left the lists; only exports and reads by id have them."""
    metrics = resource == "ticket_metrics"
    ticket = call.data.tables["tickets"][record["ticket_id"]] if metrics else record
    oldest = iso_seconds(call.now - _ARCHIVED_AFTER)
    return bool(ticket["status"] == "closed" and ticket["updated_at"] < oldest)


def _is_rating_asked_for(query: Mapping[str, str], record: Record) -> bool:
    """By score, as received_with_comment, and by the time of the last change."""
    wanted, _, comment = query.get("score", "").partition("_with")
    scores = {"": None, "received": {"good", "bad"}}.get(wanted, {wanted})
    if scores is not None and record["score"] not in scores:
        return False
    if comment and bool(record["comment"]) != (comment == "_comment"):
        return False
    after, before = query.get("start_time"), query.get("end_time")
    if not all(text is None or text.isdecimal() for text in (after, before)):
        raise bad_request("InvalidTime", "start_time and end_time are in unix seconds")
    stamp = record["updated_at"]
    return (after is None or stamp >= iso_seconds(int(after))) and (
        before is None or stamp <= iso_seconds(int(before))
    )
