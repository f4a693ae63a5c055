"""The mappings of one resource, ready to be applied to pages of records."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from hashlib import blake2b
from typing import Any

import orjson

from integrations_pipeline.connectors.base import Resource
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.sync.fields import names_under
from integrations_pipeline.sync.mapping.hashing import hash_key
from integrations_pipeline.sync.mapping.paths import getter
from integrations_pipeline.sync.mapping.saving import list_mappings
from integrations_pipeline.sync.mapping.specs import MappingSpec
from integrations_pipeline.sync.mapping.steps import Hash
from integrations_pipeline.sync.records import Mapped

_NUL = re.compile(rb"(\\\\)|\\u0000")
MEANING = b"1"
"""Changes when a transform gives something else than before: stored rows are then mapped anew."""


@dataclass(frozen=True, slots=True)
class Row:
    """What mappings make of one record: values by target, and why some are missing."""

    values: dict[str, Any]
    fault: str | None = None


class FieldMapper:
    """Applies mappings to records, a page at a time; fit for `Reader`'s `mapper`."""

    def __init__(self, specs: Sequence[MappingSpec], key: bytes = b"") -> None:
        self._specs = sorted(specs, key=lambda spec: spec.target)
        self._key = key

    def __call__(self, records: Sequence[dict[str, Any]]) -> list[Mapped]:
        """`custom` of each record, as JSON, or the reason why it can't be made."""
        return [_as_json(row) for row in self.rows(records)]

    def rows(self, records: Sequence[Mapping[str, Any]]) -> list[Row]:
        """The values of each record by target; null where a transform could not handle one."""
        if not records:
            return []
        fields, faults = _Fields(records, self._key), _Faults()
        columns = [_column(spec, fields, faults) for spec in self._specs]
        targets = [spec.target for spec in self._specs]
        rows = zip(*columns, strict=True)
        return [
            Row(dict(zip(targets, row, strict=True)), faults.told(place))
            for place, row in enumerate(rows)
        ]

    @property
    def sources(self) -> tuple[str, ...]:
        """All paths that are read."""
        return tuple(dict.fromkeys(path for spec in self._specs for path in spec.sources))

    @cached_property
    def digest(self) -> str:
        """The same for mappings that make the same of every record."""
        told = [(spec.source, spec.target, spec.told_transforms) for spec in self._specs]
        form = MEANING + orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
        return blake2b(form, digest_size=16).hexdigest()

    def extra_fields(self, resource: Resource) -> tuple[str, ...]:
        """Fields to ask the service for that no column needs, where it is asked by name."""
        return extra_fields(resource, self.sources)


def mapper_of(
    store: Store, ref: IntegrationRef, resource: str, direction: str = "pull"
) -> FieldMapper | None:
    """The mappings of a resource as they are now; None where there are none."""
    specs = list_mappings(store, ref, resource, direction)
    return mapper_for(store, ref, specs) if specs else None


def mapper_for(store: Store, ref: IntegrationRef, specs: Sequence[MappingSpec]) -> FieldMapper:
    """These mappings, with the key that they hash under.

    Raises:
        SealError: the key does not open.
    """
    hashes = any(isinstance(step, Hash) for spec in specs for step in spec.transforms)
    return FieldMapper(specs, hash_key(store, ref.tenant_id) if hashes else b"")


def extra_fields(resource: Resource, sources: Sequence[str]) -> tuple[str, ...]:
    """The fields behind these paths that no column of the resource is filled from."""
    if not resource.fields_param:
        return ()
    asked = names_under(resource, ["|".join(column.paths) for column in resource.columns])
    return tuple(sorted(set(names_under(resource, sources)) - set(asked)))


class _Fields:
    """The columns of a page: each path is walked once."""

    def __init__(self, records: Sequence[Mapping[str, Any]], key: bytes) -> None:
        from integrations_pipeline.sync.mapping.transforms import Batch

        self._records = records
        self._known: dict[str, list[Any]] = {}
        self.batch = Batch(self.values, key)

    def values(self, path: str) -> list[Any]:
        if path not in self._known:
            take = getter(path) if path else _nothing
            self._known[path] = [take(record) for record in self._records]
        return self._known[path]


class _Faults:
    """What went wrong, by the place of the record."""

    def __init__(self) -> None:
        self._told: dict[int, list[str]] = {}

    def add(self, places: Mapping[int, str], target: str, at: str) -> None:
        for place, reason in places.items():
            self._told.setdefault(place, []).append(f"{target}: {reason} ({at})")

    def told(self, place: int) -> str | None:
        return "; ".join(self._told[place]) if place in self._told else None


def _column(spec: MappingSpec, fields: _Fields, faults: _Faults) -> list[Any]:
    from integrations_pipeline.sync.mapping.outcomes import series
    from integrations_pipeline.sync.mapping.transforms import apply_step

    if not spec.transforms:
        return fields.values(spec.source)
    values, failed = series(fields.values(spec.source)), dict[int, str]()
    for number, step in enumerate(spec.transforms, 1):
        outcome = apply_step(step, values, fields.batch)
        values = outcome.values
        new = {place: why for place, why in outcome.faults.items() if place not in failed}
        faults.add(new, spec.target, f"step {number}, {step.step}")
        failed |= new
        if new:  # it goes on as a null, which every step takes
            values = values.copy()
            values.iloc[list(new)] = None
    found: list[Any] = values.tolist()
    for place in failed:
        found[place] = None
    if spec.direction == "push":  # writers of requests know no exact numbers
        return [format(one, "f") if isinstance(one, Decimal) else one for one in found]
    return found


def _as_json(row: Row) -> Mapped:
    try:
        custom = orjson.dumps(row.values, default=_written, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return Mapped(b"{}", row.fault or "A mapped value can't be written as JSON.")
    if b"\\u0000" in custom:  # Postgres has no such character
        custom = _NUL.sub(lambda found: found[1] or b"\\ufffd", custom)
    return Mapped(custom, row.fault)


def _written(value: Any) -> Any:
    """Numbers that are too long for JSON's usual writers, digit by digit."""
    return orjson.Fragment(format(value, "f"))


def _nothing(_: Any) -> None:
    return None
