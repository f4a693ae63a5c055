"""How Zendesk's tables are exported: by the last change, a thousand records a page."""

from collections.abc import Mapping

from integrations_pipeline.connectors.base import Listing, Lookup
from integrations_pipeline.connectors.columns import TimeFormat
from integrations_pipeline.connectors.narrowing import By, Span, Total
from integrations_pipeline.connectors.paging import CursorPages, ExportPages, TimeExportPages
from integrations_pipeline.connectors.zendesk_push import API

EXPORT_BYTES = 64 * 1024 * 1024  # a page of 1,000 tickets with long descriptions
CURSOR = CursorPages("page[after]", "meta.after_cursor", more_at="meta.has_more")
# an export goes by the last change, which is never before these
NEVER_BEFORE = ("created_at", "updated_at")


def export(name: str, *, within: str = "", params: Mapping[str, str] | None = None) -> Listing:
    """A cursor export; `within`: the place of the record in a row, where it is not all of it."""
    return Listing(
        path=f"{API}/incremental/{name}/cursor",
        records_at=name,
        record_at=within,
        paginator=ExportPages("start_time", "cursor", "after_cursor", "end_of_stream"),
        params={"per_page": "1000", **(params or {})},
        max_body_bytes=EXPORT_BYTES,
    )


def export_by_time(name: str) -> Listing:
    """An export that pages by time, and the plain list for a second that is too full for it."""
    return Listing(
        path=f"{API}/incremental/{name}",
        records_at=name,
        paginator=TimeExportPages("start_time", "end_time", "end_of_stream", 1000),
        params={"per_page": "1000"},
        max_body_bytes=EXPORT_BYTES,
        crowded=Listing(
            path=f"{API}/{name}",
            records_at=name,
            paginator=CURSOR,
            params={"page[size]": "100"},
        ),
    )


def by_ids(name: str, *, within: str = "", params: Mapping[str, str] | None = None) -> Lookup:
    """A hundred records by their ids; `within` as in `export`."""
    return Lookup(
        path=f"{API}/{name}/show_many",
        records_at=name,
        record_at=within,
        batch=100,
        ids_param="ids",
        params=params or {},
    )


def span_of(name: str, stamp: str, fmt: TimeFormat = TimeFormat.ISO) -> Span:
    """A span of an export, which begins at any time and has no end of its own."""
    return Span(
        by=By.CHANGE,
        column="source_updated_at",
        page_size=1000,
        stamp=stamp,
        stamp_format=fmt,
        total=Total(f"{API}/{name}/count", "count.value"),
    )
