"""From intents to what would be sent if nobody else wrote: mapped, named, allowed, addressed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any
from uuid import uuid4

from integrations_pipeline.connectors.pushing import Push
from integrations_pipeline.errors import RequestError
from integrations_pipeline.store.outbound import Operation
from integrations_pipeline.store.policy import FieldOwner
from integrations_pipeline.store.states import Direction
from integrations_pipeline.sync.finding import Finder, Records
from integrations_pipeline.sync.ledger import Attempt, Intent, Verdict
from integrations_pipeline.sync.mapping import FieldMapper, mapper_of
from integrations_pipeline.sync.parts import Part
from integrations_pipeline.sync.verdicts import NOTHING, DecidedError, named, rejected, skipped
from integrations_pipeline.sync.writable import Fields


class Preparer:
    """Prepares the intents of one resource."""

    def __init__(self, part: Part, push: Push, fields: Fields, finder: Finder) -> None:
        self._part = part
        self._push = push
        self._fields = fields
        self._finder = finder
        self._merges = part.request.direction == Direction.BIDIRECTIONAL

    def prepare(self, intents: Sequence[Intent]) -> tuple[list[Attempt], list[Verdict]]:
        """What is to be sent, and what is decided already.

        Raises:
            ServiceError: a record could not be looked for.
        """
        verdicts: list[Verdict] = []

        def sure(intent: Intent, make: Callable[[], Attempt]) -> list[Attempt]:
            try:
                return [make()]
            except RequestError as error:
                verdicts.append(rejected(intent, str(error)))
            except DecidedError as decided:
                verdicts.append(decided.verdict)
            return []

        named = [
            attempt
            for intent, values, fault in self._mapped(intents)
            for attempt in sure(intent, partial(self._named, intent, values, fault))
        ]
        known = self._finder.each_by_external([id_ for one in named if (id_ := self._sought(one))])
        attempts = [
            attempt
            for one in named
            for attempt in sure(one.intent, partial(self._possible, one, known))
        ]
        return attempts, verdicts

    def _mapped(self, intents: Sequence[Intent]) -> list[tuple[Intent, dict[str, Any], str | None]]:
        """The intents with their data as the integration's push mappings make it."""
        if self._mapper is None:
            return [(one, one.data, None) for one in intents]
        roots = {path.partition(".")[0] for path in self._mapper.sources}
        rows = zip(intents, self._mapper.rows([one.data for one in intents]), strict=True)
        return [
            (one, {k: v for k, v in one.data.items() if k not in roots} | row.values, row.fault)
            for one, row in rows
        ]

    @cached_property
    def _mapper(self) -> FieldMapper | None:
        part = self._part
        return mapper_of(part.store, part.ref, part.resource.name, Direction.PUSH)

    def _named(self, intent: Intent, values: dict[str, Any], fault: str | None) -> Attempt:
        """What is wanted, by the service's names.

        Each attempt has a key of its own: under an old one a service repeats its old answer.
        """
        if fault:
            raise RequestError(fault)
        fields = self._fields.named(values)
        external = intent.external_id or str(fields.get(self._fields.external) or "") or None
        return Attempt(
            intent=intent,
            operation=intent.operation,
            key=str(uuid4()),
            fields=self._owned(intent, fields),
            record_id=intent.record_id,
            external_id=external if self._fields.external else None,
        )

    def _possible(self, attempt: Attempt, known: Mapping[str, Records]) -> Attempt:
        """What would be sent if nobody else wrote: the operation that it takes, with its ids."""
        attempt = self._addressed(attempt, known)
        if attempt.operation in (Operation.UPDATE, Operation.UPSERT) and not attempt.fields:
            raise DecidedError(skipped(attempt.intent, NOTHING))
        if self._push.write(attempt.operation) is None:
            possible = ", ".join(self._push.operations)
            raise RequestError(f"{attempt.operation} is not possible here, only {possible}.")
        return attempt

    def _owned(self, intent: Intent, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields that are ours to write."""
        if intent.operation in (Operation.CREATE, Operation.DELETE):
            return fields
        if intent.decision == "theirs":
            fields = {k: v for k, v in fields.items() if k not in (intent.conflict or {})}
        foreign = [name for name in fields if self._fields.owner(name) is FieldOwner.SOURCE]
        if foreign and not self._merges:
            raise RequestError(f"The source owns {', '.join(foreign)}: it can't be written.")
        if foreign:
            told = f"The source owns {', '.join(foreign)}: not written."
            self._part.note("INFO", told, {"record": named(intent), "intent": intent.id})
        return {name: value for name, value in fields.items() if name not in foreign}

    def _sought(self, attempt: Attempt) -> str | None:
        """The external id by which the record must be looked for, if it must."""
        upserts = attempt.operation == Operation.UPSERT and self._push.upsert is not None
        if attempt.operation == Operation.CREATE or attempt.record_id or upserts:
            return None
        return attempt.external_id

    def _addressed(self, attempt: Attempt, known: Mapping[str, Records]) -> Attempt:
        """The attempt with the record's id, or as what it comes down to where there is none."""
        operation, external = attempt.operation, attempt.external_id
        if operation == Operation.CREATE:
            return self._marked(attempt)
        if attempt.record_id:
            operation = Operation.UPDATE if operation == Operation.UPSERT else operation
            return replace(attempt, operation=operation)
        if external is None:
            field = self._fields.external
            told = f" or an external id ({field})" if field else ""
            raise RequestError(f"{operation} needs a record id{told}.")
        if self._sought(attempt) is None:
            return attempt
        return self._found(attempt, external, known.get(external, []))

    def _found(self, attempt: Attempt, external: str, found: Records) -> Attempt:
        """What an attempt comes down to, given the records that have its external id."""
        if len(found) > 1:
            raise RequestError(f"{len(found)} records have the external id {external}.")
        if found:
            operation = attempt.operation
            known = replace(attempt, record_id=self._finder.key(found[0]))
            if operation == Operation.UPSERT:
                fields = dict(known.fields)
                if self._push.external_is_id:
                    fields.pop(self._fields.external, None)
                return replace(known, operation=Operation.UPDATE, fields=fields)
            return known
        if attempt.operation == Operation.DELETE:
            raise DecidedError(skipped(attempt.intent, "There is no such record any more."))
        if attempt.operation == Operation.UPDATE:
            raise RequestError(f"No record has the external id {external}.")
        return self._marked(replace(attempt, operation=Operation.CREATE))

    def _marked(self, attempt: Attempt) -> Attempt:
        """A record to be made, with its external id among its fields where there is one."""
        name = self._fields.external
        external = attempt.external_id
        if external is None and self._push.marks_created:
            external = attempt.key
        if external is None or not name or name in attempt.fields:
            return attempt
        return replace(attempt, external_id=external, fields={**attempt.fields, name: external})
