"""Reading one resource: all of it, what changed, or given ids, as batches that can be loaded.

Each batch says what is true once it is loaded: where a full read goes on after a crash
(`progress`), where the next incremental read begins (`cursor`).
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from integrations_pipeline.connectors.base import (
    EventChanges,
    Listing,
    Resource,
    SearchChanges,
    SearchPage,
)
from integrations_pipeline.connectors.paging import LastIdPages
from integrations_pipeline.errors import StaleCursorError
from integrations_pipeline.sync.asking import (
    export_start,
    field_params,
    filter_params,
    searchable,
)
from integrations_pipeline.sync.batches import (
    Batch,
    Event,
    Wanted,
    chunks,
    iso,
    millis,
    moment_of,
    stamped,
)
from integrations_pipeline.sync.checkpoints import SKEW, unusable
from integrations_pipeline.sync.completing import Completer
from integrations_pipeline.sync.lookups import Lookups
from integrations_pipeline.sync.notes import Note, note_unknown
from integrations_pipeline.sync.records import Change, Reader
from integrations_pipeline.sync.slicing import pages_of
from integrations_pipeline.sync.walking import Walked, search
from integrations_pipeline.transport.client import ServiceClient

REMEMBERED_EVENTS = 1000
MOST_CHANGED = 20_000
"""Where events name more objects, a list of all takes fewer requests, or hardly more, than reading
each of them again; and so many fit into memory."""
CHANGED_STEP = 1000
"""Objects of events that are read again until the checkpoint moves."""
HELD_BACK_SECONDS = 300
"""An export does not begin later than so long ago: it refuses the last moments."""


class ResourceReading:
    """One pass over one resource."""

    def __init__(
        self,
        client: ServiceClient,
        resource: Resource,
        wanted: Wanted,
        *,
        cursor: dict[str, Any] | None,
        progress: dict[str, Any] | None,
        note: Note,
        max_pages: int,
        workers: int = 1,
    ) -> None:
        self._client = client
        self._resource = resource
        self._wanted = wanted
        self._cursor = cursor
        self._progress = progress if resource.resumable else None
        self._note = note
        self._max_pages = max_pages
        self._workers = workers
        self._reader = Reader(
            resource, wanted.fields, wanted.terms, watch=wanted.watch, mapper=wanted.mapper
        )
        self._completer = Completer(client, resource, linked=wanted.linked, max_pages=max_pages)
        self._began = datetime.now(UTC)

    def batches(self) -> Iterator[Batch]:
        """The batches, in the order in which they must be loaded.

        Raises:
            ServiceError: the service does not give what was asked.
        """
        if self._wanted.mode == "selective":
            yield from self._selected()
        elif self._wanted.mode == "incremental" and self._cursor is not None:
            yield from self._changed_or_all(self._cursor)
        else:
            yield from self._all()

    # -- all ------------------------------------------------------------------------------------

    def _all(self) -> Iterator[Batch]:
        try:
            yield from self._full(self._progress or {"began": iso(self._began)})
        except StaleCursorError as error:
            self._note("WARNING", f"Reading from the start again: {error.message}")
            yield from self._full({"began": iso(self._began)})

    def _full(self, progress: dict[str, Any]) -> Iterator[Batch]:
        resumed = "position" in progress
        position = progress.get("position")
        yield Batch(pages=0, begins=not resumed, progress=progress)
        if self._searches():
            yield from self._searched(None)
        else:
            for page in self._walk(self._resource.listing, position):
                position = page.position
                progress = {**progress, "position": position}
                changes = self._changes(page, self._resource.listing)
                yield Batch(changes=changes, progress=progress)
        yield from self._archived(progress)
        cursor = self._next_cursor(position, progress["began"])
        if resumed and self._resource.changes is not None:
            # what was read before the crash may have changed since
            for batch in self._changed(cursor):
                yield replace(batch, cursor=None, progress=progress)
        whole = self._resource.absent_is_deleted and not self._wanted.terms
        yield Batch(pages=0, cursor=cursor, complete=True, whole=whole)

    def _searches(self) -> bool:
        """Whether the service can apply the filters, so that a search reads less than the list."""
        return bool(searchable(self._resource, self._wanted))

    def _archived(self, progress: dict[str, Any] | None = None) -> Iterator[Batch]:
        if self._resource.archived is not None:
            for page in self._walk(self._resource.archived, None):
                yield Batch(changes=self._reader.gone(page.rows), progress=progress)

    def _next_cursor(self, position: dict[str, Any] | None, began: str) -> dict[str, Any]:
        if self._resource.listing.paginator.keeps_position:
            return {"position": position}
        return {"since": began}

    # -- what changed ---------------------------------------------------------------------------

    def _changed_or_all(self, cursor: dict[str, Any]) -> Iterator[Batch]:
        if reason := unusable(self._resource, cursor, self._began):
            self._note("WARNING", f"{reason} Reading everything instead.")
            yield from self._all()
            return
        try:
            yield from self._changed(cursor)
        except StaleCursorError as error:
            self._note("WARNING", f"Reading everything instead: {error}")
            yield from self._all()

    def _changed(self, cursor: dict[str, Any]) -> Iterator[Batch]:
        changes = self._resource.changes
        if isinstance(changes, SearchChanges):
            yield from self._searched(moment_of(cursor["since"]) - changes.overlap)
            yield from self._archived()
            yield Batch(pages=0, cursor={"since": iso(self._began)})
        elif isinstance(changes, EventChanges):
            yield from self._by_events(changes, cursor)
        elif self._resource.listing.paginator.keeps_position:
            for page in self._walk(self._resource.listing, cursor["position"]):
                found = self._changes(page, self._resource.listing)
                yield Batch(changes=found, cursor={"position": page.position})
        elif self._resource.incremental:
            yield from self._since(cursor)
        else:
            yield from self._full({"began": iso(self._began)})

    def _since(self, cursor: dict[str, Any]) -> Iterator[Batch]:
        listing = self._resource.listing
        lower = int((moment_of(cursor["since"]) - listing.reread).timestamp())
        for page in self._walk(listing, None, {listing.since_param: str(lower)}):
            yield Batch(changes=self._changes(page, listing))
        yield Batch(pages=0, cursor={"since": iso(self._began)})

    def _searched(self, since: datetime | None) -> Iterator[Batch]:
        declared = self._resource.changes
        if not isinstance(declared, SearchChanges):
            return
        page = SearchPage(
            search=declared,
            since_ms=millis(since) if since else None,
            until_ms=millis(self._began),
            after_id=None,
            filters=searchable(self._resource, self._wanted),
            fields=self._wanted.fields,
        )
        for found in search(self._client, page, self._max_pages):
            self._completer.complete(found.rows)
            yield Batch(changes=self._reader.changes(found.rows))

    def _by_events(self, declared: EventChanges, cursor: dict[str, Any]) -> Iterator[Batch]:
        known = set(cursor.get("recent", ()))
        since = moment_of(cursor["since"]) - declared.overlap
        border = (self._began - declared.overlap - SKEW).timestamp()
        recent: list[str] = []
        stamps: dict[str, float] = {}
        for event in self._events(declared, since):
            if event.created > border and len(recent) < REMEMBERED_EVENTS:
                recent.append(event.id)  # the next read will meet it again, and need not follow
            if event.id not in known and event.object_id:
                stamps[event.object_id] = max(stamps.get(event.object_id, 0), event.created)
            if len(stamps) > MOST_CHANGED:
                raise StaleCursorError(
                    f"more than {MOST_CHANGED} records changed since {since:%Y-%m-%d %H:%M} UTC, "
                    "and reading them one by one would take longer."
                )
        oldest_first = tuple(sorted(stamps, key=stamps.__getitem__))
        for some in chunks(oldest_first, CHANGED_STEP):
            yield from self._looked_up(some, stamps)
            reached = min(moment_of(stamps[some[-1]]), self._began)
            yield Batch(pages=0, cursor={"since": iso(reached), "recent": []})
        yield Batch(cursor={"since": iso(self._began), "recent": recent})

    def _events(self, declared: EventChanges, since: datetime) -> Iterator["Event"]:
        listing = Listing(
            path=declared.path,
            records_at="data",
            paginator=LastIdPages("starting_after", "has_more"),
            params={"limit": str(declared.page_size)},
        )
        asked: dict[str, Any] = {
            declared.types_param: list(declared.types),
            declared.since_param: str(int(since.timestamp())),
        }
        for page in self._walk(listing, None, asked):
            yield from (Event.read(row) for row in page.rows)

    # -- given ids ------------------------------------------------------------------------------

    def _selected(self) -> Iterator[Batch]:
        if self._wanted.ids:
            yield from self._given(tuple(dict.fromkeys(self._wanted.ids)))
        elif self._searches():
            yield from self._searched(None)
        else:
            for page in self._walk(self._resource.listing, None):
                yield Batch(changes=self._changes(page, self._resource.listing))

    def _given(self, ids: tuple[str, ...]) -> Iterator[Batch]:
        unknown: list[str] = []
        for batch in self._looked_up(ids, {}):
            unknown += [change.key for change in batch.changes if change == Change(change.key)]
            yield batch
        note_unknown(self._note, self._client.connector.label, unknown, len(ids))

    def _looked_up(self, ids: tuple[str, ...], stamps: dict[str, float]) -> Iterator[Batch]:
        lookups = Lookups(self._client, self._resource, self._reader, self._completer)
        for changes in lookups.changes(ids, self._wanted.fields):
            yield Batch(changes=[stamped(change, stamps) for change in changes])

    # -- shared ---------------------------------------------------------------------------------

    def _walk(
        self,
        listing: Listing,
        start: dict[str, Any] | None,
        params: dict[str, Any] | None = None,
    ) -> Iterator[Walked]:
        asked = {**field_params(self._resource, self._wanted.fields), **(params or {})}
        if listing is self._resource.listing:
            terms = self._wanted.terms
            asked = {**self._completer.params, **filter_params(self._resource, terms), **asked}
            latest = self._began.timestamp() - HELD_BACK_SECONDS
            start = start or export_start(self._resource, terms, latest)
        pages = pages_of(
            self._client,
            self._resource,
            listing,
            start=start,
            params=asked,
            max_pages=self._max_pages,
            workers=self._workers,
        )
        for page in pages:
            if page.warning:
                self._note("WARNING", page.warning)
            yield page

    def _changes(self, page: Walked, listing: Listing) -> list[Change]:
        self._completer.complete(page.rows, shown=bool(self._completer.params))
        return self._reader.changes(page.rows, listing.record_at)
