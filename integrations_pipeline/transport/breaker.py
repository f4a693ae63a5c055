"""A circuit breaker: an account that fails again and again is left in peace, then tried once."""

from dataclasses import dataclass

FAILURES = 5
"""So many failures in a row open it."""
FIRST_REST, LONGEST_REST = 2.0, 60.0
"""Seconds. Each trial that fails doubles the rest."""
TRIAL_SECONDS = 90.0
"""A trial that did not report by then died, and another one may be made."""
LOOK = 0.5
"""Seconds after which to look how the trial went."""
RETRIES = 8.0
"""So many requests may be tried again while nothing succeeds."""
PER_SUCCESS = 0.2
PER_SECOND = 1 / 30


@dataclass(slots=True)
class Breaker:
    """Failures of one account: no answers, and answers 5xx."""

    failures: int = 0
    """In a row."""
    since: float = 0.0
    """When the first of them was."""
    until: float = 0.0
    """When the account is tried again; 0: it is not left in peace."""
    trials: int = 0
    trial: str = ""
    """The ticket of the only request that is let through."""
    trial_ends: float = 0.0
    retries: float = RETRIES
    counted_at: float = 0.0

    def ready(self, ticket: str, now: float) -> float:
        """When a request may go."""
        if not self.until or now < self.until:
            return self.until
        tried = self.trial not in ("", ticket) and now < self.trial_ends
        return now + LOOK if tried else 0.0

    def begin(self, ticket: str, now: float) -> bool:
        """Whether the request that goes now is the trial."""
        if not self.until:
            return False
        self.trial, self.trial_ends = ticket, now + TRIAL_SECONDS
        return True

    def answered(self, ticket: str) -> bool:
        """Take note of an answer; whether it ended the rest. Only the trial's answer does."""
        ends = bool(self.until) and ticket == self.trial
        if ends or not self.until:
            self.failures, self.since, self.until = 0, 0.0, 0.0
            self.trials, self.trial = 0, ""
        return ends

    def failed(self, ticket: str, now: float) -> None:
        """Take note of a failure."""
        if not self.failures:
            self.since = now
        self.failures += 1
        if ticket == self.trial or (not self.until and self.failures >= FAILURES):
            self.until = now + min(FIRST_REST * 2.0 ** min(self.trials, 9), LONGEST_REST)
            self.trials, self.trial = self.trials + 1, ""

    def earn(self, successes: int, now: float) -> None:
        """What succeeds pays for what is tried again; time does so as well, a little."""
        waited = now - self.counted_at if self.counted_at else 0.0
        earned = successes * PER_SUCCESS + waited * PER_SECOND
        self.retries, self.counted_at = min(RETRIES, self.retries + earned), now

    def retry(self) -> bool:
        """Whether a request may be tried again."""
        if self.retries < 1:
            return False
        self.retries -= 1
        return True
