"""The incremental exports: by cursor for tickets and users, by time for organizations."""

import base64
import binascii
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from urllib.parse import urlencode

from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.service import Call
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.zendesk.data import ZendeskData, export_order, shown
from integrations_pipeline.sandbox.zendesk.errors import bad_cursor, bad_request

ZendeskCall = Call[ZendeskData]

_PER_PAGE = 1000
_CURSOR = re.compile(r"(\d+(?:\.\d+)?)\|\|(\d+)")


def export_by_cursor(resource: str) -> Callable[[ZendeskCall], Reply]:
    """An export that goes on from a cursor, which stays good after the end of the stream."""

    def handler(call: ZendeskCall) -> Reply:
        per_page = _page_size(call)
        rows = _released(call, resource)
        position = _position(call)
        start = bisect_right(rows, position, key=export_order)
        page = rows[start : start + per_page]
        cursor = _encoded(export_order(page[-1]) if page else position)
        return Reply(
            {
                resource: [_side_loaded(call, row) for row in page if _wanted(call, row)],
                "after_url": _next_url(call, cursor=cursor),
                "after_cursor": cursor,
                "before_url": None,
                "before_cursor": None,
                "end_of_stream": start + per_page >= len(rows),
            }
        )

    return handler


def export_organizations(call: ZendeskCall) -> Reply:
    """An export by time: pages begin with the second that the last one ended in."""
    per_page = _page_size(call)
    rows = _released(call, "organizations")
    start = bisect_left(rows, (float(_start_time(call)), 0), key=export_order)
    page = rows[start : start + per_page]
    end_time = int(export_order(page[-1])[0]) if page else None
    return Reply(
        {
            "organizations": [shown(row) for row in page],
            "count": len(page),
            "end_time": end_time,
            "next_page": _next_url(call, start_time=end_time) if end_time else None,
            "end_of_stream": start + per_page >= len(rows),
        }
    )


def side_loads_metrics(call: ZendeskCall) -> bool:
    """Whether the call asks for metric sets inside its tickets."""
    return "metric_sets" in call.query.get("include", "").split(",")


def with_metric_set(call: ZendeskCall, ticket: Record) -> Record:
    """The ticket with its metrics inside."""
    metric = call.data.metric_set(ticket)
    return {**shown(ticket), "metric_set": shown(metric) if metric else None}


def _side_loaded(call: ZendeskCall, record: Record) -> Record:
    is_ticket = "generated_timestamp" in record
    if is_ticket and side_loads_metrics(call):
        return with_metric_set(call, record)
    return shown(record)


def _wanted(call: ZendeskCall, record: Record) -> bool:
    hides_deleted = call.query.get("exclude_deleted") == "true"
    return not (hides_deleted and record.get("status") == "deleted")


def _released(call: ZendeskCall, resource: str) -> list[Record]:
    """The rows without those of the span that the exports hold back."""
    rows = call.data.exported(resource)
    until = call.now - call.config.zendesk_held_back_seconds
    return rows[: bisect_right(rows, until, key=lambda row: export_order(row)[0])]


def _page_size(call: ZendeskCall) -> int:
    text = call.query.get("per_page", str(_PER_PAGE))
    if not text.isdecimal() or not 1 <= int(text) <= _PER_PAGE:
        raise bad_request("InvalidPerPage", f"per_page must be between 1 and {_PER_PAGE}")
    return int(text)


def _position(call: ZendeskCall) -> tuple[float, int]:
    """Where the page begins: after the cursor, or at the start time."""
    if "cursor" not in call.query:
        return float(_start_time(call)), 0
    try:
        text = base64.b64decode(call.query["cursor"], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise bad_cursor() from error
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise bad_cursor()
    return float(found[1]), int(found[2])


def _start_time(call: ZendeskCall) -> int:
    text = call.query.get("start_time", "")
    if not text.isdecimal():
        raise bad_request("InvalidStartTime", "start_time must be given in unix seconds")
    if int(text) > call.now - call.config.zendesk_held_back_seconds:
        raise bad_request("StartTimeTooRecent", "start_time must be more than 1 minute ago")
    return int(text)


def _encoded(position: tuple[float, int]) -> str:
    return base64.b64encode(f"{position[0]}||{position[1]}".encode()).decode()


def _next_url(call: ZendeskCall, **where: object) -> str:
    kept = {n: v for n, v in call.query.items() if n not in {"cursor", "start_time"}}
    return f"{call.request.base}{call.request.path}.json?{urlencode({**kept, **where})}"
