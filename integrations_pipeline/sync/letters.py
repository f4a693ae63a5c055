"""Dead letters: records that could not be loaded or sent, kept with the reason."""

from collections.abc import Sequence
from hashlib import blake2b
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    cast,
    exists,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.sync_models import DeadLetter
from integrations_pipeline.sync.committing import Target
from integrations_pipeline.sync.records import Change

MOST_BYTES = 1024 * 1024
"""Of a payload that is kept: what is larger can't be replayed, and is cut."""


def set_aside(
    connection: Connection, target: Target, faults: Sequence[Change], direction: str = "pull"
) -> None:
    """Keep records with their reasons; one that failed before is the same letter."""
    letters = {_digest(fault): fault for fault in faults}
    rows = [
        {
            "tenant_id": target.tenant_id,
            "id": uuid4(),
            "integration_id": target.integration_id,
            "resource": target.resource,
            "direction": direction,
            "job_id": target.job_id,
            "record_id": fault.key or None,
            "reason": fault.fault,
            "payload": (fault.raw or b"")[:MOST_BYTES],
            "digest": digest,
        }
        for digest, fault in letters.items()
    ]
    if not rows:
        return
    given = insert(DeadLetter).values(rows)
    connection.execute(
        given.on_conflict_do_update(
            index_elements=["tenant_id", "integration_id", "resource", "direction", "digest"],
            index_where=DeadLetter.resolved_at.is_(None),
            set_={
                "reason": given.excluded.reason,
                "job_id": given.excluded.job_id,
                "times": DeadLetter.times + 1,
                "last_at": func.clock_timestamp(),
            },
        )
    )


def has_letters(connection: Connection, target: Target) -> bool:
    """Whether records of this resource wait to come in whole."""
    return connection.scalar(select(DeadLetter.id).where(*_open(target)).limit(1)) is not None


def name_letter(store: Store, letter: DeadLetter, record_id: str) -> None:
    """Whose record it is, now that its id can be read: the letter closes when that comes in."""
    mine = (DeadLetter.tenant_id == letter.tenant_id, DeadLetter.id == letter.id)
    with store.tenant(letter.tenant_id) as session:
        session.execute(update(DeadLetter).where(*mine).values(record_id=record_id))


def resolve(connection: Connection, target: Target, ids: Sequence[str]) -> None:
    """These records came in whole."""
    connection.execute(
        update(DeadLetter)
        .where(*_open(target), DeadLetter.record_id.in_(ids))
        .values(resolved_at=func.clock_timestamp())
    )


def resolve_older(connection: Connection, target: Target, began: str) -> None:
    """What failed last before a moment is well again."""
    connection.execute(
        update(DeadLetter)
        .where(*_open(target), DeadLetter.last_at < cast(began, DateTime(timezone=True)))
        .values(resolved_at=func.clock_timestamp())
    )


def latest_letters(
    store: Store, ref: IntegrationRef, resource: str, *, after: UUID | None, limit: int
) -> list[DeadLetter]:
    """Open letters in the order of their ids, of each record only the one that came last."""
    newer = aliased(DeadLetter)
    overtaken = exists().where(
        newer.tenant_id == DeadLetter.tenant_id,
        newer.integration_id == DeadLetter.integration_id,
        newer.resource == DeadLetter.resource,
        newer.direction == DeadLetter.direction,
        newer.record_id == DeadLetter.record_id,
        newer.resolved_at.is_(None),
        tuple_(newer.last_at, newer.id) > tuple_(DeadLetter.last_at, DeadLetter.id),
    )
    query = select(DeadLetter).where(*_of(ref, resource, "pull"), ~overtaken)
    if after is not None:
        query = query.where(DeadLetter.id > after)
    with store.tenant(ref.tenant_id) as session:
        return list(session.scalars(query.order_by(DeadLetter.id).limit(limit)))


def open_letters(
    store: Store,
    ref: IntegrationRef,
    resource: str = "",
    direction: str = "",
    *,
    limit: int = 100,
) -> list[DeadLetter]:
    """The integration's open letters, the latest first."""
    query = (
        select(DeadLetter)
        .where(*_of(ref, resource, direction))
        .order_by(DeadLetter.last_at.desc(), DeadLetter.id)
        .limit(limit)
    )
    with store.tenant(ref.tenant_id) as session:
        return list(session.scalars(query))


def count_letters(store: Store, ref: IntegrationRef, resource: str = "") -> int:
    """How many letters of the integration are open."""
    with store.tenant(ref.tenant_id) as session:
        query = select(func.count()).select_from(DeadLetter).where(*_of(ref, resource, ""))
        return session.execute(query).scalar_one()


def lettered(store: Store, ref: IntegrationRef, resource: str = "") -> list[str]:
    """The resources that have open letters about records which could not be loaded."""
    query = select(DeadLetter.resource).where(*_of(ref, resource, "pull")).distinct()
    with store.tenant(ref.tenant_id) as session:
        return list(session.scalars(query.order_by(DeadLetter.resource)))


def discard(store: Store, ref: IntegrationRef, resource: str = "") -> int:
    """Close the open letters without doing anything about them; returns how many."""
    closing = update(DeadLetter).where(*_of(ref, resource, ""))
    with store.tenant(ref.tenant_id) as session:
        closed = session.execute(
            closing.values(resolved_at=func.clock_timestamp()).returning(DeadLetter.id)
        )
        return len(closed.all())


def _of(ref: IntegrationRef, resource: str, direction: str) -> list[ColumnElement[bool]]:
    terms = [
        DeadLetter.tenant_id == ref.tenant_id,
        DeadLetter.integration_id == ref.id,
        DeadLetter.resolved_at.is_(None),
    ]
    if resource:
        terms.append(DeadLetter.resource == resource)
    if direction:
        terms.append(DeadLetter.direction == direction)
    return terms


def _open(target: Target) -> tuple[ColumnElement[bool], ...]:
    return (
        DeadLetter.tenant_id == target.tenant_id,
        DeadLetter.integration_id == target.integration_id,
        DeadLetter.resource == target.resource,
        DeadLetter.direction == "pull",
        DeadLetter.resolved_at.is_(None),
    )


def _digest(fault: Change) -> bytes:
    return blake2b(fault.key.encode() + b"\0" + (fault.raw or b""), digest_size=16).digest()
