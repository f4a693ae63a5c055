"""An account's limits, as one client keeps them: it asks before a request, and reports after it."""

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integrations_pipeline.connectors.access import Per, Quota
from integrations_pipeline.errors import RateLimitedError, TransientError
from integrations_pipeline.transport.account import (
    Account,
    Need,
    Priority,
    Verdict,
    Why,
    Wish,
    latest,
)
from integrations_pipeline.transport.ledger import Ledger, MemoryLedger
from integrations_pipeline.transport.told import tally
from integrations_pipeline.transport.windows import Window

CALM_SECONDS = 1.0
"""How long a look that found nothing the matter is good for, where no limit is declared."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose limits: the keys of their states, and who asks."""

    account: str
    app: str = ""
    user: str = ""
    reserve: float = 0.0
    """Part of the account's limits that is left unused."""


def scope_key(*parts: str) -> str:
    """The key of a state, which tells nobody what it is about."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Leave:
    """The leave to send one request."""

    ticket: str
    quotas: tuple[Quota, ...] = ()
    path: str = ""


@dataclass(slots=True, kw_only=True)
class Result:
    """What came of a request; at first, nobody knows."""

    answered: bool = False
    """A definite answer, good or bad."""
    refused: bool = False
    """The service wants no more requests for now."""
    failed: bool = False
    """No answer, or none that means anything: it may go better later."""
    retry_after: float | None = None
    wants_retry: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


class Limits:
    """Keeps one client's requests within the limits, together with all others that call."""

    def __init__(
        self,
        label: str = "The service",
        quotas: Sequence[Quota] = (),
        *,
        scope: Scope | None = None,
        ledger: Ledger | None = None,
        lease: float = 300.0,
    ) -> None:
        self._label = label
        self._quotas = tuple(quotas)
        self._scope = scope or Scope("account")
        self._ledger = ledger or MemoryLedger()
        self._lease = lease
        self._lock = threading.Lock()
        self._calm_until = 0.0
        self._successes = 0

    def enter(
        self,
        method: str,
        path: str,
        priority: Priority,
        patience: float,
        sleep: Callable[[float], None],
    ) -> Leave:
        """Wait until a request may be sent; `leave` must follow.

        Raises:
            RateLimitedError: it would take longer than `patience`, in seconds.
            TransientError: the account fails, and is left in peace for longer than that.
        """
        quotas = tuple(quota for quota in self._quotas if quota.fits(method, path))
        leave = Leave(secrets.token_hex(6), quotas, path)
        if not quotas and self._is_calm():
            return leave
        wishes = self._wishes(leave, priority)
        ends = time.monotonic() + patience
        while seconds := self._ask(wishes, ends - time.monotonic()):
            sleep(seconds)
        return leave

    def leave(self, leave: Leave, result: Result) -> bool:
        """Report what came of a request; whether the account bears that it is tried again."""
        with self._lock:
            self._successes += result.answered
            untroubled = self._calm_until > 0
        if not leave.quotas and result.answered and untroubled:
            return True
        keys = self._keys(leave.quotas)
        return self._ledger.change(
            keys, lambda states, now: self._report(states, now, leave, result)
        )

    def _is_calm(self) -> bool:
        with self._lock:
            if time.monotonic() >= self._calm_until:
                state, now = self._ledger.look(self._scope.account)
                self._note(state.is_calm(now))
            return time.monotonic() < self._calm_until

    def _note(self, calm: bool) -> None:
        self._calm_until = time.monotonic() + CALM_SECONDS if calm else 0.0

    def _keys(self, quotas: Sequence[Quota]) -> tuple[str, ...]:
        by_app = self._scope.app and any(quota.per is Per.APP for quota in quotas)
        return (self._scope.account, *((self._scope.app,) if by_app else ()))

    def _wishes(self, leave: Leave, priority: Priority) -> dict[str, Wish]:
        scope, wishes = self._scope, {}
        for place, key in enumerate(self._keys(leave.quotas)):
            mine = [quota for quota in leave.quotas if self._key(quota) == key]
            wishes[key] = Wish(
                ticket=leave.ticket,
                user=scope.user,
                priority=priority,
                needs=_needs(mine, leave.path),
                reserve=scope.reserve if place == 0 else 0.0,
                pauses=("", *_pauses(mine)),
                lease=self._lease,
            )
        return wishes

    def _key(self, quota: Quota) -> str:
        return self._scope.app if quota.per is Per.APP else self._scope.account

    def _ask(self, wishes: dict[str, Wish], patience: float) -> float:
        """Seconds to sleep before asking again; 0: the request may go."""

        def act(states: list[Account], now: float) -> tuple[float, Verdict, Account]:
            pairs = list(zip(states, wishes.values(), strict=True))
            verdict = latest([state.ready(wish, now) for state, wish in pairs])
            if verdict.at <= now:
                for state, wish in pairs:
                    state.grant(wish, now)
            elif verdict.at - now <= patience:
                for state, wish in pairs:
                    state.queue(wish, now, min(verdict.sleep(now), patience))
            else:
                for state, wish in pairs:
                    state.waiting.pop(wish.ticket, None)
            return now, verdict, states[0]

        now, verdict, state = self._ledger.change(tuple(wishes), act)
        if verdict.at <= now:
            return 0.0
        if verdict.at - now > patience:
            raise self._too_long(verdict, now, state)
        return min(verdict.sleep(now), patience)

    def _report(self, states: list[Account], now: float, leave: Leave, result: Result) -> bool:
        for state in states:
            state.ended(leave.ticket, now)
        self._learn(states, now, leave, result)
        account = states[0]
        with self._lock:
            account.breaker.earn(self._successes, now)
            self._successes = 0
        if result.refused:
            name = next(iter(_pauses(leave.quotas)), "")
            account.refused(leave.ticket, name, result.retry_after, now)
        elif result.failed:
            account.breaker.failed(leave.ticket, now)
        elif result.answered:
            account.answered(leave.ticket, now)
        with self._lock:
            self._note(account.is_calm(now))
        return not (result.failed and result.wants_retry) or account.breaker.retry()

    def _learn(self, states: list[Account], now: float, leave: Leave, result: Result) -> None:
        for quota in leave.quotas:
            found = tally(quota, result.headers, result.body)
            if found is None:
                continue
            state = states[-1] if self._key(quota) != self._scope.account else states[0]
            key = _window_key(quota, leave.path)
            window = state.windows.setdefault(key, Window(quota.seconds))
            window.limit = window.limit if found.limit is None else found.limit
            if found.used is not None:
                window.correct(found.used, state.on_the_way(key), now, found.whole_in)

    def _too_long(self, verdict: Verdict, now: float, state: Account) -> TransientError:
        wait = verdict.at - now
        when = f"{datetime.fromtimestamp(verdict.at, UTC):%Y-%m-%d %H:%M:%S} UTC"
        if verdict.why is Why.BROKEN:
            since = f"{datetime.fromtimestamp(state.breaker.since, UTC):%Y-%m-%d %H:%M:%S} UTC"
            error = TransientError(
                f"{self._label} has failed {state.breaker.failures} times in a row since {since}; "
                f"it is left in peace and tried again at {when}."
            )
            error.retry_after = wait
            return error
        if verdict.why is Why.PAUSED:
            told = f"{self._label} asked for a pause, which ends at {when}."
        else:
            name = verdict.limit.partition("#")[0]
            told = f"{self._label}'s limit ({name}) is used up; there is room again at {when}."
        return RateLimitedError(told, retry_after=wait)


def _pauses(quotas: Sequence[Quota]) -> tuple[str, ...]:
    return tuple(quota.label for quota in quotas if quota.alone)


def _needs(quotas: Sequence[Quota], path: str) -> tuple[Need, ...]:
    needs: dict[str, Need] = {}
    for quota in quotas:
        key = _window_key(quota, path)
        before = needs[key].cost if key in needs else 0
        needs[key] = Need(key, quota.requests, quota.seconds, quota.concurrent, before + quota.cost)
    return tuple(needs.values())


def _window_key(quota: Quota, path: str) -> str:
    """The limit's name; where parts of the path have it each, with a digest of that part."""
    found = re.search(quota.each, path) if quota.each else None
    return f"{quota.label}#{scope_key(found[0])[:8]}" if found else quota.label
