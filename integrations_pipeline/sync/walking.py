"""Walking pages to their end, and noticing where there is none."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import orjson

from integrations_pipeline.connectors.base import Listing, SearchChanges, SearchPage
from integrations_pipeline.connectors.paging import Paginator, Position, dig
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.transport.client import ServiceClient


@dataclass(frozen=True, slots=True)
class Walked:
    """One page: its rows, and the position behind it."""

    rows: list[Any]
    position: Position | None


class Trail:
    """What a walk has met; it ends a walk that goes in circles or without end."""

    def __init__(self, max_pages: int) -> None:
        self._left = max_pages
        self._pages: set[bytes] = set()

    def note(self, path: str, rows: list[Any], position: Position | None) -> None:
        """Count a page that another will follow.

        Raises:
            AnswerError: the page was there before, or there are too many.
        """
        self._left -= 1
        if self._left <= 0:
            raise AnswerError(f"{path}: the pages do not end.")
        for thing in (position, rows):
            digest = blake2b(orjson.dumps(thing), digest_size=16).digest()
            if thing and digest in self._pages:
                raise AnswerError(f"{path}: the chain of pages runs in a circle.")
            self._pages.add(digest)


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
    params: Mapping[str, str] | None = None,
    max_pages: int,
) -> Iterator[Walked]:
    """The pages of a listing from `start` on."""
    paginator: Paginator = listing.paginator
    position, trail = start, Trail(max_pages)
    while True:
        asked = {**listing.params, **(params or {}), **paginator.params(position)}
        page = client.get(listing.path, asked, max_bytes=listing.max_body_bytes)
        rows = rows_of(page, listing.records_at, listing.path)
        following = paginator.after(position, page)
        ended = paginator.ended(page, rows)
        yield Walked(rows, following or position)
        if ended:
            return
        if following is None:
            raise AnswerError(f"{listing.path}: there is more, but the way to it is missing.")
        if following == position:
            raise AnswerError(f"{listing.path}: a page leads to itself, in a circle.")
        trail.note(listing.path, rows, following)
        position = following


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
    try:
        last = max(int(row["id"]) for row in rows)
    except (TypeError, KeyError, ValueError) as error:
        raise AnswerError(f"{page.search.path}: a record has no numeric id.") from error
    return replace(page, after_id=str(last))
