"""Reading given records again, by their ids."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from integrations_pipeline.connectors.base import Lookup, Resource
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import NotFoundError, RequestError
from integrations_pipeline.sync.asking import field_params
from integrations_pipeline.sync.batches import chunks
from integrations_pipeline.sync.completing import Completer
from integrations_pipeline.sync.records import Change, Reader
from integrations_pipeline.sync.walking import rows_of
from integrations_pipeline.transport.client import ServiceClient

TOGETHER = 20
"""Records that are handed on together where each takes a request of its own."""


class Lookups:
    """Reads records of one resource by id; one that the service does not give is gone."""

    def __init__(
        self, client: ServiceClient, resource: Resource, reader: Reader, completer: Completer
    ) -> None:
        if resource.lookup is None:
            raise RequestError(f"{resource.name} can't be read by id.")
        self._client = client
        self._resource = resource
        self._lookup: Lookup = resource.lookup
        self._reader = reader
        self._completer = completer

    def changes(self, ids: tuple[str, ...], fields: tuple[str, ...]) -> Iterator[list[Change]]:
        """What became of these ids, some at a time."""
        for some in chunks(ids, max(self._lookup.batch, TOGETHER)):
            rows = [
                row for part in chunks(some, self._lookup.batch) for row in self._rows(part, fields)
            ]
            self._completer.complete(rows)
            # a record that the filters leave out is there all the same
            there = self._reader.keys(rows, self._lookup.record_at)
            gone = [Change(key) for key in some if key not in there]
            yield [*self._reader.changes(rows, self._lookup.record_at), *gone]

    def _rows(self, ids: tuple[str, ...], fields: tuple[str, ...]) -> list[Any]:
        lookup = self._lookup
        if "{id}" in lookup.path:
            return self._one(ids[0], fields)
        if lookup.body is not None:
            page = self._client.post(lookup.path, lookup.body(ids, fields))
        else:
            narrowed = field_params(self._resource, fields)
            params = {**lookup.params, **narrowed, lookup.ids_param: ",".join(ids)}
            page = self._client.get(lookup.path, params)
        return rows_of(page, lookup.records_at, lookup.path)

    def _one(self, record_id: str, fields: tuple[str, ...]) -> list[Any]:
        path = self._lookup.path.format(id=quote(record_id, safe=""))
        try:
            narrowed = field_params(self._resource, fields)
            page = self._client.get(path, {**self._lookup.params, **narrowed})
        except NotFoundError:
            return []
        return [dig(page, self._lookup.records_at)]
