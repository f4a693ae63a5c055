"""Records of one resource, in memory, in the orders its lists need.

A record is never changed in place: a change puts a new one under the same id.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Record = dict[str, Any]
Key = str | int


class Index:
    """The ids of the records by one of their values, which changes keep up to date."""

    def __init__(self, value_of: Callable[[Record], str | None]) -> None:
        self._value_of = value_of
        self._keys: dict[str, dict[Key, None]] = {}

    def replace(self, old: Record | None, new: Record) -> None:
        """Forgets the old version of a record and takes in the new one."""
        before = self._value_of(old) if old is not None else None
        if old is not None and before is not None:
            self._keys[before].pop(old["id"], None)
        after = self._value_of(new)
        if after is not None:
            self._keys.setdefault(after, {})[new["id"]] = None

    def keys_of(self, value: str) -> list[Key]:
        """The ids of the records with this value."""
        return list(self._keys.get(value, ()))


class Table:
    """Records by id, which also knows those that changed since they were generated."""

    def __init__(self, generated: Iterable[Record], changed: Iterable[Record] = ()) -> None:
        self._records: dict[Key, Record] = {record["id"]: record for record in generated}
        self._changed: dict[Key, Record] = {}
        self._orders: dict[str, list[Record]] = {}
        self._indexes: dict[str, Index] = {}
        for record in changed:
            self.put(record)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, key: Key) -> Record:
        return self._records[key]

    def get(self, key: Key) -> Record | None:
        return self._records.get(key)

    def put(self, record: Record) -> None:
        old = self._records.get(record["id"])
        for index in self._indexes.values():
            index.replace(old, record)
        self._records[record["id"]] = record
        self._changed[record["id"]] = record
        self._orders.clear()

    def changed(self) -> list[Record]:
        return list(self._changed.values())

    def with_value(
        self, name: str, value_of: Callable[[Record], str | None], value: str
    ) -> list[Record]:
        """The records with this value, found by an index that is kept under the name."""
        if name not in self._indexes:
            self._indexes[name] = Index(value_of)
            for record in self:
                self._indexes[name].replace(None, record)
        return [self._records[key] for key in self._indexes[name].keys_of(value)]

    def ordered(self, name: str, key: Callable[[Record], Any]) -> list[Record]:
        """All records in ascending order of the key; kept under the name until a change."""
        if name not in self._orders:
            self._orders[name] = sorted(self._records.values(), key=key)
        return self._orders[name]
