"""Schema changes: what became of a resource's fields since earlier reads, noted and told."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import FenceLostError, ServiceError, kind_of
from integrations_pipeline.store.sync_models import ResourceSync, SeenField
from integrations_pipeline.sync.parts import Part
from integrations_pipeline.sync.shapes import LISTED, MARKS, FieldWatch, Known
from integrations_pipeline.sync.walking import rows_of

ENOUGH_RECORDS = 10
"""That fewer records lack a field proves nothing."""
RECORD = ""
"""The path of the record itself, stored once a first full read has told what is usual."""
TOUCH_AFTER = timedelta(days=1)
"""How exact `last_seen` is, and how often a service is asked for its own list of fields."""
MOST_TOLD = 30
"""Changes that are logged one by one."""


class Kind(StrEnum):
    """What became of a field."""

    NEW = "new"
    TYPE = "type"
    GONE = "gone"
    EMPTY = "empty"
    """A typed column whose source is gone: every new value of it is NULL."""


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One change, told by names and types alone."""

    kind: Kind
    path: str
    """The field's dotted path; for `EMPTY` the column's name."""
    types: tuple[str, ...] = ()
    before: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The change in words."""
        types, before = " or ".join(self.types) or "no value yet", " or ".join(self.before)
        return {
            Kind.NEW: f"New field {self.path} ({types}).",
            Kind.TYPE: f"Field {self.path} holds {types} now; it held {before}.",
            Kind.GONE: f"Field {self.path} is gone.",
            Kind.EMPTY: f"Column {self.path} is now always empty: its source is gone.",
        }[self.kind]


@contextmanager
def watched(part: Part) -> Iterator[FieldWatch]:
    """Watch the fields of the part's records; what became of them is stored and told at the end.

    A read that fails tells as well: what it has loaded will not come again.
    """
    watch, is_due = _watch(part)
    try:
        yield watch
    except FenceLostError:
        raise
    except Exception:
        with suppress(SQLAlchemyError):  # the read's own error is the one to tell
            _save(part, watch)
        raise
    if is_due:
        watch.listed = _listed(part)
    if watch.records or is_due:
        _save(part, watch)


def _watch(part: Part) -> tuple[FieldWatch, bool]:
    """A watch that knows the fields of earlier reads; whether the service's list is due again."""
    is_old = SeenField.last_seen < func.now() - TOUCH_AFTER
    with part.store.tenant(part.ref.tenant_id) as session:
        rows = session.execute(select(SeenField, is_old).where(*_of(part))).all()
    known = {row.path: Known(frozenset(row.types), row.gone_at is not None) for row, _ in rows}
    return FieldWatch(part.resource, known), any(old and row.path == RECORD for row, old in rows)


def _listed(part: Part) -> frozenset[str] | None:
    """The paths of the fields that the service lists; None where it does not."""
    resource, catalog = part.resource, part.resource.catalog
    if catalog is None:
        return None
    try:
        rows = rows_of(part.client.get(catalog.path), catalog.records_at, catalog.path)
    except ServiceError as error:
        told = "The service's list of fields could not be read"
        part.note("INFO", f"{told}: {error}", public=f"{told}: {kind_of(error)}.")
        return None
    under = f"{resource.fields_under}." if resource.fields_under else ""
    return frozenset(f"{under}{dig(row, catalog.name_at)}" for row in rows)


def _save(part: Part, watch: FieldWatch) -> None:
    """The first full read to its end says what is usual, and tells of no change."""
    usual = watch.ended and not part.scope
    seen = watch.fields()
    gone = gone_fields(watch, seen, whole=usual and watch.met_all)
    _store(part, watch, seen, gone, usual=usual)
    if RECORD in watch.known:
        _tell(part, list(schema_changes(watch, seen, gone)))
    elif usual and watch.records:
        part.note("INFO", f"The records have {len(seen)} fields; changes are told from now on.")


def schema_changes(
    watch: FieldWatch, seen: Mapping[str, frozenset[str]], gone: set[str]
) -> Iterator[SchemaChange]:
    """What is not as earlier reads knew it.

    A field inside an object that nobody could look into before is no news, nor is the first
    value of a field that was always null, nor a field that shows only since a mapping or a person
    asks for it.
    """
    yield from _new(watch, seen)
    yield from _retyped(watch, seen)
    for path in sorted(gone):
        if _parent(path, watch.known) not in gone:
            yield SchemaChange(Kind.GONE, path)
    for column in watch.resource.columns:
        sources = {_source(path, watch) for path in column.paths}
        if sources & gone and not sources & seen.keys():
            yield SchemaChange(Kind.EMPTY, column.name)


def gone_fields(watch: FieldWatch, seen: Mapping[str, frozenset[str]], *, whole: bool) -> set[str]:
    """Fields that were there and are no longer.

    One that the service listed is gone when its list has it no more; another one when a `whole`
    read met no record with it. Of what is inside an object that no record showed, nothing is known,
    nor of a field that the service was not asked for.
    """
    proves = whole and watch.records >= ENOUGH_RECORDS
    gone = set()
    for path, before in watch.known.items():
        if path == RECORD or path in seen or before.is_gone:
            continue
        parent = _parent(path, watch.known)
        if LISTED in before.types:
            is_gone = watch.listed is not None
        else:
            is_met = parent not in seen or watch.is_open(parent)
            is_gone = proves and is_met and watch.is_asked(path)
        if is_gone:
            gone.add(path)
    return gone


def _new(watch: FieldWatch, seen: Mapping[str, frozenset[str]]) -> Iterator[SchemaChange]:
    opened = {_parent(path, watch.known) for path in watch.known} | {RECORD}
    first_list = not any(LISTED in before.types for before in watch.known.values())
    for path, types in sorted(seen.items()):
        before = watch.known.get(path)
        if before is None:
            is_new = _parent(path, seen) in opened and not (first_list and types == {LISTED})
        else:
            is_new = before.is_gone
        if is_new and (LISTED in types or not watch.is_extra(path)):
            yield SchemaChange(Kind.NEW, path, _shown(types))


def _retyped(watch: FieldWatch, seen: Mapping[str, frozenset[str]]) -> Iterator[SchemaChange]:
    for path, types in sorted(seen.items()):
        before = watch.known.get(path)
        if before is None or before.is_gone or not before.types - MARKS:
            continue
        if more := types - before.types - MARKS:
            yield SchemaChange(Kind.TYPE, path, _shown(more), _shown(before.types))


def _shown(types: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(types) - MARKS))


def _parent(path: str, fields: Mapping[str, Any]) -> str:
    """The object that a field is in; `RECORD` where that is the record itself."""
    first, dot, _ = path.partition(".")
    return first if dot and first in fields else RECORD


def _source(path: str, watch: FieldWatch) -> str:
    """As much of a column's path as a watch can tell of."""
    first, _, rest = path.partition(".")
    return f"{first}.{rest.partition('.')[0]}" if rest and watch.is_open(first) else first


def _tell(part: Part, changes: list[SchemaChange]) -> None:
    for change in changes[:MOST_TOLD]:
        details = {"change": change.kind, "path": change.path}
        part.note("WARNING", str(change), details, public=f"Schema: {change.kind}.")
    if more := changes[MOST_TOLD:]:
        part.note("WARNING", f"{len(more)} more schema changes.", {"paths": [c.path for c in more]})
    if changes:
        told = [str(change) for change in changes]
        part.schema_changes += told
        part.set(schema_changes=ResourceSync.schema_changes + told)


def _store(
    part: Part,
    watch: FieldWatch,
    seen: Mapping[str, frozenset[str]],
    gone: set[str],
    *,
    usual: bool,
) -> None:
    found = {path: types | _types(watch, path) for path, types in seen.items()}
    if usual and watch.records:
        found[RECORD] = frozenset({"object"})
    changed = [
        {"path": path, "types": sorted(types)}
        for path, types in found.items()
        if watch.known.get(path) != Known(types)
    ]
    old = SeenField.last_seen < func.now() - TOUCH_AFTER
    with part.store.tenant(part.ref.tenant_id) as session:
        if changed:
            session.execute(_UPSERT, [{**_key(part), **row} for row in changed])
        session.execute(
            update(SeenField)
            .where(*_of(part), SeenField.path.in_([*found, RECORD]), old)
            .values(last_seen=func.now())
        )
        if gone:
            session.execute(
                update(SeenField)
                .where(*_of(part), SeenField.path.in_(gone))
                .values(gone_at=func.now())
            )


def _types(watch: FieldWatch, path: str) -> frozenset[str]:
    before = watch.known.get(path)
    return before.types if before else frozenset()


def _key(part: Part) -> dict[str, Any]:
    return {
        "tenant_id": part.ref.tenant_id,
        "integration_id": part.ref.id,
        "resource": part.resource.name,
    }


def _of(part: Part) -> tuple[Any, ...]:
    return tuple(getattr(SeenField, name) == value for name, value in _key(part).items())


_INSERT = insert(SeenField)
_UPSERT = _INSERT.on_conflict_do_update(
    index_elements=["tenant_id", "integration_id", "resource", "path"],
    set_={"types": _INSERT.excluded.types, "last_seen": func.now(), "gone_at": None},
)
