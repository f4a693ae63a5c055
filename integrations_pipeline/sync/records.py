"""From a service's record to what is loaded: key, version, digest and the raw form."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import repeat
from typing import Any

import orjson
from xxhash import xxh3_128_digest

from integrations_pipeline.connectors.base import FilterTerm, Resource
from integrations_pipeline.connectors.columns import Column, ColumnType, TimeFormat
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.sync.filters import matches, typed

LONGEST_KEY = 1000
"""Characters; what is longer does not fit into an index, and is no key."""
SHORT_PAGE = 10
_YEAR_9999 = 253_370_764_800
_NUL = re.compile(rb"(\\\\)|\\u0000")
"""A NUL as JSON writes it; an escaped backslash before `u0000` is taken first, and kept."""


@dataclass(slots=True)
class Change:
    """One record as it is now, or (raw is None) the news that it is gone.

    With a `fault` it can't be loaded: `raw` is then what the service sent, as far as it is known,
    and the key may be empty.
    """

    key: str
    raw: bytes | None = None
    digest: bytes | None = None
    version: datetime | None = None
    custom: bytes | None = None
    """The mapped fields, as JSON."""
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """What an integration's field mappings make of one record."""

    custom: bytes | None = None
    fault: str | None = None


Watch = Callable[[Sequence[dict[str, Any]]], None]
"""Looks at the records of a page."""
Mapper = Callable[[Sequence[dict[str, Any]]], Iterable[Mapped]]
"""Maps the records of a page, one result for each."""
_UNMAPPED = Mapped()


class Reader:
    """Turns the rows of one resource into changes, under the fields and filters of one job."""

    def __init__(
        self,
        resource: Resource,
        fields: tuple[str, ...] = (),
        terms: tuple[FilterTerm, ...] = (),
        *,
        watch: Watch | None = None,
        mapper: Mapper | None = None,
    ) -> None:
        self._resource = resource
        self._kept = _kept_keys(resource, fields)
        self._terms = terms
        self._watch = watch
        self._mapper = mapper
        self._version = version_of(resource)

    def changes(self, rows: Sequence[Any], record_at: str = "") -> list[Change]:
        """What the rows say, in their order. A row may only carry the record (`record_at`).

        Raises:
            AnswerError: there are many rows, and none of them is an object with a key.
        """
        if not record_at and self._are_plain(rows):
            found, records = list(rows), list(rows)
        else:
            found = self._sorted(rows, record_at)
            records = [one for one in found if isinstance(one, dict)]
        if self._watch is not None:
            self._watch(records)
        if self._terms:
            found = [c for c in found if isinstance(c, Change) or matches(c, self._terms)]
            records = [one for one in found if isinstance(one, dict)]
        if len(records) == len(found) and self._mapper is None and self._kept is None:
            return self._plain(records)
        mapped = iter(self._mapper(records)) if self._mapper else repeat(_UNMAPPED)
        return [c if isinstance(c, Change) else self._change(c, next(mapped)) for c in found]

    def _are_plain(self, rows: Sequence[Any]) -> bool:
        """Whether all rows of a page are records with keys, as they are on almost all pages."""
        name, deleted = self._resource.key, self._resource.deleted
        if self._resource.merged_at or set(map(type, rows)) != {dict}:
            return False
        if deleted is not None and deleted.among(rows):
            return False
        return _are_keys([row.get(name) for row in rows])

    def _plain(self, records: list[dict[str, Any]]) -> list[Change]:
        """The same as `_change` for whole records without mappings: the hot loop."""
        name, found = self._resource.key, []
        for record, version in zip(records, self._versions(records), strict=True):
            raw = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
            if b"\\" in raw:  # seldom, and found in no time
                raw = _mended(raw)
            found.append(Change(str(record[name]), raw, xxh3_128_digest(raw), version))
        return found

    def _versions(self, records: list[dict[str, Any]]) -> list[datetime | None]:
        path, form = self._resource.version, self._resource.version_format
        if form is TimeFormat.SECONDS and path.isidentifier():
            values: list[Any] = [record.get(path) for record in records]
            usual = set(map(type, values)) == {int}
            if usual and min(values) > 0 and max(values) < _YEAR_9999:
                return [datetime.fromtimestamp(value, UTC) for value in values]
        return [self._version(record) for record in records]

    def keys(self, rows: Iterable[Any], record_at: str = "") -> set[str]:
        """The keys of all rows, whether the filters let them through or not."""
        found = (row for row in rows if isinstance(row, dict))
        keys = (self._key((dig(row, record_at) if record_at else row) or {}, row) for row in found)
        return {key for key in keys if key is not None}

    def gone(self, rows: Iterable[Any]) -> list[Change]:
        """Rows of a listing that shows deleted records only.

        Raises:
            AnswerError: a row is no object, or has no key.
        """
        found: list[Change] = []
        for row in rows:
            if not isinstance(row, dict):
                raise AnswerError(f"A record is a {type(row).__name__} instead of an object.")
            key = self._key(row, row)
            if key is None:
                raise AnswerError(f"A record has no usable {self._resource.key!r}.")
            found.append(Change(key))
        return found

    def _sorted(self, rows: Sequence[Any], record_at: str) -> list[Change | dict[str, Any]]:
        """Records, and what is said of others, in the order of the rows."""
        found: list[Change | dict[str, Any]] = []
        for row in rows:
            self._sort(row, record_at, found)
        _check_some_are_records(found)
        return found

    def _sort(self, row: Any, record_at: str, found: list[Change | dict[str, Any]]) -> None:
        """Append what one row means: a record, the end of one, or a fault."""
        if not isinstance(row, dict):
            found.append(_faulty(row, f"A record is a {type(row).__name__} instead of an object."))
            return
        record = dig(row, record_at) if record_at else row
        deleted = self._resource.deleted is not None and self._resource.deleted.matches(row)
        if not deleted and not isinstance(record, dict):
            return
        record = record if isinstance(record, dict) else {}
        key = self._key(record, row)
        if key is None:
            found.append(_faulty(row, f"A record has no usable {self._resource.key!r}."))
        elif deleted:
            found.append(Change(key))
        else:
            if self._resource.merged_at:
                found += self._merged(record)
            found.append(record)

    def _change(self, record: dict[str, Any], mapped: Mapped) -> Change:
        kept = record
        if self._kept is not None:
            kept = {name: value for name, value in record.items() if name in self._kept}
        raw = _mended(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS))
        key = str(record.get(self._resource.key))
        if mapped.fault is not None:
            return Change(key, raw, fault=mapped.fault)
        return Change(key, raw, xxh3_128_digest(raw), self._version(record), mapped.custom)

    def _merged(self, record: dict[str, Any]) -> list[Change]:
        """Records that were merged into this one: they vanished without a trace of their own."""
        keys = [key.strip() for key in str(dig(record, self._resource.merged_at) or "").split(";")]
        own = str(record.get(self._resource.key))
        return [Change(key) for key in keys if key and key != own]

    def _key(self, record: dict[str, Any], row: dict[str, Any]) -> str | None:
        # a deleted carrier may have lost its record; then its own id is the key
        key = record.get(self._resource.key)
        if key is None and record is not row:
            key = row.get("id")
        return str(key) if _is_key(key) else None


def version_of(resource: Resource) -> Callable[[dict[str, Any]], datetime | None]:
    """What tells the version of a record of this resource; without one it tells None."""
    path, form = resource.version, resource.version_format
    if not path:
        return lambda _: None
    column = Column("version", ColumnType.TIMESTAMP, path, time_format=form)
    return lambda record: typed(column, column.value(record))


def _mended(raw: bytes) -> bytes:
    """Without NUL, a character that Postgres does not have."""
    if b"\\u0000" not in raw:
        return raw
    return _NUL.sub(lambda found: found[1] or b"\\ufffd", raw)


def _is_key(key: Any) -> bool:
    """Whether a value can be a record's key: a text or a whole number."""
    if type(key) is str:
        return 0 < len(key) <= LONGEST_KEY and "\0" not in key
    return type(key) is int


def _are_keys(values: list[Any]) -> bool:
    """Whether all of them can be; a page is judged at once, which costs next to nothing."""
    types = set(map(type, values))
    if types != {str}:
        return types == {int}
    shortest, longest = min(map(len, values)), max(map(len, values))
    return shortest > 0 and longest <= LONGEST_KEY and "\0" not in "".join(values)


def _faulty(row: Any, reason: str) -> Change:
    return Change("", orjson.dumps(row), fault=reason)


def _check_some_are_records(found: list[Change | dict[str, Any]]) -> None:
    """A page on which nothing is a record is not what the service documents.

    A short one may hold just the few that are broken.
    """
    faults = [one.fault for one in found if isinstance(one, Change) and one.fault]
    if len(faults) > SHORT_PAGE and len(faults) == len(found):
        raise AnswerError(faults[0])


def _kept_keys(resource: Resource, fields: tuple[str, ...]) -> frozenset[str] | None:
    """Top-level keys to keep, or None for all; a service that narrows by itself sends no more."""
    if not fields or resource.fields_param:
        return None
    kept = {resource.key, resource.version.split(".")[0]}
    for name in fields:
        column = resource.column(name)
        kept |= {path.split(".")[0] for path in column.paths} if column else {name}
    return frozenset(kept)
