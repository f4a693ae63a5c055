"""Walking pages to their end, and noticing where there is none."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin

import orjson
from xxhash import xxh3_128_digest

from integrations_pipeline.connectors.base import Listing, SearchChanges, SearchPage
from integrations_pipeline.connectors.open_pages import OpenPages
from integrations_pipeline.connectors.paging import Paginator, Position, TimeExportPages, dig
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.sync.abreast import Ahead
from integrations_pipeline.transport.client import ServiceClient

REPEATS = 2
SAMPLES = 10
"""Rows by which a page is known again."""
READINGS = 10
"""How often a list that does not tell whether it moved is read, at most."""


@dataclass(frozen=True, slots=True)
class Walked:
    """One page: its rows, and the position behind it."""

    rows: list[Any]
    position: Position | None
    warning: str = ""
    """What an admin should know about it."""


class Trail:
    """What a walk has met; it ends a walk that goes in circles or without end."""

    def __init__(self, max_pages: int, repeats: int = 0) -> None:
        """`repeats`: how often a page may come again, as it does after many were inserted."""
        self.left = max_pages
        """How many more pages there may be."""
        self._repeats = repeats
        self._pages: Counter[bytes] = Counter()

    def note(self, path: str, rows: list[Any], position: Position | None) -> None:
        """Count a page that another will follow.

        Raises:
            AnswerError: the page was there before, or there are too many.
        """
        self._count(path)
        for thing in (position, rows[:: max(1, len(rows) // SAMPLES)]):
            digest = xxh3_128_digest(orjson.dumps(thing))
            if thing and self._pages[digest] > self._repeats:
                raise AnswerError(f"{path}: the chain of pages runs in a circle.")
            self._pages[digest] += 1

    def trouble(self, path: str, rows: list[Any], position: Position | None) -> AnswerError | None:
        """What `note` would raise: the page itself may still be good."""
        try:
            self.note(path, rows, position)
        except AnswerError as error:
            return error
        return None

    def turn(self, path: str) -> None:
        """Count a page that sends the walk back: what was met before may come again.

        Raises:
            AnswerError: there are too many.
        """
        self._count(path)
        self._pages.clear()

    def _count(self, path: str) -> None:
        self.left -= 1
        if self.left <= 0:
            raise AnswerError(f"{path}: the pages do not end.")


def rows_of(page: Mapping[str, Any], records_at: str, path: str) -> list[Any]:
    """The rows of a page.

    Raises:
        AnswerError: there is no list at the place where it belongs.
    """
    rows = page.get(records_at)
    if not isinstance(rows, list):
        found = "nothing" if rows is None else type(rows).__name__
        raise AnswerError(f"{path}: {found} instead of a list under {records_at!r}.")
    return rows


def walk(
    client: ServiceClient,
    listing: Listing,
    *,
    start: Position | None = None,
    params: Mapping[str, Any] | None = None,
    max_pages: int,
    workers: int = 1,
) -> Iterator[Walked]:
    """The pages of a listing from `start` on, in order.

    `workers`: requests that may be under way where a page can be asked for before the one before
    it has come.

    Raises:
        ServiceError: the service does not give what was asked.
    """
    asking = _Asking(client, listing, params or {})
    if not isinstance(listing.paginator, OpenPages):
        yield from _chained(asking, start, max_pages)
        return
    walking = _OpenWalk(asking, listing.paginator, max_pages, workers)
    yield from walking.settled(start) if listing.paginator.twice else walking.pages(start)


@dataclass(frozen=True, slots=True)
class _Asking:
    """Asks for the pages of a listing."""

    client: ServiceClient
    listing: Listing
    params: Mapping[str, Any]

    def at(self, position: Position | None) -> dict[str, Any]:
        """The page at a position."""
        if position and "link" in position:
            # a link may be relative (RFC 3986, 5); the client refuses one to another host
            here = f"{self.client.base_url}{self.listing.path}"
            address = urljoin(here, position["link"])
            return self.client.get(address, {}, max_bytes=self.listing.max_body_bytes)
        return self.with_params(self.listing.paginator.params(position))

    def with_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The page that these parameters name."""
        asked = {**self.listing.params, **self.params, **params}
        return self.client.get(self.listing.path, asked, max_bytes=self.listing.max_body_bytes)

    def rows(self, page: Mapping[str, Any]) -> list[Any]:
        """The rows of a page of the listing."""
        return rows_of(page, self.listing.records_at, self.listing.path)


def _chained(asking: _Asking, position: Position | None, max_pages: int) -> Iterator[Walked]:
    """Pages of which each tells where the next one is: that is asked for at once."""
    listing, trail = asking.listing, Trail(max_pages)
    paginator: Paginator = listing.paginator
    with Ahead(asking.at, 1) as ahead:
        while True:
            page = ahead.answer(position)
            rows = asking.rows(page)
            following = paginator.after(position, page, rows)
            ended = paginator.ended(position, page, rows)
            circle = None
            if not ended and following is not None and following != position:
                circle = trail.trouble(listing.path, rows, following)
                ahead.expect([] if circle else [following])
            yield Walked(rows, following or position)
            if ended:
                return
            if circle is not None:
                raise circle
            if following is None:
                raise AnswerError(f"{listing.path}: there is more, but the way to it is missing.")
            if following == position:
                yield from _crowded(asking, following, max_pages)
                following = _past(paginator, following)
                trail.note(listing.path, [], following)
            position = following


def _crowded(asking: _Asking, position: Position, max_pages: int) -> Iterator[Walked]:
    """What a page that leads to itself leaves out, read from another listing of the same."""
    listing = asking.listing
    if listing.crowded is None:
        raise AnswerError(f"{listing.path}: a page leads to itself, in a circle.")
    told = f"{listing.path}: one second holds more records than a page; reading {{}} besides."
    warning = told.format(listing.crowded.path)
    for page in walk(asking.client, listing.crowded, max_pages=max_pages):
        yield Walked(page.rows, position, warning)
        warning = ""


def _past(paginator: Paginator, position: Position) -> Position:
    return paginator.past(position) if isinstance(paginator, TimeExportPages) else position


class _OpenWalk:
    """A walk over pages that can be asked for ahead, each checked against the one before."""

    def __init__(self, asking: _Asking, paginator: OpenPages, max_pages: int, workers: int) -> None:
        self._asking = asking
        self._paginator = paginator
        self._path = asking.listing.path
        self._max_pages = max_pages
        self._workers = workers

    def pages(self, position: Position | None) -> Iterator[Walked]:
        """The pages from a position to the end."""
        paginator, trail, met = self._paginator, Trail(self._max_pages, REPEATS), 0
        with Ahead(self._asking.with_params, self._workers) as ahead:
            while True:
                page = ahead.answer(paginator.params(position))
                rows = self._asking.rows(page)
                if (back := paginator.missed(position, page, rows)) is not None:
                    ahead.expect(())  # what was fetched ahead is as old as what did not fit
                    trail.turn(self._path)
                    position = back
                    continue
                following = paginator.after(position, page, rows)
                ended = paginator.ended(position, page, rows)
                met += 1
                if following is not None and not ended:
                    likely = self._likely(following, page, min(2 * met, trail.left - 1))
                    ahead.expect(paginator.params(one) for one in likely)
                yield Walked(paginator.fresh(position, rows), following or position)
                if ended:
                    return
                trail.note(self._path, rows, following)
                position = following

    def settled(self, start: Position | None) -> Iterator[Walked]:
        """The pages, read again until two readings in a row are the same.

        Had something been skipped in both, a record would have to be deleted and come back with
        the same id, twice. A list of one page needs no second reading.
        """
        seen: set[bytes] = set()
        before: list[bytes] | None = None
        for _ in range(READINGS):
            reading = []
            for page in self.pages(start):
                reading.append(self._ids(page.rows))
                if reading[-1] not in seen:
                    seen.add(reading[-1])
                    yield page
            if reading == before or (start is None and len(reading) == 1):
                return
            start, before = None, reading
        raise AnswerError(f"{self._path}: the list changes faster than it can be read by pages.")

    def _likely(self, position: Position, page: dict[str, Any], count: int) -> Iterator[Position]:
        """Where the next pages begin, if they are full."""
        for _ in range(min(count, self._workers)):
            if not self._paginator.within(position, page):
                return
            yield position
            position = self._paginator.behind(position)

    def _ids(self, rows: list[Any]) -> bytes:
        ids = [dig(row, self._paginator.id_at) for row in rows]
        return xxh3_128_digest(orjson.dumps(ids))


def search(client: ServiceClient, first: SearchPage, max_pages: int) -> Iterator[Walked]:
    """The pages of a search, each asking for ids above the last one met."""
    declared: SearchChanges = first.search
    asked, trail = first, Trail(max_pages)
    while True:
        page = client.post(declared.path, declared.request(asked))
        rows = rows_of(page, declared.records_at, declared.path)
        yield Walked(rows, None)
        if not rows or not dig(page, declared.more_at):
            return
        trail.note(declared.path, rows, None)
        asked = _following(asked, rows)


def _following(page: SearchPage, rows: list[Any]) -> SearchPage:
    """Behind the highest id; a broken record without one is passed over."""
    found = [str(dig(row, "id")) for row in rows]
    ids = [int(one) for one in found if one.isascii() and one.isdigit()]
    if not ids:
        raise AnswerError(f"{page.search.path}: no record has a numeric id.")
    return replace(page, after_id=str(max(ids)))
