"""Rolling windows: how much of a limit was used lately."""

from dataclasses import dataclass, field

PARTS = 50
"""Uses within this fraction of the span are remembered as one, at the time of the last of them."""
LONG = 600.0
"""Seconds. The count of a longer window is the service's own matter: many restart at midnight."""


@dataclass(slots=True)
class Window:
    """What of one limit is used. Times are the ledger's, in seconds.

    A use counts from the moment in which the service had certainly met it (its answer was here)
    for the whole span. The service met it earlier, so it never counts more in a span than we do.
    """

    seconds: float = 0.0
    limit: int | None = None
    """The limit, as the service itself told it last."""
    hits: list[tuple[float, int]] = field(default_factory=list)

    @property
    def used(self) -> int:
        """How much counts now."""
        return sum(count for _, count in self.hits)

    def forget(self, now: float) -> None:
        """Drop what counts no longer."""
        self.hits = [hit for hit in self.hits if hit[0] > now - self.seconds]

    def add(self, at: float, count: int) -> None:
        """Count a use that the service had met by `at`."""
        part = self.seconds / PARTS
        last, before = self.hits[-1] if self.hits else (0.0, 0)
        if self.hits and at >= last and at // part == last // part:
            self.hits[-1] = (at, before + count)
        else:
            self.hits.append((at, count))
            self.hits.sort()

    def free_at(self, amount: int) -> float | None:
        """When `amount` of what is used will count no longer; None: so much is not used."""
        for at, count in self.hits:
            amount -= count
            if amount <= 0:
                return at + self.seconds
        return None

    def correct(self, used: int, on_the_way: int, now: float, whole_in: float | None) -> None:
        """Take over what the service says is used, by us and by others.

        It may have met the requests that are `on_the_way`, or not. Answers overtake each other,
        so a short window never goes down by what one of them says; in a long one that is moot.
        """
        more = used - self.used - on_the_way
        if more > 0:
            span = self.seconds if whole_in is None else min(whole_in, self.seconds)
            self.hits.append((now - self.seconds + span, more))
            self.hits.sort()
        elif self.seconds >= LONG:
            self._lower(self.used - used)

    def _lower(self, amount: int) -> None:
        while amount > 0 and self.hits:
            at, count = self.hits.pop(0)
            if count > amount:
                self.hits.insert(0, (at, count - amount))
            amount -= count
