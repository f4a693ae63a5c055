"""Pages by offset, by number and by link: what they ask, and when they stop."""

import pytest

from integrations_pipeline.connectors.base import Listing
from integrations_pipeline.connectors.open_pages import NumberedPages, OffsetPages
from integrations_pipeline.connectors.paging import LinkPages
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.sync.walking import walk

OFFSET = OffsetPages(offset_param="skip", limit_param="take", size=3)
COUNTED = OffsetPages(offset_param="skip", limit_param="take", size=3, total_at="meta.total")
FILTERED = OffsetPages(offset_param="skip", limit_param="take", size=3, short_is_last=False)
NUMBERED = NumberedPages(param="page", size=3, size_param="per_page")
FROM_ZERO = NumberedPages(param="p", size=3, first=0, total_at="total")
PAGED = NumberedPages(param="page", size=3, pages_at="pages", total_at="total")
FLAGGED = NumberedPages(param="page", size=3, more_at="next")
LINK = LinkPages("links.next")


def rows(*ids: object) -> list[dict]:
    return [{"id": one} for one in ids]


PARAMS = [
    (OFFSET, None, {"skip": "0", "take": "3"}),
    (OFFSET, {"offset": 4, "last": ["x"]}, {"skip": "4", "take": "3"}),
    (NUMBERED, None, {"page": "1", "per_page": "3"}),
    (NUMBERED, {"page": 7}, {"page": "7", "per_page": "3"}),
    (FROM_ZERO, None, {"p": "0"}),
    (LINK, {"link": "/x?page=2"}, {}),
]


@pytest.mark.parametrize(("paginator", "position", "params"), PARAMS)
def test_params(paginator, position, params) -> None:
    assert paginator.params(position) == params


def test_an_offset_page_begins_with_the_last_record_of_the_one_before() -> None:
    following = OFFSET.after(None, {}, rows(7, 8, 9))

    assert following == {"offset": 2, "last": ["7", "8", "9"]}
    assert OFFSET.fresh(following, rows(9, 10, 11)) == rows(10, 11)
    assert OFFSET.missed(following, {}, rows(9, 10, 11)) is None


def test_an_offset_page_that_shows_nothing_known_is_read_from_further_up() -> None:
    position = {"offset": 40, "last": ["7", "8", "9"]}

    assert OFFSET.missed(position, {}, rows(11, 12, 13)) == {**position, "offset": 39}
    assert OFFSET.missed(position, {}, []) == {**position, "offset": 39}
    assert OFFSET.missed({**position, "offset": 0}, {}, rows(11, 12)) is None


def test_a_number_goes_back_as_far_as_the_total_fell() -> None:
    position = {"page": 9, "total": 40}

    assert PAGED.missed(position, {"total": 40}, []) is None
    assert PAGED.missed(position, {"total": 41}, []) is None
    assert PAGED.missed(position, {"total": 39}, []) == {"page": 8, "total": 39}
    assert PAGED.missed(position, {"total": 36}, []) == {"page": 7, "total": 36}
    assert PAGED.missed(position, {"total": 0}, []) == {"page": 1, "total": 0}


KNOWN = {"offset": 2, "last": ["3"]}
ENDED = [
    (OFFSET, None, {}, rows(1, 2, 3), False),
    (OFFSET, None, {}, rows(1, 2), True),
    (OFFSET, None, {}, [], True),
    (OFFSET, KNOWN, {}, rows(3), True),
    (FILTERED, None, {}, rows(1, 2), False),
    (FILTERED, KNOWN, {}, rows(3), True),
    (COUNTED, None, {"meta": {"total": 3}}, rows(1, 2), False),
    (COUNTED, None, {"meta": {"total": 2}}, rows(1, 2), True),
    (COUNTED, None, {"meta": {"total": 3}}, rows(1, 2, 3), False),
    (COUNTED, KNOWN, {"meta": {"total": 99}}, rows(3), True),
    (COUNTED, None, {}, rows(1, 2), True),
    (NUMBERED, None, {}, rows(1, 2, 3), False),
    (NUMBERED, None, {}, rows(1, 2), True),
    (FROM_ZERO, {"page": 1}, {"total": 5}, rows(4, 5), True),
    (FROM_ZERO, {"page": 0}, {"total": 5}, rows(1, 2), False),
    (FROM_ZERO, {"page": 9}, {"total": 99}, [], True),
    (PAGED, {"page": 2}, {"pages": 3, "total": 9}, rows(4), False),
    (PAGED, {"page": 3}, {"pages": 3, "total": 9}, rows(7, 8, 9), True),
    (FLAGGED, None, {"next": "/x"}, rows(1), False),
    (FLAGGED, None, {"next": None}, rows(1, 2, 3), True),
    (LINK, None, {"links": {"next": "/x"}}, rows(1), False),
    (LINK, None, {"links": {}}, rows(1), True),
]


@pytest.mark.parametrize(("paginator", "position", "page", "found", "ended"), ENDED)
def test_ended(paginator, position, page, found, ended) -> None:
    assert paginator.ended(position, page, found) is ended


class Scripted:
    """Answers by what was asked, and remembers it."""

    base_url = "https://api.example.com/v2"

    def __init__(self, answers: dict) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def get(self, path: str, params: dict, **_: object) -> dict:
        address = path + ("?" + "&".join(f"{k}={v}" for k, v in params.items()) if params else "")
        self.asked.append(address)
        return self._answers[address]


LINKS = [
    (
        "https://api.example.com/v2/x?cursor=b&take=3",
        "https://api.example.com/v2/x?cursor=b&take=3",
    ),
    ("/v2/x?cursor=b", "https://api.example.com/v2/x?cursor=b"),
    ("?cursor=b", "https://api.example.com/v2/x?cursor=b"),
]


@pytest.mark.parametrize(("link", "address"), LINKS)
def test_links_are_followed_as_they_are(link, address) -> None:
    first = {"data": rows(1), "links": {"next": link}}
    client = Scripted({"/x?take=3": first, address: {"data": rows(2), "links": {}}})
    listing = Listing(path="/x", records_at="data", paginator=LINK, params={"take": "3"})

    pages = list(walk(client, listing, max_pages=9))

    assert [page.rows for page in pages] == [rows(1), rows(2)]
    assert client.asked == ["/x?take=3", address]


class Stubborn:
    """A service that ignores what page is asked for."""

    def __init__(self, page: dict) -> None:
        self._page = page

    def get(self, path: str, params: dict, **_: object) -> dict:
        return self._page


FULL = {"data": rows(*range(30)), "total": 400, "pages": 9, "next": "/x", "links": {"next": "/x"}}
BIG = {"size": 30}
CIRCLES = [
    OffsetPages(offset_param="skip", limit_param="take", **BIG),
    OffsetPages(offset_param="skip", limit_param="take", total_at="total", **BIG),
    NumberedPages(param="page", **BIG),
    NumberedPages(param="page", total_at="total", **BIG),
    NumberedPages(param="page", pages_at="pages", **BIG),
    NumberedPages(param="page", more_at="next", **BIG),
]


@pytest.mark.parametrize("paginator", CIRCLES)
@pytest.mark.parametrize("workers", [1, 4])
def test_a_page_that_comes_again_is_a_circle(paginator, workers) -> None:
    listing = Listing(path="/x", records_at="data", paginator=paginator)

    with pytest.raises(AnswerError, match="circle"):
        list(walk(Stubborn(FULL), listing, max_pages=50, workers=workers))


class Endless:
    """A list that goes on for ever."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, path: str, params: dict, **_: object) -> dict:
        start = int(params.get("skip", 0)) or int(params.get("page", 1)) * 3
        self.asked.append(str(start))
        return {"data": rows(*range(start, start + 3)), "total": 10**9}


@pytest.mark.parametrize("paginator", [OFFSET, NumberedPages(param="page", size=3)])
@pytest.mark.parametrize("workers", [1, 4])
def test_pages_without_end_are_stopped_and_not_asked_for(paginator, workers) -> None:
    service = Endless()
    listing = Listing(path="/x", records_at="data", paginator=paginator)

    with pytest.raises(AnswerError, match="do not end"):
        list(walk(service, listing, max_pages=20, workers=workers))
    assert len(service.asked) == 20


def test_a_list_that_never_holds_still_is_an_error() -> None:
    class Restless(Endless):
        def get(self, path: str, params: dict, **_: object) -> dict:
            self.asked.append("")
            number, mine = int(params["page"]), len(self.asked)
            return {"data": rows(*([f"{mine}-{n}" for n in range(3)] if number < 3 else []))}

    listing = Listing(path="/x", records_at="data", paginator=NUMBERED)

    with pytest.raises(AnswerError, match="changes faster"):
        list(walk(Restless(), listing, max_pages=50))


def test_offset_pages_need_ids() -> None:
    class Nameless(Endless):
        def get(self, path: str, params: dict, **_: object) -> dict:
            return {"data": [{"name": "x"}] * 3}

    listing = Listing(path="/x", records_at="data", paginator=OFFSET)

    with pytest.raises(AnswerError, match="no 'id'"):
        list(walk(Nameless(), listing, max_pages=50))
