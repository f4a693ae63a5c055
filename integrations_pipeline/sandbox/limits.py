"""Request budgets counted over rolling windows, as the services count them."""

import math
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """So many requests in so many seconds."""

    name: str
    total: int
    seconds: float


@dataclass(frozen=True)
class Usage:
    """How far a budget is spent, the present request included when it was allowed."""

    budget: Budget
    used: int
    frees_in: float
    refused: bool = False

    @property
    def remaining(self) -> int:
        return max(0, self.budget.total - self.used)

    @property
    def wait_seconds(self) -> int:
        return max(1, math.ceil(self.frees_in))


class RollingWindows:
    """The recent requests of every account, by budget."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str], deque[float]] = defaultdict(deque)

    def spend(self, account: str, budgets: Sequence[Budget], now: float) -> list[Usage]:
        """Count a request against all the budgets, or against none if one is used up."""
        windows = [self._window(account, budget, now) for budget in budgets]
        pairs = list(zip(budgets, windows, strict=True))
        if all(len(window) < budget.total for budget, window in pairs):
            for window in windows:
                window.append(now)
            return [_usage(budget, window, now) for budget, window in pairs]
        return [
            _usage(budget, window, now, refused=len(window) >= budget.total)
            for budget, window in pairs
        ]

    def _window(self, account: str, budget: Budget, now: float) -> deque[float]:
        window = self._times[account, budget.name]
        while window and window[0] <= now - budget.seconds:
            window.popleft()
        return window


def _usage(budget: Budget, window: deque[float], now: float, *, refused: bool = False) -> Usage:
    oldest = window[0] if window else now
    return Usage(budget, len(window), oldest + budget.seconds - now, refused)
