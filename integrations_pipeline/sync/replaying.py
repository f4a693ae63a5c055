"""Loading records that were set aside once more, after what hindered them was changed."""

from collections.abc import Iterator

import orjson

from integrations_pipeline.errors import AnswerError
from integrations_pipeline.sync.batches import Batch, Wanted
from integrations_pipeline.sync.letters import name_letter, open_letters
from integrations_pipeline.sync.parts import Part
from integrations_pipeline.sync.records import Change, Reader
from integrations_pipeline.transport.parsing import parse

MOST = 10_000
"""Letters of one resource that one job takes up."""


def replayed(part: Part, wanted: Wanted) -> Iterator[Batch]:
    """The records of the resource's open letters, read as if the service had just sent them."""
    reader = Reader(
        part.resource, wanted.fields, wanted.terms, watch=wanted.watch, mapper=wanted.mapper
    )
    letters = open_letters(part.store, part.ref, part.resource.name, "pull", limit=MOST)
    found: list[Change] = []
    for letter in letters:
        changes = _changes(reader, letter.payload)
        if letter.record_id is None and changes:
            name_letter(part.store, letter, changes[-1].key)
        found += changes
    part.note("INFO", f"{len(letters)} records were set aside; {len(found)} can be read.")
    yield Batch(changes=found, pages=0)


def _changes(reader: Reader, payload: bytes) -> list[Change]:
    """What a payload says; nothing where it still can't be loaded, so that its letter stays."""
    try:
        return [change for change in reader.changes([parse(payload)]) if change.fault is None]
    except (AnswerError, orjson.JSONDecodeError):
        return []
