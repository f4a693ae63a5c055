"""Pages that are under way at the same time, counted by the service itself."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from integrations_pipeline.connectors import connector_named
from integrations_pipeline.connectors.base import Listing
from integrations_pipeline.connectors.open_pages import NumberedPages, OffsetPages
from integrations_pipeline.connectors.paging import CursorPages, LastIdPages
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.oauth.identity import FixedToken
from integrations_pipeline.sync.backfill import Backfill, SpanRequests, days
from integrations_pipeline.sync.batches import Wanted
from integrations_pipeline.sync.records import Reader
from integrations_pipeline.sync.slicing import walk_sliced
from integrations_pipeline.sync.walking import walk
from integrations_pipeline.transport.client import ServiceClient

TOTAL, SIZE = 1000, 50
PATIENCE_SECONDS = 10.0
"""Only a failing test waits so long: for requests that do not come."""
BORN = 1_767_225_600  # 2026-01-01
HOUR = 3600


class Busy:
    """A list of records, one an hour, whose answers wait until so many requests are there."""

    def __init__(self, together: int) -> None:
        self.asked: list[dict[str, str]] = []
        self.most = 0
        self._together = together
        self._here = 0
        self._met = threading.Condition()

    def answer(self, query: dict[str, str]) -> dict:
        with self._met:
            self.asked.append(query)
            self._here += 1
            self.most = max(self.most, self._here)
            self._met.notify_all()
            if len(self.asked) > 3:  # the first requests can't know that there is more
                self._met.wait_for(lambda: self.most >= self._together, PATIENCE_SECONDS)
            self._here -= 1
        return self._page(query)

    def _page(self, query: dict[str, str]) -> dict:
        since = int(query.get("created[gte]", BORN)) - BORN
        until = int(query.get("created[lt]", BORN + TOTAL * HOUR)) - BORN
        first, end = max(-(-since // HOUR), 0), min(-(-until // HOUR), TOTAL)
        if "page" in query:
            start = (int(query["page"]) - 1) * SIZE
        elif "starting_after" in query:
            start = end - int(query["starting_after"])
        else:
            start = int(query.get("offset", query.get("after", 0)))
        numbers = range(end - 1, first - 1, -1)  # newest first
        rows = [{"id": f"{n}", "created": BORN + n * HOUR} for n in numbers[start : start + SIZE]]
        more = start + SIZE < len(numbers)
        next_page = {"next": start + SIZE} if more else {}
        return {"data": rows, "total": len(numbers), "has_more": more, **next_page}


@contextmanager
def serving(busy: Busy) -> Iterator[ServiceClient]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = orjson.dumps(busy.answer(dict(parse_qsl(urlsplit(self.path).query))))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    connector = connector_named("stripe")
    client = ServiceClient(connector, url, FixedToken("t"), allow_private=True)
    try:
        yield client
    finally:
        client.close()
        server.shutdown()
        server.server_close()
        thread.join()


PAGINATORS = {
    "offset": OffsetPages(offset_param="offset", limit_param="limit", size=SIZE),
    "offset, total": OffsetPages(
        offset_param="offset", limit_param="limit", size=SIZE, total_at="total"
    ),
    "number": NumberedPages(param="page", size=SIZE),
    "number, total": NumberedPages(param="page", size=SIZE, total_at="total"),
}


def listing(paginator: object) -> Listing:
    return Listing(path="/x", records_at="data", paginator=paginator)


@pytest.mark.parametrize("paginator", PAGINATORS.values(), ids=PAGINATORS)
@pytest.mark.parametrize("workers", [2, 4])
def test_open_pages_are_fetched_side_by_side_and_come_in_order(paginator, workers) -> None:
    busy = Busy(together=workers)
    with serving(busy) as client:
        pages = walk(client, listing(paginator), max_pages=500, workers=workers)
        found = [row["id"] for page in pages for row in page.rows]

    assert found == [str(number) for number in range(TOTAL - 1, -1, -1)]
    assert busy.most == workers


def test_no_more_pages_are_fetched_ahead_than_allowed() -> None:
    busy = Busy(together=1)
    with serving(busy) as client:
        pages = walk(client, listing(PAGINATORS["number, total"]), max_pages=500, workers=3)
        for _ in range(5):
            next(pages)
        assert len(busy.asked) <= 5 + 3
        pages.close()


def test_with_a_total_nothing_is_asked_for_behind_the_end() -> None:
    busy = Busy(together=1)
    with serving(busy) as client:
        list(walk(client, listing(PAGINATORS["number, total"]), max_pages=500, workers=4))

    assert len(busy.asked) == TOTAL // SIZE + 1  # the last page is full: one more tells the end


def test_cursors_are_followed_one_by_one() -> None:
    busy = Busy(together=1)
    with serving(busy) as client:
        pages = walk(client, listing(CursorPages("after", "next")), max_pages=500, workers=4)
        assert sum(len(page.rows) for page in pages) == TOTAL

    assert busy.most == 1


def test_the_chunks_of_a_backfill_are_fetched_side_by_side() -> None:
    busy, resource = Busy(together=4), connector_named("stripe").resource("customers")
    with serving(busy) as client:
        backfill = Backfill(
            SpanRequests(client, resource, Wanted(mode="backfill"), 500),
            Reader(resource),
            days(date(2026, 1, 1), date(2026, 3, 1)),
            progress=None,
            note=lambda *_, **__: None,
            record_at="",
            workers=4,
        )
        batches = list(backfill.batches())

    found = [change.key for batch in batches for change in batch.changes]
    assert sorted(map(int, found)) == list(range(TOTAL))
    assert busy.most == 4
    assert batches[-1].progress is None
    assert all(batch.progress for batch in batches[:-1])


LAST_ID = listing(LastIdPages("starting_after", "has_more"))


def test_a_long_list_that_is_newest_first_is_read_in_slices() -> None:
    busy, span = Busy(together=4), connector_named("stripe").resource("customers").span
    small = replace(span, page_size=SIZE)
    with serving(busy) as client:
        pages = walk_sliced(client, LAST_ID, small, start=None, params={}, max_pages=500, workers=4)
        found = [int(row["id"]) for page in pages for row in page.rows]

    assert sorted({*found}) == list(range(TOTAL))
    assert len(found) <= TOTAL + 1  # the record on the border, once more
    assert busy.most == 4


@pytest.mark.parametrize("stop", [1, 4, 5, 6, 9, 14])
def test_a_sliced_read_goes_on_from_any_position(stop) -> None:
    busy, span = Busy(together=1), connector_named("stripe").resource("customers").span
    options = {"params": {}, "max_pages": 500, "workers": 3}
    small = replace(span, page_size=SIZE)
    with serving(busy) as client:
        before = list(islice(walk_sliced(client, LAST_ID, small, start=None, **options), stop))
        position = orjson.loads(orjson.dumps(before[-1].position))
        after = list(walk_sliced(client, LAST_ID, small, start=position, **options))

    found = {int(row["id"]) for page in (*before, *after) for row in page.rows}
    assert found == set(range(TOTAL))


def test_a_list_that_is_not_newest_first_is_not_sliced() -> None:
    class Ascending(Busy):
        def _page(self, query: dict[str, str]) -> dict:
            start = int(query.get("starting_after", -1)) + 1
            rows = [{"id": f"{n}", "created": BORN + n} for n in range(start, TOTAL)][:SIZE]
            return {"data": rows, "has_more": start + SIZE < TOTAL}

    busy, span = Ascending(together=1), connector_named("stripe").resource("customers").span
    small = replace(span, page_size=SIZE)
    with serving(busy) as client:
        pages = walk_sliced(client, LAST_ID, small, start=None, params={}, max_pages=500, workers=4)
        assert [int(row["id"]) for page in pages for row in page.rows] == list(range(TOTAL))


def test_slices_without_end_are_stopped() -> None:
    busy, span = Busy(together=1), connector_named("stripe").resource("customers").span
    small = replace(span, page_size=SIZE)
    with serving(busy) as client:
        pages = walk_sliced(client, LAST_ID, small, start=None, params={}, max_pages=12, workers=4)
        with pytest.raises(AnswerError, match="do not end"):
            list(pages)
    assert len(busy.asked) <= 12 + 4
