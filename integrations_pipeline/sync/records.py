"""From a service's record to what is loaded: key, version, digest and the raw form."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import orjson

from integrations_pipeline.connectors.base import FilterTerm, Resource
from integrations_pipeline.connectors.columns import Column, ColumnType
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.sync.filters import matches, typed

_NUL = re.compile(rb"(\\\\)|\\u0000")
"""A NUL as JSON writes it; an escaped backslash before `u0000` is taken first, and kept."""


@dataclass(frozen=True, slots=True)
class Change:
    """One record as it is now, or (raw is None) the news that it is gone."""

    key: str
    raw: bytes | None = None
    digest: bytes | None = None
    version: datetime | None = None


class Reader:
    """Turns the rows of one resource into changes, under the fields and filters of one job."""

    def __init__(
        self, resource: Resource, fields: tuple[str, ...] = (), terms: tuple[FilterTerm, ...] = ()
    ) -> None:
        self._resource = resource
        self._kept = _kept_keys(resource, fields)
        self._terms = terms
        self._version = Column(
            "version", ColumnType.TIMESTAMP, resource.version, time_format=resource.version_format
        )

    def changes(self, rows: Iterable[Any], record_at: str = "") -> Iterator[Change]:
        """What the rows say. A row may only carry the record (`record_at`).

        Raises:
            AnswerError: a row is no object, or has no key.
        """
        for row in rows:
            if not isinstance(row, dict):
                raise AnswerError(f"A record is a {type(row).__name__} instead of an object.")
            record = dig(row, record_at) if record_at else row
            if self._is_deleted(row):
                yield Change(self._key(record or {}, row))
            elif isinstance(record, dict):
                yield from self._merged(record)
                if matches(record, self._terms):
                    yield self._change(record)

    def keys(self, rows: Iterable[Any], record_at: str = "") -> set[str]:
        """The keys of all rows, whether the filters let them through or not."""
        found = (row for row in rows if isinstance(row, dict))
        return {self._key((dig(row, record_at) if record_at else row) or {}, row) for row in found}

    def gone(self, rows: Iterable[Any]) -> Iterator[Change]:
        """Rows of a listing that shows deleted records only."""
        for row in rows:
            if not isinstance(row, dict):
                raise AnswerError(f"A record is a {type(row).__name__} instead of an object.")
            yield Change(self._key(row, row))

    def _is_deleted(self, row: dict[str, Any]) -> bool:
        deleted = self._resource.deleted
        return deleted is not None and deleted.matches(row)

    def _change(self, record: dict[str, Any]) -> Change:
        key = self._key(record, record)
        version = (
            typed(self._version, self._version.value(record)) if self._resource.version else None
        )
        kept = record
        if self._kept is not None:
            kept = {name: value for name, value in record.items() if name in self._kept}
        raw = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
        if b"\\u0000" in raw:  # Postgres has no such character
            raw = _NUL.sub(lambda found: found[1] or b"\\ufffd", raw)
        return Change(key, raw, blake2b(raw, digest_size=16).digest(), version)

    def _merged(self, record: dict[str, Any]) -> Iterator[Change]:
        """Records that were merged into this one: they vanished without a trace of their own."""
        merged = dig(record, self._resource.merged_at) if self._resource.merged_at else None
        for key in str(merged or "").split(";"):
            if key.strip() and key.strip() != str(record.get(self._resource.key)):
                yield Change(key.strip())

    def _key(self, record: dict[str, Any], row: dict[str, Any]) -> str:
        # a deleted carrier may have lost its record; then its own id is the key
        key = record.get(self._resource.key)
        if key is None and record is not row:
            key = row.get("id")
        if key is None or isinstance(key, dict | list | bool) or key == "" or "\0" in str(key):
            raise AnswerError(f"A record has no usable {self._resource.key!r}.")
        return str(key)


def _kept_keys(resource: Resource, fields: tuple[str, ...]) -> frozenset[str] | None:
    """Top-level keys to keep, or None for all; a service that narrows by itself sends no more."""
    if not fields or resource.fields_param:
        return None
    kept = {resource.key, resource.version.split(".")[0]}
    for name in fields:
        column = resource.column(name)
        kept |= {path.split(".")[0] for path in column.paths} if column else {name}
    return frozenset(kept)
