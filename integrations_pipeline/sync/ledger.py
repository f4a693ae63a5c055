"""The ledger of what goes out: every step of an intent is committed under the job's fence."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Row, TextClause, func, select, text, update

from integrations_pipeline.store.outbound import IntentState, Outbound
from integrations_pipeline.store.warehouse import table_name
from integrations_pipeline.sync.committing import Committer
from integrations_pipeline.sync.counts import Counts
from integrations_pipeline.sync.letters import set_aside
from integrations_pipeline.sync.merging import TableSql
from integrations_pipeline.sync.parts import Part
from integrations_pipeline.sync.pulling import target_of
from integrations_pipeline.sync.records import Change
from integrations_pipeline.sync.rows import Rows, Sorted

WINDOW = 500
"""Waiting intents that are looked at together."""
Intent = Row[Any]
"""A row of the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What is about to be sent for an intent."""

    intent: Intent
    operation: str
    """What is really sent: an upsert may have become an update."""
    key: str
    fields: dict[str, Any]
    record_id: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of an intent."""

    intent: Intent
    state: IntentState
    reason: str | None = None
    remote_id: str | None = None
    conflict: dict[str, Any] | None = None
    counts: Counts = field(default_factory=Counts)


class Ledger:
    """The intents of one resource of one integration, under one job."""

    def __init__(self, part: Part) -> None:
        self._committer = Committer(part.store, target_of(part))
        self._rows = Rows(
            self._committer, TableSql(part.ref.connector, part.resource, tuple(part.request.fields))
        )
        self._target = table_name(part.ref.connector, part.resource)
        self._job_id = part.claim.job_id

    def waiting(self, limit: int) -> list[Intent]:
        """The next intents, at most one of each record, so that a record's go out in order.

        One whose record has an earlier intent that is undecided waits.
        """
        return self._committer.run(lambda connection: self._waiting(connection, limit))

    def unknown(self) -> list[Intent]:
        """Intents on their way, whose outcome nobody has written down.

        To be asked while nothing is being sent: from the first time on they count as lost.
        """
        return self._committer.run(self._unknown)

    def now(self) -> datetime:
        """The time by the clock that writes `lost_at`."""
        found: datetime = self._committer.run(lambda c: c.execute(_NOW).scalar_one())
        return found

    def begin(self, attempts: Sequence[Attempt]) -> None:
        """Write down what is about to be sent; from now on its outcome is unknown."""
        self._committer.run(lambda connection: self._begin(connection, attempts))

    def under_way(self, attempts: Sequence[Attempt], remote_job: str | None = None) -> None:
        """Write down that attempts are sent once more, or that a job of the service does them.

        What was looked up so far proves nothing about them any more.
        """
        self._committer.run(lambda connection: self._under_way(connection, attempts, remote_job))

    def settle(self, verdicts: Sequence[Verdict], changes: Sequence[Change] = ()) -> Counts:
        """Write down what became of intents, and the records as they are now, in one commit."""
        return self._committer.run(lambda connection: self._settle(connection, verdicts, changes))

    def load(self, changes: Sequence[Change]) -> None:
        """Bring records into their table, as a pull would."""
        self._committer.run(lambda connection: self._load(connection, changes))

    def rows(self, query: TextClause, names: dict[str, Any]) -> list[Row[Any]]:
        """What a query of the tenant's finds."""
        return self._committer.run(lambda connection: list(connection.execute(query, names).all()))

    def taken(self, ids: Sequence[str]) -> set[str]:
        """Which of these records some intent is known to have made or changed."""
        query = select(Outbound.remote_id).where(*self._mine(), Outbound.remote_id.in_(ids))
        found = self._committer.run(lambda c: list(c.execute(query).scalars()))
        return {key for key in found if key is not None}

    def sent_since(self, ids: Sequence[str], since: datetime) -> list[Intent]:
        """What of ours reached these records after `since`, in the order of confirmation."""
        query = (
            self._query()
            .where(Outbound.remote_id.in_(ids), Outbound.state == IntentState.DONE)
            .where(Outbound.confirmed_at > since)
            .order_by(None)
            .order_by(Outbound.confirmed_at, Outbound.id)
        )
        return self._committer.run(lambda connection: list(connection.execute(query).all()))

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        target = self._committer.target
        return (
            Outbound.tenant_id == target.tenant_id,
            Outbound.target == self._target,
            Outbound.integration_id == target.integration_id,
        )

    def _query(self) -> Any:
        return select(*Outbound.__table__.c).where(*self._mine()).order_by(Outbound.id)

    def _waiting(self, connection: Connection, limit: int) -> list[Intent]:
        undecided = select(Outbound.id, Outbound.record_id, Outbound.external_id).where(
            *self._mine(), Outbound.state.in_([IntentState.SENDING, IntentState.HELD])
        )
        blocked = {_record(row) for row in connection.execute(undecided)}
        found: list[Intent] = []
        after = 0
        while len(found) < limit:
            pending = self._query().where(
                Outbound.state == IntentState.PENDING, Outbound.id > after
            )
            rows = connection.execute(pending.limit(WINDOW)).all()
            for row in rows:
                if _record(row) not in blocked:
                    found.append(row)
                blocked.add(_record(row))
            if len(rows) < WINDOW:
                break
            after = rows[-1].id
        return found[:limit]

    def _unknown(self, connection: Connection) -> list[Intent]:
        sending = (*self._mine(), Outbound.state == IntentState.SENDING)
        noticed = update(Outbound).where(*sending, Outbound.lost_at.is_(None))
        connection.execute(noticed.values(lost_at=func.clock_timestamp()))
        return list(connection.execute(self._query().where(*sending)).all())

    def _under_way(
        self, connection: Connection, attempts: Sequence[Attempt], remote_job: str | None
    ) -> None:
        for place, one in enumerate(attempts):
            change = update(Outbound).where(*self._mine(), Outbound.id == one.intent.id)
            placed = place if remote_job else None
            values = {"remote_job": remote_job, "remote_place": placed, "lost_at": None}
            connection.execute(change.values(values))

    def _begin(self, connection: Connection, attempts: Sequence[Attempt]) -> None:
        rows = [
            {
                "id": one.intent.id,
                "key": one.key,
                "sent": orjson.dumps(one.fields).decode(),
                "operation": one.operation,
                "remote": one.record_id,
                "external": one.external_id,
                "attempts": one.intent.attempts + 1,
            }
            for one in attempts
        ]
        names = {**self._committer.names, "target": self._target}
        connection.execute(text(_BEGIN), [{**names, **row} for row in rows])

    def _settle(
        self, connection: Connection, verdicts: Sequence[Verdict], changes: Sequence[Change]
    ) -> Counts:
        counts = Counts()
        for verdict in verdicts:
            connection.execute(self._change(verdict))
            counts += verdict.counts
        refused = [one for one in verdicts if one.state is IntentState.REJECTED]
        target = self._committer.target
        set_aside(connection, target, [_letter(one) for one in refused], direction="push")
        self._load(connection, changes)
        self._committer.count(connection, counts)
        return counts

    def _change(self, verdict: Verdict) -> Any:
        values: dict[str, Any] = {
            "state": verdict.state,
            "reason": verdict.reason,
            "conflict": verdict.conflict,
            "job_id": self._job_id,
        }
        if verdict.state is IntentState.PENDING:  # what never left was no attempt
            values["attempts"] = verdict.intent.attempts
        if verdict.remote_id is not None:
            values["remote_id"] = verdict.remote_id
        if verdict.state in (IntentState.DONE, IntentState.SKIPPED):
            values["confirmed_at"] = func.clock_timestamp()
        return (
            update(Outbound).where(*self._mine(), Outbound.id == verdict.intent.id).values(values)
        )

    def _load(self, connection: Connection, changes: Sequence[Change]) -> None:
        if not changes:
            return
        found = Sorted.of(changes)
        self._rows.had_rows = True  # the first record may come in by being written
        changed = self._rows.changed(connection, found)
        _, refused = self._rows.written(
            connection, changed, lambda given: self._rows.merge(connection, given)
        )
        self._rows.bury(connection, found.gone)
        set_aside(connection, self._committer.target, [*found.faults, *refused])


def _record(intent: Any) -> tuple[str, str]:
    """Which record an intent is about, as far as it tells."""
    if intent.record_id:
        return "record", intent.record_id
    if intent.external_id:
        return "external", intent.external_id
    return "intent", str(intent.id)


def _letter(verdict: Verdict) -> Change:
    intent = verdict.intent
    told = {
        "intent": intent.id,
        "operation": intent.operation,
        "record_id": intent.record_id,
        "external_id": intent.external_id,
        "data": intent.data,
    }
    key = intent.record_id or intent.external_id or ""
    return Change(key=key, raw=orjson.dumps(told), fault=verdict.reason)


_NOW = text("SELECT clock_timestamp()")
_BEGIN = """
    UPDATE integrations.outbound SET state = 'SENDING', idempotency_key = :key,
        sent = CAST(:sent AS jsonb), sent_as = :operation, sent_at = clock_timestamp(),
        lost_at = NULL, remote_job = NULL, remote_place = NULL,
        remote_id = :remote, external_id = COALESCE(external_id, :external),
        attempts = :attempts, reason = NULL, conflict = NULL, job_id = :job
    WHERE tenant_id = :tenant AND target = :target AND id = :id
"""
