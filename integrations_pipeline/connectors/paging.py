"""Paginators: pure data and pure functions from the last page to the next request.

A position is JSON that survives a crash: whoever holds it can go on from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from integrations_pipeline.errors import AnswerError

Position = dict[str, Any]
Page = Mapping[str, Any]
Rows = Sequence[Any]


def dig(value: Any, path: str) -> Any:
    """The value at a dotted path (numbers: places in a list), or None where the path ends early."""
    for key in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


class Paginator(Protocol):
    """How a listing goes from one page to the next."""

    @property
    def keeps_position(self) -> bool:
        """True where the last position is the checkpoint of the next sync."""
        ...

    def params(self, position: Position | None) -> dict[str, str]:
        """Query parameters of the page at `position` (None: the first)."""
        ...

    def after(self, position: Position | None, page: Page, rows: Rows) -> Position | None:
        """The position behind `page`; None where it does not tell one."""
        ...

    def ended(self, position: Position | None, page: Page, rows: Rows) -> bool:
        """Whether `page` is the last."""
        ...


@dataclass(frozen=True, slots=True)
class CursorPages:
    """The answer holds the cursor of the next page."""

    param: str
    cursor_at: str
    more_at: str = ""
    """Path of a flag that says there is more; without it a missing cursor is the end."""
    keeps_position: bool = False

    def params(self, position: Position | None) -> dict[str, str]:
        """The cursor, from the second page on."""
        return {self.param: position["cursor"]} if position else {}

    def after(self, position: Position | None, page: Page, rows: Rows) -> Position | None:
        """The cursor that the page names."""
        cursor = dig(page, self.cursor_at)
        return {"cursor": str(cursor)} if cursor else None

    def ended(self, position: Position | None, page: Page, rows: Rows) -> bool:
        """No flag, or no cursor."""
        return not dig(page, self.more_at or self.cursor_at)


@dataclass(frozen=True, slots=True)
class LastIdPages:
    """The next page begins after the id of the last record."""

    param: str
    more_at: str
    id_at: str = "id"
    keeps_position: bool = False

    def params(self, position: Position | None) -> dict[str, str]:
        """The last id, from the second page on."""
        return {self.param: position["last_id"]} if position else {}

    def after(self, position: Position | None, page: Page, rows: Rows) -> Position | None:
        """The id of the page's last record; a broken one without an id is passed over."""
        last = next((found for row in reversed(rows) if (found := dig(row, self.id_at))), None)
        return {"last_id": str(last)} if last else None

    def ended(self, position: Position | None, page: Page, rows: Rows) -> bool:
        """The flag is off, or there is nothing to go on from."""
        return not dig(page, self.more_at) or not rows


@dataclass(frozen=True, slots=True)
class ExportPages:
    """A change export: a start time once, then cursors; the last cursor is the checkpoint."""

    start_param: str
    param: str
    cursor_at: str
    end_at: str
    keeps_position: bool = True

    def params(self, position: Position | None) -> dict[str, str]:
        """A time at first (that of a position without cursor, else 0), then only the cursor."""
        if position and "cursor" in position:
            return {self.param: position["cursor"]}
        return {self.start_param: str(position["time"]) if position else "0"}

    def after(self, position: Position | None, page: Page, rows: Rows) -> Position | None:
        """The cursor behind the page; an empty export may name none and keeps the old one."""
        cursor = dig(page, self.cursor_at)
        return {"cursor": str(cursor)} if cursor else position

    def ended(self, position: Position | None, page: Page, rows: Rows) -> bool:
        """The export says so."""
        return bool(dig(page, self.end_at))


@dataclass(frozen=True, slots=True)
class TimeExportPages:
    """A change export by time: each page begins in the second in which the last one ended.

    A second that holds more records than a page can't be passed so; `past` says how to leave it.
    """

    param: str
    time_at: str
    end_at: str
    page_size: int
    keeps_position: bool = True

    def params(self, position: Position | None) -> dict[str, str]:
        """The time to begin from."""
        return {self.param: str(position["time"]) if position else "0"}

    def after(self, position: Position | None, page: Page, rows: Rows) -> Position | None:
        """The page's end time."""
        time = dig(page, self.time_at)
        if time is not None and not isinstance(time, int):
            raise AnswerError(f"{self.time_at} is no time.")
        return {"time": time} if time else position

    def ended(self, position: Position | None, page: Page, rows: Rows) -> bool:
        """The export says so, or the page is short."""
        return bool(dig(page, self.end_at)) or len(rows) < self.page_size

    def past(self, position: Position) -> Position:
        """The position behind a second that a page leads back to."""
        return {"time": position["time"] + 1}


@dataclass(frozen=True, slots=True)
class LinkPages:
    """The answer holds the address of the next page."""

    link_at: str
    keeps_position: bool = False

    def params(self, position: Position | None) -> dict[str, str]:
        """None: the link holds all of them."""
        return {}

    def after(self, position: Position | None, page: Page, rows: Rows) -> Position | None:
        """The link that the page names."""
        link = dig(page, self.link_at)
        return {"link": str(link)} if link else None

    def ended(self, position: Position | None, page: Page, rows: Rows) -> bool:
        """No link."""
        return not dig(page, self.link_at)
