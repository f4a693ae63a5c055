"""Changed mappings, applied to what is stored: the service is asked only for what it never sent."""

from typing import Any

import orjson
from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

from integrations_pipeline.store.models import MappingState
from integrations_pipeline.store.warehouse import table_name
from integrations_pipeline.sync.committing import Committer
from integrations_pipeline.sync.counts import Counts
from integrations_pipeline.sync.letters import set_aside
from integrations_pipeline.sync.mapping.mapper import FieldMapper
from integrations_pipeline.sync.parts import Part
from integrations_pipeline.sync.records import Change, Mapped

ROWS = 2000
UNFINISHED = "unfinished"
"""Stands for the digest while some rows have the old mappings' values and some the new ones':
whatever is wanted next, it is not that."""


def remap_if_changed(part: Part, committer: Committer, mapper: FieldMapper | None) -> None:
    """Bring `custom` of the stored rows up to the mappings, if they changed since it was made.

    Call it before the checkpoint is looked at: a field that was never asked of the service makes
    it forget how far the resource was read, so that all of it is read again.

    Raises:
        FenceLostError: another run owns the job.
    """
    wanted = mapper.digest if mapper else ""
    fields = list(mapper.extra_fields(part.resource)) if mapper else []
    with part.store.tenant(part.ref.tenant_id) as session:
        key = (part.ref.tenant_id, part.ref.id, part.resource.name)
        state = session.get(MappingState, key)
    if (wanted, fields) == ((state.digest, state.fields) if state else ("", [])):
        return
    work = _Remapping(part, committer, mapper)
    committer.run(work.begin)
    changed, rejected = work.all()
    unread = sorted(set(fields) - set(state.fields if state else ()))
    again = committer.run(lambda c: work.finish(c, wanted, fields, anew=bool(unread)))
    if changed:
        part.note("INFO", f"The field mappings changed: {changed} stored records have new values.")
    if rejected:
        part.note("WARNING", f"{rejected} stored records could not be mapped whole.")
    if unread and again:
        part.note("INFO", f"Never read so far: {', '.join(unread)}. All records are read again.")


class _Remapping:
    """The rows of one resource, some at a time, each in its own transaction."""

    def __init__(self, part: Part, committer: Committer, mapper: FieldMapper | None) -> None:
        self._part = part
        self._committer = committer
        self._mapper = mapper
        self._table = table_name(part.ref.connector, part.resource)
        self._after = ""

    def all(self) -> tuple[int, int]:
        """How many rows changed, and how many could not be mapped whole."""
        changed = rejected = 0
        while True:
            last, some, bad = self._committer.run_once(self._next)
            changed, rejected = changed + some, rejected + bad
            if bad:
                self._part.add(Counts(rejected=bad))
            if last is None:
                return changed, rejected
            self._after = last

    def begin(self, connection: Connection) -> None:
        """Say that the rows are about to differ; what was asked of the service stays known."""
        self._save(connection, digest=UNFINISHED)

    def finish(self, connection: Connection, digest: str, fields: list[str], *, anew: bool) -> bool:
        """Remember what the rows were mapped by; batches that were staged with the old are void.

        Returns:
            Whether anything had been read before.
        """
        forgotten = "cursor = NULL, progress = NULL" if anew else "progress = NULL"
        begun = connection.execute(text(_FORGET.format(forgotten)), self._committer.names).rowcount
        self._save(connection, digest=digest, fields=fields)
        return begun > 0

    def _save(self, connection: Connection, **values: Any) -> None:
        ref = self._part.ref
        key = {
            "tenant_id": ref.tenant_id,
            "integration_id": ref.id,
            "resource": self._part.resource.name,
        }
        connection.execute(
            insert(MappingState)
            .values(**key, **values)
            .on_conflict_do_update(index_elements=list(key), set_=values)
        )

    def _next(self, connection: Connection) -> tuple[str | None, int, int]:
        query = text(_SOME.format(table=self._table))
        names = {**self._committer.names, "after": self._after, "rows": ROWS}
        rows = connection.execute(query, names).all()
        if not rows:
            return None, 0, 0
        mapped = self._mapped([orjson.loads(row.raw) for row in rows])
        changed = connection.execute(
            text(_UPDATE.format(table=self._table)),
            {
                **self._committer.names,
                "ids": [row.id for row in rows],
                "customs": [(one.custom or b"{}").decode() for one in mapped],
            },
        ).rowcount
        faults = [
            Change(row.id, row.raw.encode(), fault=one.fault)
            for row, one in zip(rows, mapped, strict=True)
            if one.fault is not None and row.deleted_at is None
        ]
        set_aside(connection, self._committer.target, faults)
        self._committer.count(connection, Counts(rejected=len(faults)))
        return rows[-1].id, changed, len(faults)

    def _mapped(self, records: list[dict[str, Any]]) -> list[Mapped]:
        return self._mapper(records) if self._mapper else [Mapped(b"{}")] * len(records)


# Deleted rows too: what a mapping was changed to hide must not stay in them.
_SOME = """
    SELECT id, raw::text AS raw, deleted_at FROM {table}
    WHERE tenant_id = :tenant AND integration_id = :integration AND id > :after
    ORDER BY id LIMIT :rows
"""
_UPDATE = """
    UPDATE {table} AS row SET custom = given.custom::jsonb, synced_at = now(), job_id = :job
    FROM unnest(CAST(:ids AS text[]), CAST(:customs AS text[])) AS given(id, custom)
    WHERE row.tenant_id = :tenant AND row.integration_id = :integration AND row.id = given.id
        AND row.custom IS DISTINCT FROM given.custom::jsonb
"""
_FORGET = """
    UPDATE integrations.checkpoint SET {}
    WHERE tenant_id = :tenant AND integration_id = :integration AND resource = :resource
"""
