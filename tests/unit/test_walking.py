"""Walks that would not end, searches, and lists inside records."""

import pytest

from integrations_pipeline.connectors.base import Listing, SearchPage
from integrations_pipeline.connectors.hubspot import HUBSPOT
from integrations_pipeline.connectors.paging import CursorPages
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.sync.completing import complete_nested
from integrations_pipeline.sync.walking import Trail, rows_of, search, walk

LISTING = Listing(path="/x", records_at="data", paginator=CursorPages("after", "next"))


class Script:
    """Answers one page after the other, and remembers what was asked."""

    def __init__(self, *pages: dict) -> None:
        self._pages = iter(pages)
        self.asked: list = []

    def get(self, path: str, params: dict, **_: object) -> dict:
        self.asked.append((path, params))
        return next(self._pages)

    post = get


def test_a_trail_counts_pages() -> None:
    trail = Trail(3)
    trail.note("/x", [1], {"cursor": "1"})
    trail.note("/x", [2], {"cursor": "2"})

    with pytest.raises(AnswerError, match="do not end"):
        trail.note("/x", [3], {"cursor": "3"})


@pytest.mark.parametrize(
    ("rows", "position"),
    [([1], {"cursor": "other"}), ([2], {"cursor": "1"}), ([1], None)],
    ids=["same rows", "same position", "same rows without a position"],
)
def test_a_trail_notices_a_circle(rows, position) -> None:
    trail = Trail(100)
    trail.note("/x", [1], {"cursor": "1"})

    with pytest.raises(AnswerError, match="circle"):
        trail.note("/x", rows, position)


def test_empty_pages_are_no_circle() -> None:
    trail = Trail(100)

    for cursor in "abc":
        trail.note("/x", [], {"cursor": cursor})


@pytest.mark.parametrize(
    ("page", "told"),
    [({}, "nothing"), ({"data": None}, "nothing"), ({"data": {}}, "dict"), ({"data": "x"}, "str")],
)
def test_rows_must_be_a_list(page, told) -> None:
    with pytest.raises(AnswerError, match=told):
        rows_of(page, "data", "/x")


@pytest.mark.parametrize(("limit", "ends_well"), [(2, True), (1, False)])
def test_a_walk_takes_no_more_pages_than_allowed(limit, ends_well) -> None:
    client = Script({"data": [1], "next": "b"}, {"data": [2]})
    walking = walk(client, LISTING, max_pages=limit)

    if ends_well:
        assert [page.rows for page in walking] == [[1], [2]]
    else:
        with pytest.raises(AnswerError, match="do not end"):
            list(walking)


def test_pages_met_before_a_fault_are_still_delivered() -> None:
    walking = walk(Script({"data": [1], "next": "b"}, {"data": 5}), LISTING, max_pages=9)

    assert next(walking).rows == [1]
    with pytest.raises(AnswerError):
        next(walking)


def contacts_search() -> SearchPage:
    changes = HUBSPOT.resource("contacts").changes
    return SearchPage(
        search=changes, since_ms=1, until_ms=9, after_id=None, filters=(), fields=("email",)
    )


def found(*ids: object, more: bool) -> dict:
    paging = {"paging": {"next": {"after": "1"}}} if more else {}
    return {"results": [{"id": one} for one in ids], **paging}


def test_a_search_asks_for_ids_above_the_greatest_number() -> None:
    client = Script(found("9", "10", more=True), found("11", more=False))

    pages = list(search(client, contacts_search(), 10))

    assert [[row["id"] for row in page.rows] for page in pages] == [["9", "10"], ["11"]]
    above = [
        condition["value"]
        for _, body in client.asked
        for condition in body["filterGroups"][0]["filters"]
        if condition["operator"] == "GT"
    ]
    assert above == ["0", "10"]


@pytest.mark.parametrize("bad", [{"id": "x"}, {"id": None}, {}, "text"])
def test_a_search_needs_numeric_ids_to_go_on(bad) -> None:
    page = {"results": [bad], "paging": {"next": {"after": "1"}}}

    with pytest.raises(AnswerError):
        list(search(Script(page), contacts_search(), 10))


def test_a_search_that_stands_still_ends() -> None:
    pages = [found("1", "2", more=True)] * 3

    with pytest.raises(AnswerError, match="circle"):
        list(search(Script(*pages), contacts_search(), 10))


def test_nested_lists_are_completed() -> None:
    lines = {"data": [{"id": "a"}], "has_more": True, "url": "/v1/invoices/i/lines?x=1"}
    record = {"lines": lines}
    rest = {"data": [{"id": "b"}], "has_more": False}
    client = Script(rest)

    complete_nested(client, record, ("lines", "absent"), 10)

    assert [line["id"] for line in record["lines"]["data"]] == ["a", "b"]
    assert record["lines"]["has_more"] is False
    params = {"limit": "100", "x": "1", "starting_after": "a"}
    assert client.asked == [("/v1/invoices/i/lines", params)]


@pytest.mark.parametrize("url", ["https://evil.example/x", "//evil.example/x", "x", None])
def test_a_nested_list_stays_on_its_host(url) -> None:
    record = {"lines": {"data": [{"id": "a"}], "has_more": True, "url": url}}
    client = Script()

    with pytest.raises(AnswerError, match="another host"):
        complete_nested(client, record, ("lines",), 10)
    assert client.asked == []


@pytest.mark.parametrize("last", ["text", {"name": "no id"}])
def test_a_nested_list_without_ids_is_an_answer_error(last) -> None:
    record = {"lines": {"data": [last], "has_more": True, "url": "/v1/x"}}

    with pytest.raises(AnswerError):
        complete_nested(Script(), record, ("lines",), 10)
