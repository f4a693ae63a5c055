"""A long listing, newest first, read in slices of time side by side."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations_pipeline.connectors.base import Listing, Resource
from integrations_pipeline.connectors.columns import Column, ColumnType
from integrations_pipeline.connectors.narrowing import Span
from integrations_pipeline.connectors.paging import Position, dig
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.sync.abreast import abreast
from integrations_pipeline.sync.filters import typed
from integrations_pipeline.sync.slices import Slice, Slices
from integrations_pipeline.sync.walking import Walked, walk
from integrations_pipeline.transport.client import ServiceClient

SLICE_PAGES = 10
PLAIN_PAGES = 5
"""Lists that are not longer are read one page after the other."""


def pages_of(
    client: ServiceClient,
    resource: Resource,
    listing: Listing,
    *,
    start: Position | None,
    params: Mapping[str, Any],
    max_pages: int,
    workers: int,
) -> Iterator[Walked]:
    """The pages of one of a resource's listings; of its own in slices, where that is declared.

    Raises:
        ServiceError: the service does not give what was asked.
    """
    span = resource.span
    own = listing is resource.listing and span is not None and span.newest_first
    if span is None or not own or not _may_slice(span, start, params, workers):
        return walk(
            client, listing, start=start, params=params, max_pages=max_pages, workers=workers
        )
    return walk_sliced(
        client, listing, span, start=start, params=params, max_pages=max_pages, workers=workers
    )


def _may_slice(span: Span, start: Position | None, params: Mapping[str, Any], workers: int) -> bool:
    """Unless filters bound it already, and if several requests may be under way."""
    bounded = {span.since_param, span.until_param} & params.keys()
    return bool(start and "slices" in start) or (workers > 1 and not bounded)


def walk_sliced(
    client: ServiceClient,
    listing: Listing,
    span: Span,
    *,
    start: Position | None,
    params: Mapping[str, Any],
    max_pages: int,
    workers: int,
) -> Iterator[Walked]:
    """The pages of a listing: some in order, then those of slices of time as they come.

    A record's slice is that of its creation, which never changes: each is met whatever the order.
    Positions name the slices that are not read to their end.

    Raises:
        ServiceError: the service does not give what was asked.
    """
    slices = _slices_of(start, span)
    left = max_pages
    if slices is None:
        order = _Order(span)
        for page in walk(client, listing, start=start, params=params, max_pages=max_pages):
            left -= 1
            yield page
            order.see(page.rows)
            if max_pages - left >= PLAIN_PAGES and order.holds and len(page.rows) >= span.page_size:
                slices = _cut([(0, order.oldest + 1)], order.newest - order.oldest, span)
                break
    if slices is not None:
        yield from _sliced(client, listing, span, slices, params, left, workers)


class _Order:
    """Whether the rows met so far are stamped, and newest first, as it is declared."""

    def __init__(self, span: Span) -> None:
        self.holds = True
        self.newest = self.oldest = 0
        self._at = span.stamp
        self._stamp = Column(
            "stamp", ColumnType.TIMESTAMP, span.stamp, time_format=span.stamp_format
        )

    def see(self, rows: list[Any]) -> None:
        """Look at the next rows."""
        for row in rows if self.holds else ():
            moment = typed(self._stamp, dig(row, self._at))
            seconds = -1 if moment is None else int(moment.timestamp())
            self.newest = self.newest or seconds
            self.holds = 0 < seconds <= (self.oldest or seconds)
            self.oldest = seconds


def _sliced(
    client: ServiceClient,
    listing: Listing,
    span: Span,
    slices: Slices,
    params: Mapping[str, Any],
    max_pages: int,
    workers: int,
) -> Iterator[Walked]:
    def walks() -> Iterator[tuple[Slice, Iterator[Walked]]]:
        while (one := slices.take()) is not None:
            bounds = {span.since_param: str(one.since), span.until_param: str(one.until)}
            yield one, walk(client, listing, params={**params, **bounds}, max_pages=max_pages)

    records: dict[Slice, int] = {}
    for one, page in abreast(walks(), workers):
        if page is None:
            slices.done(one, records.pop(one, 0))
            continue
        records[one] = records.get(one, 0) + len(page.rows)
        max_pages -= 1
        if max_pages <= 0:
            raise AnswerError(f"{listing.path}: the pages do not end.")
        position = {"slices": slices.left, "width": slices.width}
        yield Walked(page.rows, position)


def _slices_of(position: Position | None, span: Span) -> Slices | None:
    if not position or "slices" not in position:
        return None
    return _cut(position["slices"], int(position["width"]), span)


def _cut(left: Sequence[Sequence[int]], width: int, span: Span) -> Slices:
    return Slices(left, records=SLICE_PAGES * span.page_size, width=max(width, 1))
