"""Paginators of lists whose pages can be asked for without knowing the one before, side by side.

Such a list can move while it is read: a record that is deleted further up draws all that follow
one place up, over the border of a page that was read already. `missed` notices it.
"""

from dataclasses import dataclass
from typing import Any

from integrations_pipeline.connectors.paging import Page, Position, Rows, dig
from integrations_pipeline.errors import AnswerError

ANCHORS = 20
"""Ids of a page's last records that a position holds, to recognise them on the next page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetPages:
    """Pages by offset. Each begins with the last record of the page before.

    A record that was there all the time, and was not met, stands behind every record met so far.
    So a page that shows one of these again can't have been drawn past it: nothing was skipped,
    whichever of the two pages was fetched first. A page that shows none is read again from further
    up. This holds while the order of two records stays the same, as by id or by time of creation.
    """

    offset_param: str
    limit_param: str
    size: int
    """Records asked for, at least 2."""
    total_at: str = ""
    """Path of the number of all records, where the answer tells it."""
    short_is_last: bool = True
    """Whether a page with fewer records than asked for is the last one, where no total is told."""
    id_at: str = "id"
    keeps_position: bool = False

    @property
    def twice(self) -> bool:
        """Whether only a second reading shows that the list stood still: no."""
        return False

    def params(self, position: Position | None) -> dict[str, str]:
        """Offset and limit."""
        return {self.offset_param: str(_offset(position)), self.limit_param: str(self.size)}

    def after(self, position: Position | None, page: Page, rows: Rows) -> Position | None:
        """The place of the page's last record, and by what to recognise it."""
        step = max(len(rows) - 1, 1)
        ids = [self._id(row) for row in rows[-ANCHORS:]]
        return {"offset": _offset(position) + step, "last": ids}

    def ended(self, position: Position | None, page: Page, rows: Rows) -> bool:
        """A page that is short: of what was asked for, and of the total where one is told."""
        if len(rows) >= self.size:
            return False
        total = _number(page, self.total_at)
        reached = total is not None and _offset(position) + len(rows) >= total
        over = self.short_is_last if total is None else reached
        return over or not self.fresh(position, list(rows))

    def behind(self, position: Position) -> Position:
        """Where the page after the one at `position` begins, if that one is full."""
        return {"offset": _offset(position) + self.size - 1}

    def within(self, position: Position, page: Page) -> bool:
        """Whether there is a page at `position`, as far as another page of the list tells."""
        total = _number(page, self.total_at)
        return total is None or _offset(position) + 1 < total

    def missed(self, position: Position | None, page: Page, rows: Rows) -> Position | None:
        """Nearly a page further up, if the page shows no record of the one before."""
        start = _offset(position)
        if not position or start == 0 or len(self.fresh(position, list(rows))) < len(rows):
            return None
        return {**position, "offset": max(0, start - max(self.size - 2, 1))}

    def fresh(self, position: Position | None, rows: list[Any]) -> list[Any]:
        """The rows without those whose ids the position holds: they were met before."""
        last = set((position or {}).get("last", ()))
        return [row for row in rows if self._id(row) not in last] if last else rows

    def _id(self, row: Any) -> str:
        found = dig(row, self.id_at)
        if found is None:
            raise AnswerError(f"A record has no {self.id_at!r}, so its page can't be checked.")
        return str(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedPages:
    """Pages by number. They can't overlap, so the total tells when the list has moved.

    A total that has become smaller sends the walk back by as many records. Where as many were
    inserted between the same two requests, this is not seen. Where no total is told at all, the
    list is read until two readings in a row show the same ids on every page.
    """

    param: str
    size: int
    """Records of a full page."""
    size_param: str = ""
    """Parameter that takes the size, where the service has one."""
    first: int = 1
    total_at: str = ""
    """Path of the number of all records."""
    pages_at: str = ""
    """Path of the number of pages."""
    more_at: str = ""
    """Path of a flag or link that says there is a next page."""
    id_at: str = "id"
    keeps_position: bool = False

    @property
    def twice(self) -> bool:
        """Whether only a second reading shows that the list stood still."""
        return not self.total_at

    def params(self, position: Position | None) -> dict[str, str]:
        """The number, and the size where it can be said."""
        size = {self.size_param: str(self.size)} if self.size_param else {}
        return {self.param: str(self._page(position)), **size}

    def after(self, position: Position | None, page: Page, rows: Rows) -> Position | None:
        """The next number, and the total until now."""
        total = _number(page, self.total_at)
        known = {} if total is None else {"total": total}
        return {"page": self._page(position) + 1, **known}

    def ended(self, position: Position | None, page: Page, rows: Rows) -> bool:
        """A flag or a number of pages decides; else a page that is not full, or the total."""
        if self.more_at:
            return not dig(page, self.more_at)
        pages, total = _number(page, self.pages_at), _number(page, self.total_at)
        read = self._page(position) - self.first + 1
        if pages is not None:
            return read >= pages
        return len(rows) < self.size and (not rows or total is None or read * self.size >= total)

    def behind(self, position: Position) -> Position:
        """Where the page after the one at `position` begins."""
        return {"page": self._page(position) + 1}

    def within(self, position: Position, page: Page) -> bool:
        """Whether there is a page at `position`, as far as another page of the list tells."""
        before = self._page(position) - self.first
        pages, total = _number(page, self.pages_at), _number(page, self.total_at)
        if pages is not None:
            return before < pages
        return total is None or before * self.size < total

    def missed(self, position: Position | None, page: Page, rows: Rows) -> Position | None:
        """As many pages further up as the total has lost records."""
        total = _number(page, self.total_at)
        lost = (position or {}).get("total", 0) - total if total is not None else 0
        number = self._page(position)
        if lost <= 0 or number == self.first:
            return None
        return {"page": max(self.first, number - -(-lost // self.size)), "total": total}

    def fresh(self, position: Position | None, rows: list[Any]) -> list[Any]:
        """All of them."""
        return rows

    def _page(self, position: Position | None) -> int:
        return int((position or {}).get("page", self.first))


OpenPages = OffsetPages | NumberedPages


def _offset(position: Position | None) -> int:
    return int((position or {}).get("offset", 0))


def _number(page: Page, path: str) -> int | None:
    found = dig(page, path) if path else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None
