"""Paginators: what they ask, where they go on, when they stop; and no record lost on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations_pipeline.connectors.base import Listing
from integrations_pipeline.connectors.paging import (
    CursorPages,
    ExportPages,
    LastIdPages,
    TimeExportPages,
    dig,
)
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.sync.walking import walk

CURSOR = CursorPages("after", "paging.next.after")
FLAGGED = CursorPages("page[after]", "meta.after_cursor", more_at="meta.has_more")
LAST_ID = LastIdPages("starting_after", "has_more")
EXPORT = ExportPages("start_time", "cursor", "after_cursor", "end_of_stream")
TIMED = TimeExportPages("start_time", "end_time", "end_of_stream", 3)

DIGS = [
    ({"a": {"b": 1}}, "a.b", 1),
    ({"a": {"b": 1}}, "a.c", None),
    ({"a": {"b": 1}}, "a.b.c", None),
    ({"a": [{"b": 1}, {"b": 2}]}, "a.1.b", 2),
    ({"a": [1]}, "a.1", None),
    ({"a": [1]}, "a.-1", None),
    ({"a": [1]}, "a.x", None),
    ({"0": "x"}, "0", "x"),
    ({"a": None}, "a.b", None),
    ({"a": False}, "a", False),
    ("text", "0", None),
    (None, "a", None),
    ({"a": 1}, "", {"a": 1}),
]


@pytest.mark.parametrize(("value", "path", "found"), DIGS)
def test_dig(value, path, found) -> None:
    assert dig(value, path) == found


PARAMS = [
    (CURSOR, None, {}),
    (CURSOR, {"cursor": "c"}, {"after": "c"}),
    (FLAGGED, {"cursor": "c"}, {"page[after]": "c"}),
    (LAST_ID, None, {}),
    (LAST_ID, {"last_id": "7"}, {"starting_after": "7"}),
    (EXPORT, None, {"start_time": "0"}),
    (EXPORT, {"cursor": "c"}, {"cursor": "c"}),
    (TIMED, None, {"start_time": "0"}),
    (TIMED, {"time": 17}, {"start_time": "17"}),
]


@pytest.mark.parametrize(("paginator", "position", "params"), PARAMS)
def test_params(paginator, position, params) -> None:
    assert paginator.params(position) == params


OLD = {"cursor": "old"}
AFTER = [
    (CURSOR, None, {"paging": {"next": {"after": 25}}}, {"cursor": "25"}),
    (CURSOR, OLD, {"paging": {}}, None),
    (CURSOR, OLD, {"paging": None}, None),
    (CURSOR, OLD, {"paging": {"next": {"after": ""}}}, None),
    (FLAGGED, None, {"meta": {"after_cursor": "x", "has_more": False}}, {"cursor": "x"}),
    (LAST_ID, None, {"data": [{"id": "a"}, {"id": "b"}]}, {"last_id": "b"}),
    (LAST_ID, {"last_id": "b"}, {"data": []}, None),
    (LAST_ID, None, {"data": [{"name": "no id"}]}, None),
    (EXPORT, OLD, {"after_cursor": "new"}, {"cursor": "new"}),
    (EXPORT, OLD, {"after_cursor": None}, OLD),
    (EXPORT, None, {}, None),
    (TIMED, None, {"end_time": 99}, {"time": 99}),
    (TIMED, {"time": 5}, {"end_time": None}, {"time": 5}),
]


@pytest.mark.parametrize(("paginator", "position", "page", "following"), AFTER)
def test_after(paginator, position, page, following) -> None:
    assert paginator.after(position, page, page.get("data", [])) == following


ENDED = [
    (CURSOR, {"paging": {"next": {"after": "x"}}}, [1], False),
    (CURSOR, {}, [1], True),
    (FLAGGED, {"meta": {"has_more": True, "after_cursor": "x"}}, [1], False),
    (FLAGGED, {"meta": {"has_more": False, "after_cursor": "x"}}, [1], True),
    (LAST_ID, {"has_more": True}, [1], False),
    (LAST_ID, {"has_more": True}, [], True),
    (LAST_ID, {"has_more": False}, [1], True),
    (EXPORT, {"end_of_stream": False}, [], False),
    (EXPORT, {"end_of_stream": True}, [1], True),
    (TIMED, {"end_of_stream": False}, [1, 2, 3], False),
    (TIMED, {"end_of_stream": False}, [1, 2], True),
    (TIMED, {"end_of_stream": True}, [1, 2, 3], True),
]


@pytest.mark.parametrize(("paginator", "page", "rows", "ended"), ENDED)
def test_ended(paginator, page, rows, ended) -> None:
    assert paginator.ended(None, page, rows) is ended


def test_only_exports_keep_their_position_as_checkpoint() -> None:
    kept = [p.keeps_position for p in (CURSOR, FLAGGED, LAST_ID, EXPORT, TIMED)]

    assert kept == [False, False, False, True, True]


class FakeList:
    """A service with so many records, answering in the way of each paginator."""

    def __init__(self, total: int, size: int) -> None:
        self._rows = [{"id": str(n), "at": n} for n in range(1, total + 1)]
        self._size = size

    def get(self, path: str, params: dict, **_: object) -> dict:
        return getattr(self, path)(params)

    def cursor(self, params: dict) -> dict:
        rows, end = self._slice(int(params.get("after", 0)))
        more = {"paging": {"next": {"after": str(end)}}} if end < len(self._rows) else {}
        return {"data": rows, **more}

    def flagged(self, params: dict) -> dict:
        rows, end = self._slice(int(params.get("page[after]", 0)))
        return {"data": rows, "meta": {"after_cursor": end, "has_more": end < len(self._rows)}}

    def last_id(self, params: dict) -> dict:
        rows, end = self._slice(int(params.get("starting_after", 0)))
        return {"data": rows, "has_more": end < len(self._rows)}

    def export(self, params: dict) -> dict:
        rows, end = self._slice(int(params.get("cursor", params.get("start_time", 0))))
        over = end >= len(self._rows)
        return {"data": rows, "after_cursor": str(end) if rows else None, "end_of_stream": over}

    def timed(self, params: dict) -> dict:
        rows, end = self._slice(int(params["start_time"]))
        over = end >= len(self._rows)
        return {"data": rows, "end_time": end or None, "end_of_stream": over}

    def _slice(self, start: int) -> tuple[list, int]:
        rows = self._rows[start : start + self._size]
        return rows, start + len(rows)


def paginators(size: int) -> dict:
    timed = TimeExportPages("start_time", "end_time", "end_of_stream", size)
    return {
        "cursor": CURSOR,
        "flagged": FLAGGED,
        "last_id": LAST_ID,
        "export": EXPORT,
        "timed": timed,
    }


def walked(kind: str, total: int, size: int, start: dict | None = None, stop: int = 0) -> list:
    listing = Listing(path=kind, records_at="data", paginator=paginators(size)[kind])
    pages = list(walk(FakeList(total, size), listing, start=start, max_pages=1000))
    return pages[:stop] if stop else pages


@pytest.mark.parametrize("kind", paginators(1))
@given(total=st.integers(0, 40), size=st.integers(1, 12))
def test_a_walk_yields_each_record_once(kind, total, size) -> None:
    pages = walked(kind, total, size)

    assert [row["at"] for page in pages for row in page.rows] == list(range(1, total + 1))


@pytest.mark.parametrize("kind", paginators(1))
@given(total=st.integers(1, 40), size=st.integers(1, 12), crash=st.integers(1, 40))
def test_a_walk_goes_on_from_any_position(kind, total, size, crash) -> None:
    before = walked(kind, total, size, stop=crash)
    position, complete = before[-1].position, len(walked(kind, total, size)) == len(before)
    after = [] if complete else walked(kind, total, size, start=position)

    found = [row["at"] for page in [*before, *after] for row in page.rows]
    assert found == list(range(1, total + 1))


class Answers:
    """A service that gives the same answer for ever."""

    def __init__(self, page: dict) -> None:
        self._page = page

    def get(self, path: str, params: dict, **_: object) -> dict:
        return self._page


SENSELESS = [
    (TIMED, {"data": [1, 2, 3], "end_time": "soon"}),
    (TIMED, {"data": [1, 2, 3], "end_time": [1]}),
    (EXPORT, {"data": [1], "after_cursor": None, "end_of_stream": False}),
    (EXPORT, {"data": [1], "after_cursor": "same"}),
    (FLAGGED, {"data": [1], "meta": {"has_more": True}}),
    (LAST_ID, {"data": [{"name": "no id"}], "has_more": True}),
    (LAST_ID, {"data": ["text"], "has_more": True}),
    (CURSOR, {"data": {"0": "an object"}}),
    (CURSOR, {"data": 3}),
    (CURSOR, {}),
]


@pytest.mark.parametrize(("paginator", "page"), SENSELESS)
def test_a_senseless_page_is_an_answer_error(paginator, page) -> None:
    listing = Listing(path="/x", records_at="data", paginator=paginator)

    with pytest.raises(AnswerError):
        list(walk(Answers(page), listing, max_pages=50))
