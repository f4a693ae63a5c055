"""Pushing one resource: from its outbound table to the service.

Every intent is written down as SENDING before it leaves, and as DONE only once the service has
confirmed it. Whatever is SENDING without a confirmation is looked up before it is sent again.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import select

from integrations_pipeline.alerts import AlertKind, clear_alerts, raise_alert
from integrations_pipeline.connectors.pushing import Push
from integrations_pipeline.errors import RequestError, ServiceError, kind_of
from integrations_pipeline.store.outbound import IntentState, Outbound
from integrations_pipeline.store.states import Direction
from integrations_pipeline.sync.comparing import Comparer
from integrations_pipeline.sync.finding import Finder
from integrations_pipeline.sync.ledger import Attempt, Ledger, Verdict
from integrations_pipeline.sync.mirroring import Mirror
from integrations_pipeline.sync.parts import Part
from integrations_pipeline.sync.preparing import Preparer
from integrations_pipeline.sync.records import Change
from integrations_pipeline.sync.recovering import Recoverer
from integrations_pipeline.sync.sending import Delivery, Sender
from integrations_pipeline.sync.verdicts import named
from integrations_pipeline.sync.writable import Fields

TOGETHER = 20
"""Records whose outcomes are written down together where each takes a request of its own."""
AT_ONCE = 200
"""Intents that are prepared together."""
PATIENCE = 30.0
"""Seconds that a run waits in the end for effects to show whose answers got lost."""


def push(part: Part) -> None:
    """Send what waits in the resource's outbound table.

    Raises:
        RequestError: the resource can't be written to.
        ServiceError: the service takes nothing now; what is not sent stays.
        FenceLostError: the job was taken away; what is on its way is looked up by the next.
    """
    declared = part.resource.push
    if declared is None:
        raise RequestError(f"{part.resource.name} can't be written to.")
    if part.mode is None:
        part.begin("push")
    part.note("INFO", "Sending what waits in the outbound table.")
    _Pushing(part, declared).all()
    _tell_held(part)


class _Pushing:
    """One pass over the intents of one resource."""

    def __init__(self, part: Part, declared: Push) -> None:
        self._part = part
        self._push = declared
        self._ledger = Ledger(part)
        fields = Fields(part.resource, declared, part.ref.policy)
        finder = Finder(part.client, part.resource, declared, fields, part.store.settings.max_pages)
        self._mirror = Mirror(part)
        self._sender = Sender(part.client, declared, fields.external, self._ledger.under_way)
        self._preparer = Preparer(part, declared, fields, finder)
        self._comparer = Comparer(part, declared, self._ledger, fields)
        self._recoverer = Recoverer(
            declared, self._ledger, fields, finder, self._mirror, self._sender
        )
        self._merges = part.request.direction == Direction.BIDIRECTIONAL

    def all(self) -> None:
        self._recover()
        while intents := self._ledger.waiting(AT_ONCE):
            attempts, verdicts = self._preparer.prepare(intents)
            if self._merges:
                attempts, decided = self._comparer.merged(attempts)
                verdicts += decided
            self._settle(Delivery(verdicts))
            for operation, group in self._groups(attempts):
                self._send(operation, group)
        self._wait_for_lost()

    def _groups(self, attempts: Sequence[Attempt]) -> Iterator[tuple[str, list[Attempt]]]:
        """Attempts that go out together; of one record only the first, the others come later."""
        addresses: set[tuple[str, str]] = set()
        by_operation: dict[str, list[Attempt]] = {}
        for one in attempts:
            address = (one.record_id or "", "" if one.record_id else one.external_id or one.key)
            if address not in addresses:
                by_operation.setdefault(one.operation, []).append(one)
            addresses.add(address)
        for operation, group in by_operation.items():
            write = self._push.write(operation)
            size = write.batch if write and write.batch > 1 else TOGETHER
            for start in range(0, len(group), size):
                yield operation, group[start : start + size]

    def _send(self, operation: str, attempts: list[Attempt]) -> None:
        self._ledger.begin(attempts)
        delivery = self._sender.send(operation, attempts)
        self._settle(delivery)
        if delivery.error is not None:
            raise delivery.error
        if delivery.lost:
            self._recover({one.intent.id for one in delivery.lost})

    def _settle(self, delivery: Delivery, changes: Sequence[Change] = ()) -> None:
        """Write down what is certain, then bring the records into their table."""
        gone = [
            Change(verdict.remote_id)
            for verdict in delivery.verdicts
            if verdict.remote_id and verdict.counts.deleted
        ]
        shown = self._mirror.shown(delivery.records) if self._push.shows_whole else []
        if not delivery.verdicts and not changes:
            return
        self._part.add(self._ledger.settle(delivery.verdicts, [*changes, *shown, *gone]))
        self._tell(delivery.verdicts)
        known = {change.key for change in (*changes, *shown, *gone)}
        written = (v for v in delivery.verdicts if v.state is IntentState.DONE)
        self._read_again([v.remote_id for v in written if v.remote_id and v.remote_id not in known])

    def _read_again(self, ids: Sequence[str]) -> None:
        """Bring written records into their table as they are now."""
        try:
            self._ledger.load(self._mirror.read(ids))
        except ServiceError as error:
            told = "Written, but not read again; the next pull is"
            self._part.note("WARNING", f"{told}: {error}", public=f"{told}: {kind_of(error)}.")

    def _recover(self, only: set[int] | None = None) -> bool:
        """Look up what is on its way, all of it or some; whether some of that still is."""
        unknown = [one for one in self._ledger.unknown() if only is None or one.id in only]
        if not unknown:
            return False
        found = self._recoverer.recover(unknown)
        self._settle(found.delivery, found.changes)
        if found.delivery.error is not None:
            raise found.delivery.error
        return bool(found.delivery.lost)

    def _wait_for_lost(self) -> None:
        """Give effects a little time to show; the next run looks again after that."""
        waited, pause = 0.0, 1.0
        while self._recover():
            if waited >= PATIENCE:
                count = len(self._ledger.unknown())
                told = f"{count} records: the answer got lost; the next sync looks for them."
                self._part.note("WARNING", told)
                return
            self._part.client.wait(pause)
            waited, pause = waited + pause, pause * 2

    def _tell(self, verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            if verdict.state in (IntentState.REJECTED, IntentState.HELD):
                intent = verdict.intent
                told = f"{verdict.state}: {verdict.reason}"
                details = {"record": named(intent), "intent": intent.id}
                self._part.note("WARNING", told, details, public=str(verdict.state))


def _tell_held(part: Part) -> None:
    """An alert as long as intents wait for a person."""
    ref = part.ref
    held = select(Outbound.id).where(
        Outbound.tenant_id == ref.tenant_id,
        Outbound.integration_id == ref.id,
        Outbound.state == IntentState.HELD,
    )
    told = (
        f"{ref.key}: records to be written wait for a decision. See `integrations outbound "
        f"{ref.key}`, then decide with `integrations outbound-resolve`."
    )
    with part.store.tenant(ref.tenant_id) as session:
        if session.scalar(held.limit(1)) is None:
            clear_alerts(session, ref.tenant_id, ref.id, [AlertKind.CONFLICT])
        else:
            raise_alert(session, ref.tenant_id, ref.id, AlertKind.CONFLICT, told)
