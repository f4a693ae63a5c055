"""The outbound tables as people and assets use them: send rows, look after them, decide."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, func, insert, select, update

from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.outbound import IntentState, Operation, Outbound
from integrations_pipeline.store.sync_models import DeadLetter
from integrations_pipeline.store.warehouse import table_name

IDS = ("record_id", "external_id")
ROWS = 1000
"""Rows that are inserted together."""


def send(
    store: Store,
    ref: IntegrationRef,
    resource: str,
    rows: Iterable[Mapping[str, Any]],
    operation: str = Operation.UPSERT,
) -> int:
    """Put rows into a resource's outbound table, all or none; returns how many.

    The keys `record_id` (the service's id; `id` for short) and `external_id` (ours) say which
    record is meant; the others are its fields, by the names of columns or of the service.

    Raises:
        RequestError: the resource can't be written to so, or a row can't be.
    """
    target = _target(ref, resource, operation)
    values = [
        {
            "tenant_id": ref.tenant_id,
            "integration_id": ref.id,
            "target": target,
            **_intent(row, operation, place),
        }
        for place, row in enumerate(rows, 1)
    ]
    with store.tenant(ref.tenant_id) as session:
        for start in range(0, len(values), ROWS):
            session.execute(insert(Outbound), values[start : start + ROWS])
    return len(values)


def listed(
    store: Store,
    ref: IntegrationRef,
    resource: str | None = None,
    *,
    states: Sequence[str] = (),
    limit: int = 100,
) -> list[Outbound]:
    """Intents, the latest first."""
    query = select(Outbound).where(*_of(ref, resource)).order_by(Outbound.id.desc()).limit(limit)
    if states:
        query = query.where(Outbound.state.in_(states))
    with store.tenant(ref.tenant_id) as session:
        return list(session.scalars(query))


def counted(store: Store, ref: IntegrationRef) -> dict[str, dict[str, int]]:
    """How many intents of each resource are in each state."""
    query = (
        select(Outbound.target, Outbound.state, func.count())
        .where(*_of(ref, None))
        .group_by(Outbound.target, Outbound.state)
    )
    found: dict[str, dict[str, int]] = {}
    with store.tenant(ref.tenant_id) as session:
        for target, state, count in session.execute(query):
            found.setdefault(target.partition(".")[2], {})[state] = count
    return found


def retry(
    store: Store, ref: IntegrationRef, resource: str | None = None, ids: Sequence[int] = ()
) -> int:
    """Let rejected intents go out again with the next push; returns how many.

    Raises:
        RequestError: one of `ids` is not rejected.
    """
    query = update(Outbound).where(*_of(ref, resource), Outbound.state == IntentState.REJECTED)
    if ids:
        query = query.where(Outbound.id.in_(ids))
    with store.tenant(ref.tenant_id) as session:
        again = session.execute(
            query.values(state=IntentState.PENDING, attempts=0).returning(Outbound.id)
        )
        found = set(again.scalars())
        if missing := sorted(set(ids) - found):
            told = ", ".join(map(str, missing))
            raise RequestError(
                f"{ref.key}: {told} is not among the rejected rows; nothing was changed.",
                action=f"See `integrations outbound {ref.key} --state REJECTED`.",
            )
        letters = session.scalars(
            select(DeadLetter).where(
                DeadLetter.tenant_id == ref.tenant_id,
                DeadLetter.integration_id == ref.id,
                DeadLetter.direction == "push",
                DeadLetter.resolved_at.is_(None),
            )
        )
        for letter in letters if found else ():
            if _intent_of(letter) in found:
                letter.resolved_at = func.clock_timestamp()
    return len(found)


def resolve(store: Store, ref: IntegrationRef, resource: str, intent: int, decision: str) -> None:
    """Decide an intent that waits for a person: `ours` is sent, `theirs` stays as it is.

    Where only the outcome was unclear, `ours` sends it again, and `theirs` leaves it.

    Raises:
        RequestError: it does not wait for a decision.
    """
    if decision not in ("ours", "theirs"):
        raise RequestError(f"{decision!r} is no decision.", action="Say ours or theirs.")
    mine = (*_of(ref, resource), Outbound.id == intent)
    with store.tenant(ref.tenant_id) as session:
        row = session.scalar(
            select(Outbound).where(*mine, Outbound.state == IntentState.HELD).with_for_update()
        )
        if row is None:
            raise RequestError(f"{ref.key} {resource}: {intent} does not wait for a decision.")
        row.decision = decision
        if row.conflict or decision == "ours":
            row.state = IntentState.PENDING
        else:
            row.state, row.confirmed_at = IntentState.SKIPPED, func.clock_timestamp()


def _target(ref: IntegrationRef, name: str, operation: str) -> str:
    resource = ref.connector.resource(name)
    if resource is None or resource.push is None:
        can = ", ".join(one.name for one in ref.connector.resources if one.push)
        raise RequestError(
            f"{ref.key}: {name} can't be written to.",
            action=f"Possible: {can}." if can else "",
        )
    if operation not in resource.push.operations:
        raise RequestError(
            f"{ref.key}: {operation!r} is not possible for {name}.",
            action=f"Possible: {', '.join(resource.push.operations)}.",
        )
    return table_name(ref.connector, resource)


def _intent(row: Mapping[str, Any], operation: str, place: int) -> dict[str, Any]:
    data = {key: value for key, value in row.items() if key not in (*IDS, "id")}
    known = {name: None if row.get(name) is None else str(row[name]) for name in IDS}
    if known["record_id"] is None and row.get("id") is not None:
        known["record_id"] = str(row["id"])
    if operation == Operation.CREATE and known["record_id"] is not None:
        raise RequestError(f"Row {place} has a record id, so there is nothing to create.")
    if operation in (Operation.UPDATE, Operation.DELETE) and not any(known.values()):
        raise RequestError(f"Row {place} says neither record_id nor external_id.")
    try:
        orjson.dumps(data)
    except TypeError as error:
        raise RequestError(f"Row {place} can't be written as JSON: {error}.") from error
    return {"operation": str(operation), **known, "data": data}


def _of(ref: IntegrationRef, resource: str | None) -> tuple[ColumnElement[bool], ...]:
    mine = (Outbound.tenant_id == ref.tenant_id, Outbound.integration_id == ref.id)
    if resource is None:
        return mine
    return (*mine, Outbound.target == f"{ref.connector.name}.{resource}")


def _intent_of(letter: DeadLetter) -> int | None:
    try:
        return int(orjson.loads(letter.payload)["intent"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None  # a payload that was cut
