"""A list that moves while it is read: every record that was there throughout is met."""

import threading
from dataclasses import dataclass
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations_pipeline.connectors.base import Listing
from integrations_pipeline.connectors.open_pages import NumberedPages, OffsetPages
from integrations_pipeline.connectors.paging import CursorPages, LastIdPages
from integrations_pipeline.sync.walking import walk

Version = list[int]


@dataclass
class Moving:
    """A service whose list has another version for each request; ids never come back."""

    versions: list[Version]
    seen_at: list[int]
    """Which version the first, second, … request sees; later ones see the last of these."""
    total: bool

    def __post_init__(self) -> None:
        self._asked = 0
        self._lock = threading.Lock()

    def get(self, path: str, params: dict, **_: object) -> dict:
        with self._lock:
            at = self.seen_at[min(self._asked, len(self.seen_at) - 1)]
            self._asked += 1
        version = self.versions[at]
        start, size = self._window(version, params)
        page = version[start : start + size]
        answer = {"data": [{"id": one} for one in page], "more": start + size < len(version)}
        answer["cursor"] = page[-1] if page and answer["more"] else None
        return {**answer, "total": len(version)} if self.total else answer

    def _window(self, version: Version, params: dict) -> tuple[int, int]:
        size = int(params["size"])
        if "page" in params:
            return (int(params["page"]) - 1) * size, size
        if "offset" in params:
            return int(params["offset"]), size
        after = int(params.get("after", -1))
        return sum(one <= after for one in version), size

    @property
    def throughout(self) -> set[int]:
        """What every request could have seen."""
        return set.intersection(*(set(self.versions[at]) for at in {*self.seen_at}))


Edits = list[tuple[bool, list[int]]]


def edited(count: int, edits: Edits) -> list[Version]:
    """The versions of a list of ids in order, each made from the last by deletes or inserts."""
    used = {n * 10 for n in range(count)}
    versions = [sorted(used)]
    for deletes, places in edits:
        now = list(versions[-1])
        for place in places:
            if deletes and now:
                now.pop(place % len(now))
            elif not deletes and place not in used:
                used.add(place)
                now = sorted([*now, place])
        versions.append(now)
    return versions


EDITS = st.lists(
    st.tuples(st.booleans(), st.lists(st.integers(0, 600), min_size=1, max_size=6)), max_size=4
)
COUNT = st.integers(0, 60)
SIZE = st.integers(4, 12)
WORKERS = st.sampled_from([1, 3])


def paginator(kind: str, size: int):
    offset = {"offset_param": "offset", "limit_param": "size", "size": size}
    numbered = {"param": "page", "size_param": "size", "size": size}
    return {
        "offset": lambda: OffsetPages(**offset),
        "offset, total": lambda: OffsetPages(**offset, total_at="total"),
        "offset, unsure": lambda: OffsetPages(**offset, short_is_last=False),
        "number": lambda: NumberedPages(**numbered),
        "number, flag": lambda: NumberedPages(**numbered, more_at="more"),
        "number, total": lambda: NumberedPages(**numbered, total_at="total"),
        "cursor": lambda: CursorPages("after", "cursor"),
        "last id": lambda: LastIdPages("after", "more"),
    }[kind]()


def met(service: Moving, kind: str, size: int, workers: int) -> list[int]:
    listing = Listing(
        path="/x", records_at="data", paginator=paginator(kind, size), params={"size": str(size)}
    )
    pages = walk(service, listing, max_pages=5000, workers=workers)
    return [row["id"] for page in pages for row in page.rows]


OFFSETS = ["offset", "offset, total", "offset, unsure"]
KINDS = [*OFFSETS, "number", "number, flag", "number, total", "cursor", "last id"]


@pytest.mark.parametrize("kind", KINDS)
@given(count=COUNT, edits=EDITS, size=SIZE, workers=WORKERS, data=st.data())
@settings(max_examples=150, deadline=None)
def test_edits_between_requests_make_nothing_skipped(
    kind, count, edits, size, workers, data
) -> None:
    versions = edited(count, edits)
    gaps = st.lists(st.integers(0, 1), min_size=30, max_size=30)
    steps = accumulate(data.draw(gaps))
    seen_at = [min(step, len(versions) - 1) for step in steps]
    service = Moving(versions, seen_at, total="total" in kind)

    # without a total each request sees any number of edits; with one, edits of one kind
    assert service.throughout <= set(met(service, kind, size, workers))


@pytest.mark.parametrize("kind", OFFSETS)
@given(count=COUNT, edits=EDITS, size=SIZE, workers=WORKERS, data=st.data())
@settings(max_examples=150, deadline=None)
def test_offset_pages_may_be_of_any_age(kind, count, edits, size, workers, data) -> None:
    versions = edited(count, edits)
    ages = st.lists(st.integers(0, len(versions) - 1), min_size=1, max_size=40)
    service = Moving(versions, data.draw(ages), total="total" in kind)

    assert service.throughout <= set(met(service, kind, size, workers))


@pytest.mark.parametrize("kind", KINDS)
@given(count=COUNT, size=SIZE, workers=WORKERS)
@settings(deadline=None)
def test_a_list_that_stands_still_is_met_once(kind, count, size, workers) -> None:
    still = [n * 10 for n in range(count)]
    service = Moving([still], [0], total="total" in kind)

    assert met(service, kind, size, workers) == still
