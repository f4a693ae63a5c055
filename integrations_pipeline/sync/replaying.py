"""Loading records that were set aside once more, after what hindered them was changed."""

from collections.abc import Iterator

import orjson

from integrations_pipeline.errors import AnswerError
from integrations_pipeline.store.sync_models import DeadLetter
from integrations_pipeline.sync.batches import Batch, Wanted
from integrations_pipeline.sync.letters import latest_letters, name_letter
from integrations_pipeline.sync.parts import Part
from integrations_pipeline.sync.records import Change, Reader
from integrations_pipeline.transport.parsing import parse

AT_ONCE = 200
"""Letters that are taken up together; a payload may have a megabyte."""


def replayed(part: Part, wanted: Wanted) -> Iterator[Batch]:
    """The records of the resource's open letters, read as if the service had just sent them.

    Of a record with several letters only the latest counts: the others tell what it was before.
    """
    reader = Reader(
        part.resource, wanted.fields, wanted.terms, watch=wanted.watch, mapper=wanted.mapper
    )
    last, found, tried = None, 0, 0
    while letters := latest_letters(
        part.store, part.ref, part.resource.name, after=last, limit=AT_ONCE
    ):
        changes = [change for letter in letters for change in _named(part, reader, letter)]
        last, found, tried = letters[-1].id, found + len(changes), tried + len(letters)
        yield Batch(changes=changes, pages=0)
    part.note("INFO", f"{tried} records were set aside; {found} could be read.")


def _named(part: Part, reader: Reader, letter: DeadLetter) -> list[Change]:
    changes = _changes(reader, letter.payload)
    if letter.record_id is None and changes:
        name_letter(part.store, letter, changes[-1].key)
    return changes


def _changes(reader: Reader, payload: bytes) -> list[Change]:
    """What a payload says; nothing where it still can't be loaded, so that its letter stays."""
    try:
        return [change for change in reader.changes([parse(payload)]) if change.fault is None]
    except (AnswerError, orjson.JSONDecodeError):
        return []
