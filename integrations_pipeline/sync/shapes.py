"""The shape of records: which fields they have, and of which JSON types."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from integrations_pipeline.connectors.base import Resource
from integrations_pipeline.connectors.columns import ColumnType
from integrations_pipeline.sync.batches import Batch

SAMPLE_EVERY = 100
"""The types are looked at in one of so many records: a service changes a type for all."""
MOST_FIELDS = 500
MOST_NESTED = 100
"""An object with so many names is taken for a map, whose keys are data."""
MAP = "map"
LISTED = "listed"
"""Beside a field's JSON types: the service's own list of fields has it."""
MARKS = frozenset({MAP, LISTED})
_NAME = re.compile(r"[A-Za-z_$][\w$.: /-]{0,99}")
_TYPES: dict[type, str] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "boolean",
    dict: "object",
    list: "list",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier reads knew of a field."""

    types: frozenset[str]
    is_gone: bool = False


@dataclass(slots=True)
class _Level:
    """The names met in one object: the record, or one inside it."""

    prefix: str
    most: int
    before: frozenset[str] = frozenset()
    """Paths that earlier reads met in it."""
    names: set[str] = field(default_factory=set)
    types: dict[str, set[type]] = field(default_factory=dict)


class FieldWatch:
    """Notes the fields of one resource's records while they pass, down to the second level.

    A declared JSON column is one field, whatever is in it, and so is a map: an object whose keys
    are no names, or too many. `known` is what earlier reads knew, by path.
    """

    def __init__(self, resource: Resource, known: Mapping[str, Known] | None = None) -> None:
        self.resource = resource
        self.known = known or {}
        self.records = 0
        self.ended = False
        """Whether a full read came to its end."""
        self.met_all = False
        """Whether that read began under this watch."""
        self.listed: frozenset[str] | None = None
        """Paths of the fields in the service's own list, where it was asked."""
        self._asked: set[str] | None = None
        self._began = False
        self._top = _Level("", MOST_FIELDS)
        self._inner: dict[str, _Level] = {}
        self._maps = {path for path, before in self.known.items() if MAP in before.types}
        columns = (c for c in resource.columns if c.type is ColumnType.JSON)
        self._closed = {path for column in columns for path in column.paths}

    def narrow(self, fields: Sequence[str]) -> None:
        """Say which fields the service is asked for by name; none: it sends what it has."""
        if not self.resource.fields_param or not fields:
            return
        under = f"{self.resource.fields_under}." if self.resource.fields_under else ""
        self._asked = {under + name for name in fields}

    def is_asked(self, path: str) -> bool:
        """Whether a field that is there would show: the service was not kept from sending it."""
        if self._asked is None or path == self.resource.fields_under:
            return True
        return path in self._asked or not self._is_narrowed(path)

    def is_extra(self, path: str) -> bool:
        """Whether a field shows only since somebody asked for it, as a mapping does."""
        columns = {path for column in self.resource.columns for path in column.paths}
        return self._asked is not None and path in self._asked - columns

    def _is_narrowed(self, path: str) -> bool:
        under = self.resource.fields_under
        return path.startswith(f"{under}.") if under else True

    def see(self, records: Sequence[dict[str, Any]]) -> None:
        """Look at the records of a page."""
        self.records += len(records)
        for record in records[::SAMPLE_EVERY]:
            self._look(record)
        # one pass in C over the usual page, on which no name is new
        if not all(map(self._top.names.issuperset, records)):
            self._look_at_new(self._top, records, records)
        for name, level in tuple(self._inner.items()):
            objects = [one for r in records if (one := r.get(name)).__class__ is dict]
            if not all(map(level.names.issuperset, objects)):
                holders = [r for r in records if r.get(name).__class__ is dict]
                self._look_at_new(level, holders, objects)

    def follow(self, batch: Batch) -> None:
        """Take what a batch says about the read."""
        if batch.begins is not None:
            self._began = batch.begins
        if batch.complete:
            self.ended, self.met_all = True, self._began

    def fields(self) -> dict[str, frozenset[str]]:
        """The JSON types of every field met, by its path; a null tells none."""
        met = {
            level.prefix + name: self._named(level.prefix + name, types)
            for level in (self._top, *self._inner.values())
            for name, types in level.types.items()
        }
        listed = {path: frozenset({LISTED}) for path in self.listed or ()}
        return met | {path: met.get(path, frozenset()) | marks for path, marks in listed.items()}

    def is_open(self, name: str) -> bool:
        """Whether a field held objects that were looked into."""
        return name in self._inner

    def _look_at_new(
        self,
        level: _Level,
        records: Sequence[dict[str, Any]],
        objects: Sequence[dict[str, Any]],
    ) -> None:
        """Look at those records whose object at this level has a name that is new there."""
        for record, one in zip(records, objects, strict=True):
            if len(level.names) < level.most and not level.names.issuperset(one):
                self._look(record)

    def _look(self, record: dict[str, Any]) -> None:
        _note(self._top, record)
        for name, value in record.items():
            if value.__class__ is dict and name not in self._closed and name not in self._maps:
                self._look_into(name, value)

    def _look_into(self, name: str, value: dict[str, Any]) -> None:
        holds_fields = name == self.resource.fields_under
        level = self._inner.get(name)
        if level is None:
            if name not in self._top.types:
                return
            most = MOST_FIELDS if holds_fields else MOST_NESTED
            before = frozenset(path for path in self.known if path.startswith(f"{name}."))
            level = self._inner[name] = _Level(f"{name}.", most, before)
        _note(level, value)
        if not holds_fields and _is_map(level):
            del self._inner[name]
            self._maps.add(name)

    def _named(self, path: str, types: set[type]) -> frozenset[str]:
        named = {_TYPES[one] for one in types if one in _TYPES}
        return frozenset(named | ({MAP} if path in self._maps else set()))


def _is_map(level: _Level) -> bool:
    met = {level.prefix + name for name in level.names}
    has_odd_keys = len(level.names) > len(level.types)
    return has_odd_keys or len(level.before | met) >= level.most


def _note(level: _Level, one: dict[str, Any]) -> None:
    for name, value in one.items():
        types = level.types.get(name)
        if types is None:
            if name in level.names or len(level.names) >= level.most:
                continue
            level.names.add(name)
            if not _NAME.fullmatch(name):  # it may be anything, also somebody's address
                continue
            types = level.types[name] = set()
        types.add(value.__class__)
