"""Backfills: the records of a range of days, in chunks of days of which several are read at once.

What is not yet done is saved with the rows that were: a backfill that stopped goes on when the
same range is asked for again. What it does not meet is not taken for deleted.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

from integrations_pipeline.connectors.base import Resource, SearchChanges, SearchPage
from integrations_pipeline.connectors.columns import Column, ColumnType
from integrations_pipeline.connectors.narrowing import Span
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import RequestError, StaleCursorError
from integrations_pipeline.sync.abreast import abreast
from integrations_pipeline.sync.asking import field_params, filter_params, searchable
from integrations_pipeline.sync.batches import Batch, Wanted, millis
from integrations_pipeline.sync.completing import Completer
from integrations_pipeline.sync.filters import typed
from integrations_pipeline.sync.parts import Part
from integrations_pipeline.sync.records import Change, Reader
from integrations_pipeline.sync.slices import DAY, Slice, Slices
from integrations_pipeline.sync.walking import Walked, search, walk
from integrations_pipeline.transport.account import Priority
from integrations_pipeline.transport.client import ServiceClient

CHUNK_RECORDS = 5000
"""Days are grouped so that a chunk has about so many records."""
FIRST_DAYS = 7
MOST_DAYS = 366


class SpanRequests:
    """Asks for the records of a span of time, in each of the ways that services have."""

    def __init__(
        self, client: ServiceClient, resource: Resource, wanted: Wanted, max_pages: int
    ) -> None:
        if resource.span is None:
            raise RequestError(f"{resource.name} can't be read by a range of days.")
        self.span: Span = resource.span
        self.completer = Completer(client, resource, linked=wanted.linked, max_pages=max_pages)
        self._client = client
        self._resource = resource
        self._wanted = wanted
        self._max_pages = max_pages
        self._stamp = Column(
            "stamp", ColumnType.TIMESTAMP, self.span.stamp, time_format=self.span.stamp_format
        )

    @property
    def is_export(self) -> bool:
        """Whether it is an export, whose pages come in the order of the stamp."""
        return not (self.span.since_param or self.span.field)

    def pages(self, span: Slice) -> Iterator[Walked]:
        """The pages of some days."""
        for page in self._search(span) if self.span.field else self._list(span):
            yield replace(page, rows=self.within(page.rows, span))

    def export(self, span: Slice, position: dict[str, Any] | None) -> Iterator[Walked]:
        """The pages of an export from a position, or from the first day, to its end."""
        return walk(
            self._client,
            self._resource.listing,
            start=position or {"time": int(span.start.timestamp())},
            params=self._params(),
            max_pages=self._max_pages,
        )

    def first_search(self, span: Slice, page_size: int) -> SearchPage:
        """The first page of a search for some days."""
        declared = self._resource.changes
        if not isinstance(declared, SearchChanges):
            raise RequestError(f"{self._resource.name} can't be searched.")
        return SearchPage(
            search=replace(declared, stamp=self.span.field, page_size=page_size),
            since_ms=millis(span.start),
            until_ms=millis(span.end) - 1,
            after_id=None,
            filters=searchable(self._resource, self._wanted),
            fields=self._wanted.fields,
        )

    def within(self, rows: list[Any], span: Slice) -> list[Any]:
        """The rows whose stamp belongs to the days, or that have none."""
        stamps = [self.stamp(row) for row in rows]
        return [
            row
            for row, stamp in zip(rows, stamps, strict=True)
            if stamp is None or span.start <= stamp < span.end
        ]

    def stamp(self, row: Any) -> datetime | None:
        """The row's time, if it tells one."""
        if not self.span.stamp:
            return None
        stamp: datetime | None = typed(self._stamp, dig(row, self.span.stamp))
        return stamp

    def _search(self, span: Slice) -> Iterator[Walked]:
        first = self.first_search(span, self.span.page_size)
        for page in search(self._client, first, self._max_pages):
            self.completer.complete(page.rows)
            yield page

    def _list(self, span: Slice) -> Iterator[Walked]:
        bounds = {self.span.since_param: str(int(span.start.timestamp()))}
        if self.span.until_param:
            bounds[self.span.until_param] = str(int(span.end.timestamp()))
        asked = {**self._params(), **bounds}
        listing = self._resource.listing
        for page in walk(self._client, listing, params=asked, max_pages=self._max_pages):
            self.completer.complete(page.rows, shown=bool(self.completer.params))
            yield page

    def _params(self) -> dict[str, str]:
        return {
            **field_params(self._resource, self._wanted.fields),
            **filter_params(self._resource, self._wanted.terms),
            **self.completer.params,
        }


class Backfill:
    """One backfill of one resource."""

    def __init__(
        self,
        requests: SpanRequests,
        reader: Reader,
        whole: Slice,
        *,
        progress: dict[str, Any] | None,
        note: Callable[[str, str], None],
        record_at: str,
        workers: int,
    ) -> None:
        self._requests = requests
        self._reader = reader
        self._whole = whole
        self._note = note
        self._record_at = record_at
        self._workers = workers
        self._position = (progress or {}).get("position")
        left = (progress or {}).get("left") or [whole.told()]
        self._slices = Slices(
            left,
            records=CHUNK_RECORDS,
            width=FIRST_DAYS * DAY,
            unit=DAY,
            longest=MOST_DAYS * DAY,
        )
        if progress:
            note("INFO", "Going on with a backfill of the same range that had stopped.")

    def batches(self) -> Iterator[Batch]:
        """The batches; each says what is still to be done once it is loaded."""
        yield from self._exported() if self._requests.is_export else self._in_chunks()

    # An export takes its requests from a small budget, and goes on from any page: no chunks.

    def _exported(self) -> Iterator[Batch]:
        try:
            yield from self._export_from(self._position)
        except StaleCursorError as error:
            self._note("WARNING", f"Reading the range from its start again: {error}")
            yield from self._export_from(None)

    def _export_from(self, position: dict[str, Any] | None) -> Iterator[Batch]:
        for page in self._requests.export(self._whole, position):
            if page.warning:
                self._note("WARNING", page.warning)
            stamps = [stamp for row in page.rows if (stamp := self._requests.stamp(row))]
            rows = self._requests.within(page.rows, self._whole)
            yield Batch(changes=self._changes(rows), progress={"position": page.position})
            if stamps and stamps[-1] >= self._whole.end:
                break
        yield Batch(pages=0, progress=None)

    def _in_chunks(self) -> Iterator[Batch]:
        records: dict[Slice, int] = {}
        for chunk, page in abreast(self._chunks(), self._workers):
            if page is not None:
                records[chunk] = records.get(chunk, 0) + len(page.rows)
                yield Batch(changes=self._changes(page.rows), progress=self._to_do())
                continue
            self._slices.done(chunk, records.pop(chunk, 0))
            yield Batch(pages=0, progress=self._to_do())

    def _chunks(self) -> Iterator[tuple[Slice, Iterator[Walked]]]:
        while (chunk := self._slices.take()) is not None:
            yield chunk, self._requests.pages(chunk)

    def _to_do(self) -> dict[str, Any] | None:
        """What is left once all that was handed on is loaded."""
        left = self._slices.left
        return {"left": left} if left else None

    def _changes(self, rows: list[Any]) -> list[Change]:
        return self._reader.changes(rows, self._record_at)


def days(since: date, until: date) -> Slice:
    """The days from the first one to the day before `until`, in UTC."""
    moments = (datetime.combine(day, time(), UTC) for day in (since, until))
    return Slice(*(int(moment.timestamp()) for moment in moments))


def backfill_of(part: Part, wanted: Wanted, progress: dict[str, Any] | None) -> Backfill:
    """The backfill that a job asks for; its requests wait behind those of all other syncs."""
    request, settings = part.request, part.store.settings
    if request.since is None or request.until is None:
        raise RequestError(f"{part.ref.key}: a backfill needs a range of days.")
    part.client.priority = Priority.BULK
    return Backfill(
        SpanRequests(part.client, part.resource, wanted, settings.max_pages),
        Reader(
            part.resource, wanted.fields, wanted.terms, watch=wanted.watch, mapper=wanted.mapper
        ),
        days(request.since, request.until),
        progress=progress,
        note=part.note,
        record_at=part.resource.listing.record_at,
        workers=settings.page_workers,
    )
