"""Records as they are after a write, in the very form in which a pull would bring them.

So the next pull finds them unchanged: our own push does not come back as a change.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from integrations_pipeline.sync.batches import Wanted
from integrations_pipeline.sync.fields import service_fields, wants_associations
from integrations_pipeline.sync.mapping import FieldMapper, mapper_of
from integrations_pipeline.sync.parts import Part
from integrations_pipeline.sync.reading import ResourceReading
from integrations_pipeline.sync.records import Change, Reader


class Mirror:
    """Reads records of one resource again."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def read(self, ids: Sequence[str]) -> list[Change]:
        """The records with these ids; one that the service does not give is gone.

        Raises:
            ServiceError: the service does not give what was asked.
        """
        if not ids:
            return []
        part = self._part
        wanted = Wanted(
            mode="selective",
            fields=self._fields,
            ids=tuple(dict.fromkeys(ids)),
            linked=wants_associations(part.resource, part.request.fields),
            mapper=self._mapper,
        )
        reading = ResourceReading(
            part.client,
            part.resource,
            wanted,
            cursor=None,
            progress=None,
            note=part.note,
            max_pages=part.store.settings.max_pages,
        )
        return [change for batch in reading.batches() for change in batch.changes]

    def shown(self, records: Sequence[dict[str, Any]]) -> list[Change]:
        """The same for records that an answer has shown whole."""
        reader = Reader(self._part.resource, self._fields, mapper=self._mapper)
        return list(reader.changes(list(records))) if records else []

    @cached_property
    def _mapper(self) -> FieldMapper | None:
        return mapper_of(self._part.store, self._part.ref, self._part.resource.name)

    @cached_property
    def _fields(self) -> tuple[str, ...]:
        part = self._part
        mapped = self._mapper.sources if self._mapper else ()
        return service_fields(part.resource, part.client, part.request.fields, (), mapped)
