"""Pulling one resource: from the service's pages to rows and a checkpoint."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from integrations_pipeline.alerts import AlertKind, clear_alerts, raise_alert
from integrations_pipeline.errors import HeldError, StagedLostError
from integrations_pipeline.store.states import SyncType
from integrations_pipeline.store.sync_models import Checkpoint
from integrations_pipeline.sync.backfill import backfill_of
from integrations_pipeline.sync.batches import Batch, Wanted, ahead, grouped, moment_of
from integrations_pipeline.sync.committing import Committer, Target
from integrations_pipeline.sync.drift import watched
from integrations_pipeline.sync.fields import service_fields, wants_associations
from integrations_pipeline.sync.filters import parse_filters
from integrations_pipeline.sync.letters import open_letters
from integrations_pipeline.sync.loading import Loader
from integrations_pipeline.sync.mapping import FieldMapper, mapper_of, remap_if_changed
from integrations_pipeline.sync.parts import Part
from integrations_pipeline.sync.reading import ResourceReading
from integrations_pipeline.sync.replaying import replayed
from integrations_pipeline.sync.shapes import FieldWatch
from integrations_pipeline.sync.spans import has_span
from integrations_pipeline.sync.staging import STAGED_FOR, staged_count
from integrations_pipeline.transport.account import Priority

MOST_TOLD = 20
"""Lines about records that could not be loaded."""
TRIES = 3
"""How often a full read begins anew when the database loses what it has staged."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a read begins."""

    mode: str
    cursor: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None


def pull(part: Part) -> None:
    """Read what the job wants of the resource, and load it.

    Raises:
        HeldError: a full read would delete so much that a person must agree first.
        ServiceError: the service does not give what was asked.
    """
    target = target_of(part)
    mapper = mapper_of(part.store, part.ref, part.resource.name)
    remap_if_changed(part, Committer(part.store, target), mapper)
    for attempt in range(1, TRIES + 1):
        place = _place(part, target)
        part.begin(place.mode)
        part.client.priority = Priority.BULK if place.mode == "full" else Priority.INCREMENTAL
        part.note("INFO", f"Reading {place.mode}.")
        try:
            _read(part, place, target, mapper, keep_all=attempt > 1)
        except StagedLostError as error:
            if attempt == TRIES:
                raise
            part.note("WARNING", f"Reading from the start again: {error.message}")
        except HeldError as error:
            _tell_held(part, error)
            raise
        else:
            _tell_set_aside(part)
            return


def target_of(part: Part) -> Target:
    """Where the part writes."""
    return Target(
        tenant_id=part.ref.tenant_id,
        integration_id=part.ref.id,
        job_id=part.claim.job_id,
        fence=part.claim.fence,
        resource=part.resource.name,
        scope=part.scope,
        moves_checkpoint=part.request.sync_type != SyncType.SELECTIVE or has_span(part.request),
        fields=tuple(part.request.fields),
    )


def _read(
    part: Part, place: Place, target: Target, mapper: FieldMapper | None, *, keep_all: bool
) -> None:
    accepted = part.request.accept_deletions
    share = 1.0 if accepted else part.ref.policy.max_deleted_share
    loader = Loader(
        part.store,
        part.ref.connector,
        part.resource,
        target,
        max_deleted_share=share,
        keep_all=keep_all,
    )
    with watched(part) as watch, closing(loader):
        batches = ahead(grouped(_batches(part, place, mapper, watch)))
        with closing(batches):
            for batch in batches:
                watch.follow(batch)
                if batch.begins is not None and part.mode != "full":
                    part.begin("full")
                part.add(loader.load(batch))
                if batch.complete:
                    _clear_held(part)


def _batches(
    part: Part, place: Place, mapper: FieldMapper | None, watch: FieldWatch
) -> Iterator[Batch]:
    resource, request = part.resource, part.request
    terms = parse_filters(resource, request.filters)
    mapped = mapper.sources if mapper else ()
    fields = service_fields(resource, part.client, request.fields, terms, mapped)
    watch.narrow(fields)
    wanted = Wanted(
        mode=place.mode,
        fields=fields,
        terms=terms,
        ids=tuple(request.ids),
        linked=wants_associations(resource, request.fields),
        watch=watch.see,
        mapper=mapper,
    )
    if place.mode == "replay":
        return replayed(part, wanted)
    if place.mode == "backfill":
        return backfill_of(part, wanted, place.progress).batches()
    reading = ResourceReading(
        part.client,
        resource,
        wanted,
        cursor=place.cursor,
        progress=place.progress,
        note=part.note,
        max_pages=part.store.settings.max_pages,
        workers=part.store.settings.page_workers,
    )
    return reading.batches()


def _place(part: Part, target: Target) -> Place:
    key = (part.ref.tenant_id, part.ref.id, part.resource.name, part.scope)
    with part.store.tenant(part.ref.tenant_id) as session:
        row = session.get(Checkpoint, key)
    cursor = row.cursor if row else None
    if part.request.replay:
        return Place("replay")
    if has_span(part.request):
        return Place("backfill", progress=row.progress if row else None)
    mode = _mode(part.request.sync_type, cursor)
    # an incremental read may turn into a full one
    progress = row.progress if row and mode != "selective" else None
    return Place(mode, cursor, progress if _is_usable(part, target, progress) else None)


def _mode(sync_type: str, cursor: dict[str, Any] | None) -> str:
    if sync_type == SyncType.SELECTIVE:
        return "selective"
    return "full" if sync_type == SyncType.FULL_SYNC or cursor is None else "incremental"


def _is_usable(part: Part, target: Target, progress: dict[str, Any] | None) -> bool:
    """Whether a full read can go on: not too old, and all that it staged is still there."""
    if not progress or not {"began", "position", "staged", "staged_from"} <= progress.keys():
        return False
    if moment_of(progress["began"]) < datetime.now(UTC) - STAGED_FOR:
        return False
    committer = Committer(part.store, target)
    staged = committer.run(lambda connection: staged_count(connection, target.names))
    return bool(staged == progress["staged"])


def _tell_set_aside(part: Part) -> None:
    """One line for each record that could not be loaded; of very many, the latest."""
    if not part.counts.rejected:
        return
    letters = open_letters(part.store, part.ref, part.resource.name, "pull", limit=MOST_TOLD)
    for letter in letters:
        if letter.job_id == part.claim.job_id:
            details = {"record": letter.record_id, "letter": str(letter.id)}
            told = "A record was set aside"
            part.note("WARNING", f"{told}: {letter.reason}", details, public=f"{told}.")
    if (more := part.counts.rejected - len(letters)) > 0:
        part.note("WARNING", f"{more} more were set aside: see `integrations letters`.")


def _tell_held(part: Part, error: HeldError) -> None:
    ref, name = part.ref, part.resource.name
    told = f"{ref.key} {name}: {error}"
    with part.store.tenant(ref.tenant_id) as session:
        raise_alert(session, ref.tenant_id, ref.id, AlertKind.HELD, told, name)


def _clear_held(part: Part) -> None:
    ref, name = part.ref, part.resource.name
    with part.store.tenant(ref.tenant_id) as session:
        clear_alerts(session, ref.tenant_id, ref.id, [AlertKind.HELD], name)
