"""Spans of time that are still to be read, cut into slices of a fitting size."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

GROWTH = 4
"""A slice is at most so many times as long as the last one."""
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Slice:
    """Unix seconds, from `since` to just before `until`."""

    since: int
    until: int

    @property
    def start(self) -> datetime:
        """The first moment."""
        return datetime.fromtimestamp(self.since, UTC)

    @property
    def end(self) -> datetime:
        """The moment behind the last one."""
        return datetime.fromtimestamp(self.until, UTC)

    def told(self) -> list[int]:
        """As progress keeps it."""
        return [self.since, self.until]


class Slices:
    """What is left of some spans, and the slices that are being read; the latest come first."""

    def __init__(
        self,
        left: Sequence[Sequence[int]],
        *,
        records: int,
        width: int,
        unit: int = 1,
        longest: int = 0,
    ) -> None:
        """Slices of about so many `records`.

        `width`: length of the first ones, in seconds; `unit`: what lengths are multiples of;
        `longest`: a limit to their growth (0: none).
        """
        self.width = width
        self._left = [Slice(since, until) for since, until in left]
        self._records = records
        self._unit = unit
        self._longest = longest
        self._open: list[Slice] = []

    @property
    def left(self) -> list[list[int]]:
        """All that is not done yet; a slice is done as a whole."""
        return [one.told() for one in (*self._left, *self._open)]

    def take(self) -> Slice | None:
        """The next slice to read, or None when all are done or being read."""
        if not self._left:
            return None
        span = self._left.pop()
        border = max(span.since, span.until - self.width)
        if border > span.since:
            self._left.append(Slice(span.since, border))
        taken = Slice(border, span.until)
        self._open.append(taken)
        return taken

    def done(self, one: Slice, records: int) -> None:
        """A slice was read to its end; the next ones are cut by how much was in it."""
        self._open.remove(one)
        length = one.until - one.since
        fitting = min(length * self._records // max(records, 1), length * GROWTH)
        whole = max(fitting // self._unit, 1) * self._unit
        self.width = min(whole, self._longest) if self._longest else whole
