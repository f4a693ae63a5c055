"""The order and the pages of Zendesk's lists: by cursor, or by offset to a limited depth."""

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import orjson

from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.zendesk.data import shown
from integrations_pipeline.sandbox.zendesk.errors import bad_cursor, bad_request
from integrations_pipeline.sandbox.zendesk.incremental import ZendeskCall

_PAGE = 100
_OFFSET_PAGES = 100
_SORTS = {"tickets": ("id", "created_at", "updated_at"), "ticket_metrics": ("id",)}


def in_order(call: ZendeskCall, resource: str) -> list[Record]:
    """All records in the order asked for; ticket metrics are newest first."""
    name, descending = _sort(call, resource)
    rows = call.data.tables[resource].ordered(f"list by {name}", _order_by(name))
    return rows[::-1] if descending else rows


def page_of(call: ZendeskCall, resource: str, rows: list[Record]) -> Reply:
    """The page asked for: by cursor if page[size] or the like is sent, else by offset."""
    if any(name.startswith("page[") for name in call.query):
        return _cursor_page(call, resource, rows)
    return _offset_page(call, resource, rows)


def _sort(call: ZendeskCall, resource: str) -> tuple[str, bool]:
    """The field to sort by and whether downwards."""
    text = call.query.get("sort", "-id" if resource == "ticket_metrics" else "id")
    name = text.removeprefix("-")
    if name not in _SORTS.get(resource, ("id",)):
        raise bad_request("InvalidSort", f"sort is not valid: {text}")
    return name, text.startswith("-")


def _order_by(name: str) -> Callable[[Record], tuple[Any, int]]:
    return lambda record: (record[name], record["id"])


def _cursor_page(call: ZendeskCall, resource: str, rows: list[Record]) -> Reply:
    size = call.query.get("page[size]", str(_PAGE))
    if not size.isdecimal() or not 1 <= int(size) <= _PAGE:
        raise bad_request("InvalidPaginationParameter", f"page[size] must be 1 to {_PAGE}")
    start, end = _bounds(call, resource, rows, int(size))
    page = rows[start:end]
    name, _ = _sort(call, resource)
    cursors = [_encoded(_order_by(name)(row)) for row in (page[0], page[-1])] if page else []
    before, after = cursors or (None, None)
    has_more = start > 0 if "page[before]" in call.query else end < len(rows)
    return Reply(
        {
            resource: [shown(row) for row in page],
            "meta": {"has_more": has_more, "after_cursor": after, "before_cursor": before},
            "links": {
                "prev": _link(call, "page[before]", before) if start > 0 else None,
                "next": _link(call, "page[after]", after) if end < len(rows) else None,
            },
        }
    )


def _bounds(call: ZendeskCall, resource: str, rows: list[Record], size: int) -> tuple[int, int]:
    """The page among the rows; cursors hold the last row's place in the order, not a number."""
    name, descending = _sort(call, resource)
    key = _order_by(name)
    ascending = rows[::-1] if descending else rows
    after, before = call.query.get("page[after]"), call.query.get("page[before]")
    if after:
        if descending:
            start = len(rows) - bisect_left(ascending, _decoded(after), key=key)
        else:
            start = bisect_right(rows, _decoded(after), key=key)
        return start, min(start + size, len(rows))
    if before:
        if descending:
            end = len(rows) - bisect_right(ascending, _decoded(before), key=key)
        else:
            end = bisect_left(rows, _decoded(before), key=key)
        return max(0, end - size), end
    return 0, min(size, len(rows))


def _encoded(position: tuple[Any, int]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps({"o": position})).decode().rstrip("=")


def _decoded(cursor: str) -> tuple[Any, int]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        value, identifier = orjson.loads(base64.urlsafe_b64decode(padded))["o"]
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise bad_cursor() from error
    return value, identifier


def _link(call: ZendeskCall, name: str, cursor: str | None) -> str:
    kept = {n: v for n, v in call.request.pairs if n not in {"page[after]", "page[before]"}}
    return _url(call, {**kept, name: str(cursor)})


def _offset_page(call: ZendeskCall, resource: str, rows: list[Record]) -> Reply:
    number, size = call.query.get("page", "1"), call.query.get("per_page", str(_PAGE))
    if not number.isdecimal() or not size.isdecimal() or int(number) < 1 or int(size) < 1:
        raise bad_request("InvalidPaginationParameter", "page and per_page are positive numbers")
    page, per_page = int(number), min(int(size), _PAGE)
    if page > _OFFSET_PAGES:
        raise bad_request("InvalidPaginationDepth", "Pagination limit reached: use cursor paging")
    end = page * per_page
    following = _url(call, {**call.query, "page": str(page + 1)}) if end < len(rows) else None
    previous = _url(call, {**call.query, "page": str(page - 1)}) if page > 1 else None
    return Reply(
        {
            resource: [shown(row) for row in rows[end - per_page : end]],
            "next_page": following,
            "previous_page": previous,
            "count": len(rows),
        }
    )


def _url(call: ZendeskCall, query: Mapping[str, str]) -> str:
    return f"{call.request.base}{call.request.path}.json?{urlencode(query)}"
