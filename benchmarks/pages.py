"""The records of the fast API, 1 KB each, assembled from a template so that a page costs little."""

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

PAGE = 1000
EPOCH = 1_750_000_000
"""The record with number n was made, and last changed, n seconds later."""
CHANGED_EVERY = 100
CHANGED_BALANCE = 5_000_000
"""A record of change c (1, 2, ...) has this balance plus c; no other record has so much."""
PAGE_MARK, TIME_MARK = "PPPPPP", "SSSSSSS"
NOTE = "x" * 740


def record(page: str, time: str, place: int, change: int, changed_at: int) -> str:
    """A customer as JSON; `page` and `time` are all digits but the last three of its numbers."""
    changed = change > 0 and place % CHANGED_EVERY == 0
    return (
        f'{{"id":"cus_{page}{place:03d}","object":"customer","created":{time}{place:03d},'
        f'"updated":{changed_at if changed else f"{time}{place:03d}"},'
        f'"email":"person{page}{place:03d}@example.com","name":"Person {page}{place:03d}",'
        f'"currency":"eur","balance":{CHANGED_BALANCE + change if changed else place},'
        f'"delinquent":{"true" if place % 7 == 0 else "false"},"livemode":false,'
        f'"metadata":{{}},"invoice_settings":{{"footer":"{NOTE}"}}}}'
    )


@dataclass(frozen=True)
class Records:
    """All records as they are after change number `change`, which touched 1 % of them."""

    total: int
    change: int = 0
    changed_at: int = 0

    def page(self, number: int) -> bytes:
        """The records of page `number` (from 0) as JSON, without brackets."""
        return _page(self, number)

    def rows(self, numbers: list[int]) -> bytes:
        """The records with these numbers as JSON, without brackets."""
        return ",".join(self._row(number) for number in numbers).encode()

    def since(self, moment: int, after: int) -> list[int]:
        """Numbers above `after` of what changed at or after a moment."""
        made = max(moment - EPOCH, 0)
        late = range(min(max(made, after + 1), self.total), self.total)
        if self.change == 0 or self.changed_at < moment:
            return [n for n in late if self.change == 0 or n % CHANGED_EVERY]
        touched = range(0, late.start, CHANGED_EVERY)
        return [*touched[bisect_left(touched, after + 1) :], *late]

    @cached_property
    def template(self) -> "Template":
        """A full page whose number is still open."""
        rows = (
            record(PAGE_MARK, TIME_MARK, place, self.change, self.changed_at)
            for place in range(PAGE)
        )
        return Template(",".join(rows).encode())

    def _row(self, number: int) -> str:
        page, place = divmod(number, PAGE)
        time = str(EPOCH // PAGE + page)
        return record(f"{page:06d}", time, place, self.change, self.changed_at)


class Template:
    """A page with marks, and where they are."""

    def __init__(self, marked: bytes) -> None:
        self._bytes = np.frombuffer(marked, np.uint8)
        self._pages = _places(marked, PAGE_MARK)
        self._times = _places(marked, TIME_MARK)

    def filled(self, number: int) -> bytes:
        """The page with this number (from 0)."""
        page = self._bytes.copy()
        page[self._pages] = np.frombuffer(b"%06d" % number, np.uint8)
        page[self._times] = np.frombuffer(b"%d" % (EPOCH // PAGE + number), np.uint8)
        return page.tobytes()


def _places(marked: bytes, mark: str) -> NDArray[np.int64]:
    """A line of places for each mark: those of its bytes."""
    starts = [found.start() for found in re.finditer(mark.encode(), marked)]
    return np.array(starts)[:, None] + np.arange(len(mark))


@lru_cache(200)
def _page(records: Records, number: int) -> bytes:
    start = number * PAGE
    if start + PAGE > records.total:
        return records.rows(list(range(start, records.total)))
    return records.template.filled(number)
