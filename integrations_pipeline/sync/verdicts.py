"""What an intent can come to, in words."""

from integrations_pipeline.store.outbound import IntentState
from integrations_pipeline.sync.counts import Counts
from integrations_pipeline.sync.ledger import Intent, Verdict
from integrations_pipeline.sync.reconciling import Merged

NOTHING = "Nothing to change: the service has it already."
SOURCE_WON = "The service changed it as well, and wins."


class DecidedError(Exception):
    """An intent that is decided before it is sent."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


def rejected(intent: Intent, reason: str) -> Verdict:
    """It can't be done."""
    return Verdict(
        intent=intent,
        state=IntentState.REJECTED,
        reason=reason,
        counts=Counts(processed=1, rejected=1),
    )


def skipped(intent: Intent, reason: str) -> Verdict:
    """There is nothing to do."""
    return Verdict(
        intent=intent,
        state=IntentState.SKIPPED,
        reason=reason,
        counts=Counts(processed=1, unchanged=1),
    )


def held(intent: Intent, merged: Merged) -> Verdict:
    """A person must decide; until then nothing of it is sent."""
    return Verdict(
        intent=intent,
        state=IntentState.HELD,
        reason=f"Both sides changed {', '.join(merged.held)}.",
        conflict={name: one.told() for name, one in merged.held.items()},
    )


def named(intent: Intent) -> str:
    """A record for the story of a job."""
    return intent.record_id or intent.external_id or f"intent {intent.id}"
