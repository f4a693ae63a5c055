"""Records of one resource, in memory, in the orders its lists need.

A record is never changed in place: a change puts a new one under the same id.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Record = dict[str, Any]
Key = str | int


class Table:
    """Records by id, which also knows those that changed since they were generated."""

    def __init__(self, generated: Iterable[Record], changed: Iterable[Record] = ()) -> None:
        self._records: dict[Key, Record] = {record["id"]: record for record in generated}
        self._changed: dict[Key, Record] = {}
        self._orders: dict[str, list[Record]] = {}
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
        self._records[record["id"]] = record
        self._changed[record["id"]] = record
        self._orders.clear()

    def changed(self) -> list[Record]:
        return list(self._changed.values())

    def ordered(self, name: str, key: Callable[[Record], Any]) -> list[Record]:
        """All records in ascending order of the key; kept under the name until a change."""
        if name not in self._orders:
            self._orders[name] = sorted(self._records.values(), key=key)
        return self._orders[name]
