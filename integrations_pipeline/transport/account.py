"""What an account allows at the moment: rules over a state that the ledger keeps.

Nothing here reads a clock, waits or stores. Times are the ledger's clock, in seconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum

from integrations_pipeline.transport.breaker import Breaker
from integrations_pipeline.transport.windows import Window

ARRIVES = 10.0
"""Seconds after which a request has reached the service or never will: the connect timeout."""
LOOK = 2.0
"""Who waits for room looks again at least this often, in seconds, and so is known to live."""
GRACE = 1.5
"""Seconds that a waiting request may be late before its place is given away."""
EASE = 5.0
"""Seconds over which requests begin again after a pause, instead of all at once; latecomers have
as long again."""
GAP = 0.05
"""Seconds between two requests meanwhile; less where more wait than fit."""
REMEMBER = 3600.0
MOST_REFUSALS = 6
LONGEST_SLEEP = 30.0
AGES = 60.0
"""Seconds after which a bulk request that still waits counts as an incremental one: else those,
when they never end, would leave it no room at all."""


class Priority(IntEnum):
    """Who goes first; among equals, the tenant that was served longest ago."""

    WEBHOOK = 0
    INCREMENTAL = 1
    BULK = 2


class Why(StrEnum):
    """What a request waits for."""

    NOTHING = "nothing"
    PAUSED = "paused"
    BROKEN = "broken"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Need:
    """What a request uses of one limit."""

    key: str
    requests: int = 0
    seconds: float = 0.0
    concurrent: int = 0
    cost: int = 1


@dataclass(frozen=True, slots=True)
class Wish:
    """A request that wants to be sent."""

    ticket: str
    user: str
    priority: Priority = Priority.INCREMENTAL
    needs: tuple[Need, ...] = ()
    reserve: float = 0.0
    """Part of each limit that is left to others."""
    pauses: tuple[str, ...] = ("",)
    """The pauses that concern it; '' is the whole account's."""
    lease: float = 300.0
    """Seconds after which it has ended, however it went."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Until when a request waits, and why."""

    at: float = 0.0
    why: Why = Why.NOTHING
    limit: str = ""
    turn: float = 0.0
    """Before that it is not its turn for sure."""

    def sleep(self, now: float) -> float:
        """Seconds until the request asks again.

        Every look rewrites the state of all: who is far behind sleeps half of the time until its
        turn, again and again, and so is known to live when it comes.
        """
        far = (self.turn - now) / 2
        longest = LONGEST_SLEEP if self.why is Why.PAUSED else max(LOOK, min(far, LONGEST_SLEEP))
        return max(0.001, min(max(self.at - now, far), longest))


@dataclass(slots=True)
class Waiter:
    """A request that could not be sent yet."""

    user: str
    priority: int
    since: float
    until: float
    """Nobody asked for it up to then: whoever waited is gone."""
    needs: dict[str, int]

    def rank(self, now: float) -> int:
        """Its priority, which grows once when it has waited long."""
        aged = now >= self.since + AGES
        return min(self.priority, Priority.INCREMENTAL) if aged else self.priority


@dataclass(slots=True)
class Running:
    """A request that is under way."""

    since: float
    until: float
    needs: dict[str, int]
    counted: bool = False


@dataclass(slots=True)
class Account:
    """The state of one account, or of one app over all its accounts."""

    windows: dict[str, Window] = field(default_factory=dict)
    running: dict[str, Running] = field(default_factory=dict)
    waiting: dict[str, Waiter] = field(default_factory=dict)
    served: dict[str, float] = field(default_factory=dict)
    pauses: dict[str, float] = field(default_factory=dict)
    refusals: int = 0
    """Refusals (429) in a row."""
    eased_from: float = 0.0
    next_at: float = 0.0
    breaker: Breaker = field(default_factory=Breaker)

    def is_calm(self, now: float) -> bool:
        """Whether nothing is the matter: who needs no limit may pass without asking."""
        self._forget(now)
        return not (self.pauses or self.refusals or self.eased_from or self.breaker.failures)

    def ready(self, wish: Wish, now: float) -> Verdict:
        """When the request may be sent, as things stand; a time up to `now` means at once."""
        self._forget(now)
        pause = max((self.pauses.get(name, 0.0) for name in wish.pauses), default=0.0)
        ahead = self._ahead(wish, now)
        found = [
            Verdict(),
            Verdict(max(pause, self._eased(len(ahead), now)), Why.PAUSED),
            Verdict(self.breaker.ready(wish.ticket, now), Why.BROKEN),
        ]
        for need in wish.needs:
            before = [waiter.needs[need.key] for waiter in ahead if need.key in waiter.needs]
            found.append(self._room(need, before, wish.reserve, now))
        verdict = latest(found)
        return replace(verdict, turn=min(verdict.turn, self._ages_at(wish, now)))

    def grant(self, wish: Wish, now: float) -> None:
        """Let the request go; `report` must follow."""
        self.waiting.pop(wish.ticket, None)
        self.served[wish.user] = now
        if self.eased_from:
            gap = min(GAP, EASE / max(1, len(self.waiting)))
            self.next_at = max(now, self.next_at) + gap
        probing = self.breaker.begin(wish.ticket, now)
        if wish.needs or probing:
            needs = {need.key: need.cost for need in wish.needs}
            self.running[wish.ticket] = Running(now, now + wish.lease, needs)
        for need in wish.needs:
            if need.seconds:
                self.windows.setdefault(need.key, Window()).seconds = need.seconds

    def queue(self, wish: Wish, now: float, seconds: float) -> None:
        """Keep a place for the request, which asks again in so many seconds."""
        known = self.waiting.get(wish.ticket)
        self.waiting[wish.ticket] = Waiter(
            user=wish.user,
            priority=wish.priority,
            since=known.since if known else now,
            until=now + seconds + GRACE,
            needs={need.key: need.cost for need in wish.needs},
        )

    def ended(self, ticket: str, now: float) -> None:
        """The request has ended, whatever came of it."""
        self._forget(now)
        ran = self.running.pop(ticket, None)
        if ran is not None and not ran.counted:
            self._count(ran, now)

    def answered(self, ticket: str, now: float) -> None:
        """The service is there."""
        self.refusals = 0
        if self.breaker.answered(ticket):
            self._ease(now)

    def refused(self, ticket: str, name: str, seconds: float | None, now: float) -> None:
        """The service wants no more requests for a while; where it does not say, longer each time.

        `name` tells which requests are meant; '' is all of them.
        """
        self.breaker.answered(ticket)
        if seconds is None:
            seconds = 2.0 ** min(self.refusals, MOST_REFUSALS)
        self.refusals += 1
        self.pauses[name] = max(self.pauses.get(name, 0.0), now + seconds)
        if not name:  # single methods have narrow limits, which do the same
            self._ease(self.pauses[name])

    def on_the_way(self, key: str) -> int:
        """How much of a limit is under way."""
        running = self.running.values()
        return sum(ran.needs.get(key, 0) for ran in running if not ran.counted)

    def _ease(self, begin: float) -> None:
        self.eased_from = max(self.eased_from, begin)

    def _eased(self, ahead: int, now: float) -> float:
        gap = min(GAP, EASE / max(1, len(self.waiting)))
        at = max(self.eased_from, self.next_at, now if ahead else 0.0) + ahead * gap
        return at if self.eased_from else 0.0

    def _ahead(self, wish: Wish, now: float) -> list[Waiter]:
        """Who is served before: by priority, then tenants in turn."""
        queue = dict(self.waiting)
        if wish.ticket not in queue:
            queue[wish.ticket] = Waiter(wish.user, wish.priority, now, now, {})
        turns: dict[tuple[int, str], int] = {}
        order = []
        for ticket, waiter in sorted(queue.items(), key=lambda one: one[1].since):
            whose = (waiter.rank(now), waiter.user)
            turns[whose] = turns.get(whose, 0) + 1
            rank = (whose[0], turns[whose], self.served.get(waiter.user, 0.0), waiter.since)
            order.append((rank, ticket))
        tickets = [ticket for _, ticket in sorted(order)]
        return [queue[ticket] for ticket in tickets[: tickets.index(wish.ticket)]]

    def _ages_at(self, wish: Wish, now: float) -> float:
        """When a request goes up in rank; in the time before, its turn may be far."""
        known = self.waiting.get(wish.ticket)
        ages = (known.since if known else now) + AGES
        return ages if wish.priority > Priority.INCREMENTAL and ages > now else math.inf

    def _room(self, need: Need, before: list[int], reserve: float, now: float) -> Verdict:
        """When there is room for the request, and for those before it, which need so much each."""
        under_way = sum(need.key in ran.needs for ran in self.running.values())
        if need.concurrent and under_way + len(before) >= _part(need.concurrent, reserve):
            return Verdict(now + GAP * (1 + len(before)), Why.FULL, need.key)
        window = self.windows.get(need.key, Window())
        limit = need.requests if window.limit is None else window.limit
        used = window.used + self.on_the_way(need.key) + sum(before)
        over = used + need.cost - max(_part(limit, reserve), need.cost)
        if not limit or not need.seconds or over <= 0:
            return Verdict()
        free = window.free_at(over)
        if free is not None:
            return Verdict(free, Why.FULL, need.key, free)
        # one window's worth may end at any moment, the next only a window later
        turn = now + need.seconds * (over / limit - 1)
        return Verdict(now + need.seconds, Why.FULL, need.key, turn)

    def _count(self, ran: Running, at: float) -> None:
        ran.counted = True
        for key, cost in ran.needs.items():
            if key in self.windows:
                self.windows[key].add(at, cost)

    def _forget(self, now: float) -> None:
        for ran in self.running.values():
            if not ran.counted and now >= ran.since + ARRIVES:
                self._count(ran, ran.since + ARRIVES)
        self.running = {t: ran for t, ran in self.running.items() if ran.until > now}
        self.waiting = {t: one for t, one in self.waiting.items() if one.until > now}
        self.served = {user: at for user, at in self.served.items() if at > now - REMEMBER}
        self.pauses = {name: until for name, until in self.pauses.items() if until > now}
        if self.eased_from and now >= self.eased_from + 2 * EASE:
            self.eased_from = self.next_at = 0.0
        for window in self.windows.values():
            window.forget(now)
        self.windows = {
            key: one
            for key, one in self.windows.items()
            if one.hits
            or one.limit is not None
            or any(key in ran.needs for ran in self.running.values())
        }


def latest(verdicts: Sequence[Verdict]) -> Verdict:
    """The one that waits longest, with the latest turn of all."""
    longest = max(verdicts, key=lambda verdict: verdict.at)
    return replace(longest, turn=max(verdict.turn for verdict in verdicts))


def _part(limit: int, reserve: float) -> int:
    """What is left of a limit. Of a small one nothing whole can be kept free."""
    return limit - int(limit * reserve)
