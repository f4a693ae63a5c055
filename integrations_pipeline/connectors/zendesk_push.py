"""How Zendesk's records are written: by the hundred, in background jobs."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from integrations_pipeline.connectors.base import Listing
from integrations_pipeline.connectors.paging import CursorPages
from integrations_pipeline.connectors.pushing import (
    BackgroundJob,
    Find,
    IndexedResults,
    Made,
    Outgoing,
    Push,
    Write,
)

API = "/api/v2"
JOB_BEGINS = timedelta(minutes=5)
"""A background job whose announcement got lost has begun by then."""
JOB = BackgroundJob(
    id_at="job_status.id",
    path=f"{API}/job_statuses/{{id}}",
    status_at="job_status.status",
    done=frozenset({"completed"}),
    failed=frozenset({"failed", "killed"}),
    reason_at="job_status.message",
)


def many(name: str) -> Callable[[Sequence[Outgoing]], Mapping[str, Any]]:
    """The body of a bulk write: each record with its id, or with ours."""

    def body(sent: Sequence[Outgoing]) -> Mapping[str, Any]:
        return {name: [{**_known_by(one), **one.fields} for one in sent]}

    return body


def _known_by(one: Outgoing) -> dict[str, Any]:
    if one.record_id:
        return {"id": int(one.record_id) if one.record_id.isdecimal() else one.record_id}
    return {one.external_field: one.external_id} if one.external_id else {}


def push(
    name: str, *, found_at: str, upserts: bool = False, events: str = "", made: Made | None = None
) -> Push:
    """Bulk writes, which Zendesk carries out in the background.

    A reply that got lost leaves a job behind that may still begin: only after some minutes does
    the absence of a record mean that there was none.
    """
    results = IndexedResults("job_status.results")

    def bulk(method: str, action: str, *, ids: bool = False) -> Write:
        return Write(
            method=method,
            path=f"{API}/{name}/{action}",
            batch=100,
            body=None if ids else many(name),
            ids_param="ids" if ids else "",
            answers=results,
            job=JOB,
        )

    return Push(
        create=bulk("POST", "create_many"),
        update=bulk("PUT", "update_many"),
        upsert=bulk("POST", "create_or_update_many") if upserts else None,
        delete=bulk("DELETE", "destroy_many", ids=True),
        read_only=frozenset({"url", "created_at", "updated_at", "generated_timestamp", "via"}),
        write_only=frozenset(events.split()),
        external_field="external_id",
        marks_created=True,
        by_external=Find(
            path=found_at,
            ids_param="external_id",
            records_at=name,
            settles=JOB_BEGINS,
        ),
        made=made,
        born_at="created_at",
    )


# A query by external id counts as a listing, of which there are 100 a minute.
NEWEST_TICKETS = Made(
    way=Listing(
        path=f"{API}/tickets",
        records_at="tickets",
        paginator=CursorPages("page[after]", "meta.after_cursor", more_at="meta.has_more"),
        params={"page[size]": "100", "sort": "-id"},
    ),
    newest_first="created_at",
    settles=JOB_BEGINS,
)
