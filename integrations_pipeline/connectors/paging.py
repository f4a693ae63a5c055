"""Paginators: pure data and pure functions from the last page to the next request.

A position is JSON that survives a crash: whoever holds it can go on from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from integrations_pipeline.errors import AnswerError

Position = dict[str, Any]
Page = Mapping[str, Any]


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

    def after(self, position: Position | None, page: Page) -> Position | None:
        """The position behind `page`; None where it does not tell one."""
        ...

    def ended(self, page: Page, records: Sequence[Any]) -> bool:
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

    def after(self, position: Position | None, page: Page) -> Position | None:
        """The cursor that the page names."""
        cursor = dig(page, self.cursor_at)
        return {"cursor": str(cursor)} if cursor else None

    def ended(self, page: Page, records: Sequence[Any]) -> bool:
        """No flag, or no cursor."""
        return not dig(page, self.more_at or self.cursor_at)


@dataclass(frozen=True, slots=True)
class LastIdPages:
    """The next page begins after the id of the last record."""

    param: str
    more_at: str
    id_at: str = "id"
    records_at: str = "data"
    keeps_position: bool = False

    def params(self, position: Position | None) -> dict[str, str]:
        """The last id, from the second page on."""
        return {self.param: position["last_id"]} if position else {}

    def after(self, position: Position | None, page: Page) -> Position | None:
        """The id of the page's last record."""
        records = page.get(self.records_at) or [{}]
        last = dig(records[-1], self.id_at)
        return {"last_id": str(last)} if last else None

    def ended(self, page: Page, records: Sequence[Any]) -> bool:
        """The flag is off, or there is nothing to go on from."""
        return not dig(page, self.more_at) or not records


@dataclass(frozen=True, slots=True)
class ExportPages:
    """A change export: a start time once, then cursors; the last cursor is the checkpoint."""

    start_param: str
    param: str
    cursor_at: str
    end_at: str
    keeps_position: bool = True

    def params(self, position: Position | None) -> dict[str, str]:
        """The beginning of time at first, then nothing but the cursor."""
        return {self.param: position["cursor"]} if position else {self.start_param: "0"}

    def after(self, position: Position | None, page: Page) -> Position | None:
        """The cursor behind the page; an empty export may name none and keeps the old one."""
        cursor = dig(page, self.cursor_at)
        return {"cursor": str(cursor)} if cursor else position

    def ended(self, page: Page, records: Sequence[Any]) -> bool:
        """The export says so."""
        return bool(dig(page, self.end_at))


@dataclass(frozen=True, slots=True)
class TimeExportPages:
    """A change export by time: each page begins where the last one ended."""

    param: str
    time_at: str
    end_at: str
    page_size: int
    keeps_position: bool = True

    def params(self, position: Position | None) -> dict[str, str]:
        """The time to begin from."""
        return {self.param: str(position["time"]) if position else "0"}

    def after(self, position: Position | None, page: Page) -> Position | None:
        """The page's end time."""
        time = dig(page, self.time_at)
        if time is not None and not isinstance(time, int):
            raise AnswerError(f"{self.time_at} is no time.")
        return {"time": time} if time else position

    def ended(self, page: Page, records: Sequence[Any]) -> bool:
        """The export says so, or the page is short."""
        return bool(dig(page, self.end_at)) or len(records) < self.page_size
