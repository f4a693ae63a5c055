"""Attempts whose outcome nobody knows: looked up at the service before anything is sent again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from integrations_pipeline.connectors.pushing import Outcome, Push
from integrations_pipeline.store.outbound import IntentState, Operation
from integrations_pipeline.sync.finding import Finder
from integrations_pipeline.sync.ledger import Attempt, Intent, Ledger, Verdict
from integrations_pipeline.sync.mirroring import Mirror
from integrations_pipeline.sync.records import Change
from integrations_pipeline.sync.sending import Delivery, Sender, done
from integrations_pipeline.sync.verdicts import rejected
from integrations_pipeline.sync.writable import Fields

SKEW = timedelta(minutes=2)
"""The service's clock and ours may differ by this much."""
MOST_ATTEMPTS = 8


@dataclass(slots=True)
class Found:
    """What a look at the service told."""

    delivery: Delivery = field(default_factory=Delivery)
    changes: list[Change] = field(default_factory=list)
    """The records that were read meanwhile."""

    def decide(self, verdict: Verdict) -> None:
        """Keep a verdict."""
        self.delivery.verdicts.append(verdict)


class Recoverer:
    """Finds out what became of attempts at one resource's records."""

    def __init__(
        self,
        push: Push,
        ledger: Ledger,
        fields: Fields,
        finder: Finder,
        mirror: Mirror,
        sender: Sender,
    ) -> None:
        self._push = push
        self._ledger = ledger
        self._fields = fields
        self._finder = finder
        self._mirror = mirror
        self._sender = sender

    def recover(self, intents: Sequence[Intent]) -> Found:
        """What is certain now; the others stay `lost`.

        Raises:
            ServiceError: the service does not tell.
        """
        found = Found()
        by_job = [one for one in intents if one.remote_job]
        self._by_job(by_job, found)
        again = [one for one in intents if not one.remote_job and self._is_known_again(one)]
        self._repeat(again, found)
        apart = {one.id for one in (*by_job, *again)}
        left = [one for one in intents if one.id not in apart]
        self._by_id([one for one in left if one.remote_id], found)
        self._without_id([one for one in left if not one.remote_id], found)
        return found

    def _by_job(self, intents: list[Intent], found: Found) -> None:
        """What background jobs of the service do; as long as they work, nothing is sent again."""
        jobs: dict[tuple[str, str], dict[int, Attempt]] = {}
        for one in intents:
            job = jobs.setdefault((one.sent_as, one.remote_job), {})
            job[one.remote_place] = attempt_of(one)
        for (operation, remote_job), attempts in jobs.items():
            found.delivery += self._sender.ask(operation, remote_job, attempts)

    def _repeat(self, intents: list[Intent], found: Found) -> None:
        """Send once more what the service knows again."""
        for operation in dict.fromkeys(one.sent_as for one in intents):
            attempts = [attempt_of(one) for one in intents if one.sent_as == operation]
            self._ledger.under_way(attempts)
            repeated = self._sender.send(operation, attempts)
            _keep_lost(repeated, attempts)
            found.delivery += repeated

    def _is_known_again(self, intent: Intent) -> bool:
        """Whether the service still knows the request, so that it can just be sent again."""
        write = self._push.write(intent.sent_as)
        fresh = datetime.now(UTC) - intent.sent_at < self._push.key_life - SKEW
        return write is not None and write.idempotent and fresh

    def _by_id(self, intents: list[Intent], found: Found) -> None:
        """Changes and deletions of records whose id is known."""
        changes = {c.key: c for c in self._mirror.read([one.remote_id for one in intents])}
        found.changes += changes.values()
        for one in intents:
            change = changes.get(one.remote_id)
            raw = orjson.loads(change.raw) if change and change.raw else None
            found.decide(self._changed(one, raw))

    def _changed(self, intent: Intent, raw: dict[str, Any] | None) -> Verdict:
        if intent.sent_as == Operation.DELETE:
            return self._again(intent) if raw else done(attempt_of(intent), Outcome())
        if raw is None:
            return rejected(intent, "The record was deleted at the service.")
        if unseen := self._push.write_only & intent.sent.keys():
            return _unclear(intent, f"reads do not show {', '.join(sorted(unseen))}")
        if self._fields.agree(intent.sent, raw):
            return done(attempt_of(intent), Outcome())
        return self._again(intent)

    def _without_id(self, intents: list[Intent], found: Found) -> None:
        """Records that may have been made, and whose ids are not known."""
        among = [one for one in intents if self._is_among_made(one)]
        made, by_external = self._push.made, self._push.by_external
        looked_at = self._ledger.now()  # what shows while we look may have been missed
        if among and made:
            first = min(one.sent_at for one in among)
            records = self._finder.made(first - SKEW, looked_at + SKEW, _names(among))
            self._match(among, records, looked_at - made.settles, found)
        rest = [one for one in intents if one not in among]
        known = [one for one in rest if one.external_id and by_external]
        if known and by_external:
            ids = [one.external_id for one in known]
            records = self._finder.by_external(ids, _names(known))
            self._match(known, records, looked_at - by_external.settles, found)
        for one in rest:
            if one not in known:
                found.decide(_unclear(one, "it can't be looked up"))

    def _is_among_made(self, intent: Intent) -> bool:
        """Whether a list of new records tells more than a look for our own id."""
        if self._push.made is None or intent.sent_as != Operation.CREATE:
            return False
        by_external = self._push.by_external
        return not intent.external_id or by_external is None or by_external.batch == 1

    def _match(
        self,
        intents: list[Intent],
        records: list[dict[str, Any]],
        settled: datetime,
        found: Found,
    ) -> None:
        """Give each intent the record that is its own; no record belongs to two.

        `settled`: of what was lost before, absence proves that it was not done.
        """
        taken = self._ledger.taken([self._finder.key(one) for one in records])
        for intent in intents:
            upserts = intent.sent_as == Operation.UPSERT
            fitting = [
                key
                for one in records
                if ((key := self._finder.key(one)) not in taken or upserts)
                and self._fits(intent, one)
            ]
            if fitting:
                taken.add(fitting[0])
                made = Outcome(record_id=fitting[0], created=not upserts)
                found.decide(done(attempt_of(intent), made))
            elif upserts or intent.lost_at < settled:  # twice the same upsert is once
                found.decide(self._again(intent))
            else:
                found.delivery.lost.append(attempt_of(intent))

    def _fits(self, intent: Intent, record: dict[str, Any]) -> bool:
        """Whether a record is what this attempt has made, or, by an upsert, changed."""
        if intent.external_id and not self._finder.carries(record, intent.external_id):
            return False
        if intent.sent_as == Operation.UPSERT:
            return self._fields.agree(intent.sent, record)
        if not self._finder.born_after(record, intent.sent_at - SKEW):
            return False
        return bool(intent.external_id) or self._fields.agree(intent.sent, record)

    def _again(self, intent: Intent) -> Verdict:
        """It was not done, and is sent once more."""
        if intent.attempts >= MOST_ATTEMPTS:
            return rejected(intent, f"Sent {intent.attempts} times without effect.")
        reason = "The answer got lost, and the service shows no effect."
        return Verdict(intent=intent, state=IntentState.PENDING, reason=reason)


def attempt_of(intent: Intent) -> Attempt:
    """What was sent for an intent."""
    return Attempt(
        intent=intent,
        operation=intent.sent_as,
        key=intent.idempotency_key,
        fields=intent.sent,
        record_id=intent.remote_id,
        external_id=intent.external_id,
    )


def _names(intents: Sequence[Intent]) -> list[str]:
    """The fields that were sent."""
    return sorted({name for one in intents for name in one.sent})


def _keep_lost(delivery: Delivery, attempts: Sequence[Attempt]) -> None:
    """A repetition that did not get through tells nothing about the first time."""
    waiting = {v.intent.id for v in delivery.verdicts if v.state is IntentState.PENDING}
    delivery.verdicts = [v for v in delivery.verdicts if v.intent.id not in waiting]
    delivery.lost += [one for one in attempts if one.intent.id in waiting]


def _unclear(intent: Intent, why: str) -> Verdict:
    """Only a person can say whether it was done."""
    told = f"The answer got lost, and {why}: look at the service whether it was done."
    return Verdict(intent=intent, state=IntentState.HELD, reason=told)
