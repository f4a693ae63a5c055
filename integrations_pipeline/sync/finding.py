"""Finding records at the service without their id: by our own ids, or among those just made."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from integrations_pipeline.connectors.base import Listing, Resource, SearchPage
from integrations_pipeline.connectors.columns import Column, ColumnType
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.connectors.pushing import Find, Push
from integrations_pipeline.errors import NotFoundError
from integrations_pipeline.sync.batches import chunks, millis, moment_of
from integrations_pipeline.sync.filters import typed
from integrations_pipeline.sync.walking import search, walk
from integrations_pipeline.sync.writable import Fields
from integrations_pipeline.transport.client import ServiceClient

Records = list[dict[str, Any]]


class Finder:
    """Finds records of one resource."""

    def __init__(
        self,
        client: ServiceClient,
        resource: Resource,
        push: Push,
        fields: Fields,
        max_pages: int,
    ) -> None:
        self._client = client
        self._resource = resource
        self._push = push
        self._fields = fields
        self._max_pages = max_pages
        self._born = Column(
            "born", ColumnType.TIMESTAMP, push.born_at, time_format=push.born_format
        )

    def by_external(self, external_ids: Sequence[str], fields: Sequence[str] = ()) -> Records:
        """The records that carry these ids of ours, with these fields.

        Raises:
            ServiceError: the service does not tell.
        """
        find = self._push.by_external
        if find is None:
            return []
        parts = chunks(tuple(dict.fromkeys(external_ids)), find.batch)
        return [record for part in parts for record in self._asked(find, part, fields)]

    def each_by_external(self, external_ids: Sequence[str]) -> dict[str, Records]:
        """For each of these ids of ours the records that carry it.

        Raises:
            ServiceError: the service does not tell.
        """
        find = self._push.by_external
        if find is None or find.batch == 1:
            return {one: self.by_external([one]) for one in dict.fromkeys(external_ids)}
        found = {self.key(record): record for record in self.by_external(external_ids)}
        return {
            one: [record for record in found.values() if self.carries(record, one)]
            for one in external_ids
        }

    def made(self, since: datetime, until: datetime, fields: Sequence[str]) -> Records:
        """The records that were made in that time, with these fields.

        Raises:
            ServiceError: the service does not tell.
        """
        found = self._pages(since, until, tuple(fields))
        return [record for page in found for record in page if self.born_after(record, since)]

    def key(self, record: dict[str, Any]) -> str:
        """A record's id."""
        return str(record[self._resource.key])

    def carries(self, record: dict[str, Any], external_id: str) -> bool:
        """Whether a record carries this id of ours; services differ in their care for case."""
        name = self._fields.external
        there = self._fields.values(record, [name])[name]
        return str(there).casefold() == external_id.casefold()

    def born_after(self, record: dict[str, Any], moment: datetime) -> bool:
        """Whether a record was made after a moment, as far as it tells."""
        born = typed(self._born, self._born.value(record)) if self._push.born_at else None
        return born is None or bool(born >= moment)

    def _asked(self, find: Find, ids: tuple[str, ...], fields: Sequence[str]) -> Records:
        path = find.path.format(external_id=quote(ids[0], safe=""))
        try:
            if find.body is not None:
                page = self._client.post(path, find.body(ids, self._fields.external, fields))
            else:
                params = {find.ids_param: ids[0]} if find.ids_param else None
                page = self._client.get(path, params)
        except NotFoundError:
            return []
        rows = dig(page, find.records_at) if find.records_at else [page]
        return [row for row in rows or () if dig(row, self._resource.key) is not None]

    def _pages(
        self, since: datetime, until: datetime, fields: tuple[str, ...]
    ) -> Iterator[Records]:
        made = self._push.made
        if made is None:
            return
        if not isinstance(made.way, Listing):
            page = SearchPage(
                search=made.way,
                since_ms=millis(since),
                until_ms=millis(until),
                after_id=None,
                filters=(),
                fields=fields,
            )
            yield from (found.rows for found in search(self._client, page, self._max_pages))
            return
        params = made.params(since, until) if made.params else {}
        for found in walk(self._client, made.way, params=params, max_pages=self._max_pages):
            yield found.rows
            stamps = [dig(row, made.newest_first) for row in found.rows if made.newest_first]
            if any(stamp and moment_of(stamp) < since for stamp in stamps):
                return
