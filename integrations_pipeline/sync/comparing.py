"""Attempts against the records as they were last synced: who changed what, and who wins."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import text

from integrations_pipeline.connectors.pushing import Push
from integrations_pipeline.errors import RequestError
from integrations_pipeline.store.outbound import IntentState, Operation
from integrations_pipeline.store.policy import ConflictRule
from integrations_pipeline.store.warehouse import table_name
from integrations_pipeline.sync.ledger import Attempt, Intent, Ledger, Verdict
from integrations_pipeline.sync.parts import Part
from integrations_pipeline.sync.reconciling import Merged, Rules, merge, we_win
from integrations_pipeline.sync.verdicts import (
    NOTHING,
    SOURCE_WON,
    DecidedError,
    held,
    named,
    rejected,
    skipped,
)
from integrations_pipeline.sync.writable import Fields


@dataclass(frozen=True, slots=True)
class Here:
    """A record as it was last synced."""

    raw: dict[str, Any]
    changed_at: datetime
    """When the service changed it, as far as it tells; else when we noticed."""
    noticed_at: datetime
    is_deleted: bool


class Comparer:
    """Merges what we want of one resource with what the service has."""

    def __init__(self, part: Part, push: Push, ledger: Ledger, fields: Fields) -> None:
        self._part = part
        self._push = push
        self._ledger = ledger
        self._fields = fields

    def merged(self, attempts: list[Attempt]) -> tuple[list[Attempt], list[Verdict]]:
        """What is left to be sent, and what is decided."""
        here = self._here(attempts)
        ours = self._ours_since(attempts)
        left: list[Attempt] = []
        verdicts: list[Verdict] = []
        for attempt in attempts:
            record = here.get(address(attempt))
            if record is None or attempt.operation == Operation.CREATE:
                left.append(attempt)
                continue
            try:
                left.append(self._against(attempt, record, ours))
            except RequestError as error:
                verdicts.append(rejected(attempt.intent, str(error)))
            except DecidedError as decided:
                verdicts.append(decided.verdict)
        return left, verdicts

    def _here(self, attempts: list[Attempt]) -> dict[tuple[str, str], Here]:
        """The records as they were last synced, by id or by external id."""
        table = table_name(self._part.ref.connector, self._part.resource)
        keys = {"ids": "id"}
        if self._fields.external and not self._push.external_is_id:
            keys["externals"] = "raw #>> CAST(:path AS text[])"
        path = self._fields.path(self._fields.external).split(".")
        found: dict[tuple[str, str], Here] = {}
        for kind, column in keys.items():
            wanted = [key for kind_, key in map(address, attempts) if kind_ == kind]
            if not wanted:
                continue
            ref = self._part.ref
            names = {"i": ref.id, "t": ref.tenant_id, "wanted": wanted, "path": path}
            sql = text(_HERE.format(table=table, column=column))
            rows = self._ledger.rows(sql, names)
            for row in rows:
                stamp = row.source_updated_at or row.synced_at
                here = Here(row.raw, stamp, row.synced_at, row.deleted_at is not None)
                found[kind, row.key] = here
        return found

    def _ours_since(self, attempts: list[Attempt]) -> dict[str, list[Intent]]:
        """What of ours reached these records since the intents were written."""
        ids = [attempt.record_id for attempt in attempts if attempt.record_id]
        found: dict[str, list[Intent]] = {}
        if ids:
            since = min(attempt.intent.created_at for attempt in attempts)
            for sent in self._ledger.sent_since(ids, since):
                found.setdefault(sent.remote_id, []).append(sent)
        return found

    def _against(self, attempt: Attempt, here: Here, ours: Mapping[str, list[Intent]]) -> Attempt:
        """What is left of an attempt once it is merged with the record.

        Raises:
            RequestError: the record is gone.
            DecidedError: nothing is left, or a person must decide.
        """
        intent = attempt.intent
        rules = self._rules(intent, here)
        if here.is_deleted:
            if attempt.operation == Operation.DELETE:
                raise DecidedError(skipped(intent, "It was deleted at the service already."))
            raise RequestError("The record was deleted at the service.")
        if attempt.operation == Operation.DELETE:
            return self._deletion(attempt, here, rules)
        theirs = self._fields.values(here.raw, attempt.fields)
        base = self._base(attempt, here, ours)
        merged = merge(attempt.fields, base, theirs, rules, self._fields.equal)
        self._tell(attempt, merged)
        if merged.held:
            raise DecidedError(held(intent, merged))
        if not merged.send:
            raise DecidedError(skipped(intent, SOURCE_WON if merged.lost else NOTHING))
        return replace(attempt, fields=merged.send)

    def _rules(self, intent: Intent, here: Here) -> Rules:
        decided = {"ours": ConflictRule.OURS_WINS, "theirs": ConflictRule.SOURCE_WINS}
        return Rules(
            conflicts=decided.get(intent.decision, self._part.ref.policy.conflicts),
            owner=self._fields.owner,
            ours_is_newer=intent.created_at > here.changed_at,
        )

    def _base(
        self, attempt: Attempt, here: Here, ours: Mapping[str, list[Intent]]
    ) -> dict[str, Any] | None:
        """What the writer of the intent could know, as far as it is known.

        What we ourselves wrote since then is no change of the service's.
        """
        intent = attempt.intent
        if intent.base is not None:
            base = self._fields.values(intent.base, attempt.fields)
        elif here.noticed_at <= intent.created_at:
            base = self._fields.values(here.raw, attempt.fields)
        else:
            return None
        for sent in ours.get(attempt.record_id or "", ()):
            if sent.confirmed_at > intent.created_at:
                base |= {name: value for name, value in sent.sent.items() if name in base}
        return base

    def _deletion(self, attempt: Attempt, here: Here, rules: Rules) -> Attempt:
        """A deletion conflicts with any change that its writer did not know."""
        intent = attempt.intent
        known = intent.base == here.raw or here.noticed_at <= intent.created_at
        if known or we_win(rules):
            return attempt
        if rules.conflicts is ConflictRule.HOLD:
            raise DecidedError(
                Verdict(
                    intent=intent,
                    state=IntentState.HELD,
                    reason="The service changed the record that is to be deleted.",
                    conflict={},
                )
            )
        raise DecidedError(skipped(intent, SOURCE_WON))

    def _tell(self, attempt: Attempt, merged: Merged) -> None:
        if merged.lost:
            told = f"The service changed {', '.join(merged.lost)} as well, and wins."
            record = {"record": named(attempt.intent), "intent": attempt.intent.id}
            self._part.note("INFO", told, record)


def address(attempt: Attempt) -> tuple[str, str]:
    """How the record of an attempt is known: `ids` or `externals`, and the value."""
    if attempt.record_id:
        return "ids", attempt.record_id
    return "externals", attempt.external_id or ""


_HERE = """
    SELECT {column} AS key, raw, source_updated_at, synced_at, deleted_at FROM {table}
    WHERE tenant_id = :t AND integration_id = :i AND {column} = ANY(:wanted)
    ORDER BY deleted_at NULLS LAST
"""
