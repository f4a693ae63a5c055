"""Rotating the data key while the system serves: a new key, every value sealed anew, the old gone.

Each step is one short transaction that is safe beside itself: a rotation that was killed is gone on
with by the next one, and of two at once both work on the same values, each row by one of them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, func, select, text, tuple_

from integrations_pipeline.errors import RequestError
from integrations_pipeline.store.crypto import Keyring, MasterKey, Place, SealError
from integrations_pipeline.store.database import Store
from integrations_pipeline.store.datakeys import add_key, lock_keys, new_key, read_keys, rewrap
from integrations_pipeline.store.masterkey import master_key
from integrations_pipeline.store.models import DataKey, Integration
from integrations_pipeline.store.opening import owner_connection
from integrations_pipeline.store.sealed import SEALED, Sealed, change, next_rows

SETTLE_SECONDS = 5.0
"""How long old keys stay at least: a process that sealed under one just before it saw the new key
(see `FRESH_SECONDS`) must have written its value by then."""
PAUSE_SECONDS = 0.1

Tell = Callable[[int, int], None]
"""Is told how many rows are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a rotation did."""

    resumed: bool
    """An earlier one had not ended, or runs elsewhere: its key was used."""
    key_id: UUID
    rows: int
    deleted: int
    """Old keys that are gone."""
    left: tuple[str, ...]
    """Values that do not open, as `integration: table.column`; old keys stay for them."""


def rotate(store: Store, tell: Tell) -> Report:
    """Seal everything under a new key, or go on with it; delete the old keys in the end.

    Raises:
        MasterKeyError: the master key can't be used; nothing was changed.
        ConfigurationError: the server can't be reached; start again to go on.
    """
    master = master_key(store.settings)
    with owner_connection(store.url) as connection:
        return _Rotation(connection, master, tell).run()


@dataclass(frozen=True, slots=True)
class _Left:
    """A value that does not open."""

    table: str
    tenant_id: UUID
    row_id: UUID
    integration: tuple[UUID, UUID]
    column: str


class _Rotation:
    def __init__(self, connection: Connection, master: MasterKey, tell: Tell) -> None:
        self._connection, self._master, self._tell = connection, master, tell
        self._keys: dict[UUID, bytes] = {}
        self._rows = self._total = 0

    def run(self) -> Report:
        resumed = self._begin()
        began = time.monotonic()
        while True:
            left = self._seal_all()
            if left or time.monotonic() - began > SETTLE_SECONDS:
                deleted = 0 if left else self._retire()
                if deleted is not None:
                    names = self._names(left)
                    return Report(resumed, self._current, self._rows, deleted, names)
            time.sleep(PAUSE_SECONDS)

    def _begin(self) -> bool:
        """Make the key, unless old ones tell of a rotation that has not ended."""
        with self._step():
            lock_keys(self._connection)
            self._read_keys()
            resumed = len(self._ids) > 1
            if not resumed:
                add_key(self._connection, *new_key(self._master))
                self._read_keys()
            self._total = self._count()
        self._tell(0, self._total)
        return resumed

    @contextmanager
    def _step(self) -> Iterator[None]:
        """A transaction that sees all tenants' rows, also where the owner is no superuser."""
        with self._connection.begin():
            self._connection.execute(text("SELECT set_config('integrations.system', 'on', true)"))
            yield

    def _read_keys(self) -> None:
        found = read_keys(self._connection, self._master, self._keys)
        self._keys.update(found.unwrapped)
        self._ids, self._current = found.ids, found.current
        self._keyring = Keyring(self._keys, found.current)

    def _count(self) -> int:
        """Rows with a value that is not sealed under the current key."""
        counts = (
            select(func.count()).select_from(one.table).where(one.not_under(self._current))
            for one in SEALED
        )
        return sum(self._connection.scalar(count) or 0 for count in counts)

    def _seal_all(self) -> set[_Left]:
        """Go through all tables until only values remain that do not open."""
        while True:
            left = {bad for one in SEALED for bad in self._seal_table(one)}
            with self._step():
                self._read_keys()
                remaining = self._count()
            if remaining == len({(bad.table, bad.tenant_id, bad.row_id) for bad in left}):
                return left
            time.sleep(PAUSE_SECONDS)  # a row was locked by somebody else, or written meanwhile

    def _seal_table(self, one: Sealed) -> set[_Left]:
        left: set[_Left] = set()
        rows = self._batch(one, None, left)
        while rows:
            rows = self._batch(one, rows[-1], left)
        return left

    def _batch(self, one: Sealed, after: Row[Any] | None, left: set[_Left]) -> Sequence[Row[Any]]:
        with self._step():
            rows = self._connection.execute(next_rows(one, self._current, after)).all()
            self._read_keys()  # after the rows: the key of every value that was seen is there now
            tried = [self._sealed_anew(one, row, left) for row in rows]
            changes = [values for values in tried if values]
            if changes:
                self._connection.execute(change(one), changes)
        self._rows += len(changes)
        self._tell(self._rows, max(self._rows, self._total))
        return rows

    def _sealed_anew(self, one: Sealed, row: Row[Any], left: set[_Left]) -> dict[str, Any]:
        """The row's change; none if one of its values does not open: they belong together."""
        values: dict[str, Any] = {"the_tenant": row.tenant_id, "the_row": row.row_id}
        bad: set[_Left] = set()
        for name in one.columns:
            old, place = getattr(row, name), Place(row.tenant_id, row.row_id, f"{one.name}.{name}")
            try:
                values |= {f"old_{name}": old, f"new_{name}": self._anew(old, place)}
            except SealError:
                integration = (row.tenant_id, row.integration_id)
                bad.add(_Left(one.name, row.tenant_id, row.row_id, integration, place.column))
        left |= bad
        return {} if bad else values

    def _anew(self, old: bytes | None, place: Place) -> bytes | None:
        return None if old is None else self._keyring.seal(self._keyring.open(old, place), place)

    def _retire(self) -> int | None:
        """Delete the old keys, or None while something is sealed under one of them.

        Once the rows are deleted, writers under these keys wait, and those who were at it are done:
        what is counted then is all there is.
        """
        with self._step():
            lock_keys(self._connection)
            self._read_keys()
            old = [key_id for key_id in self._ids if key_id != self._current]
            self._connection.execute(delete(DataKey).where(DataKey.id.in_(old)))
            if self._count():
                self._connection.rollback()
                return None
        return len(old)

    def _names(self, left: set[_Left]) -> tuple[str, ...]:
        query = select(Integration.tenant_id, Integration.id, Integration.key).where(
            tuple_(Integration.tenant_id, Integration.id).in_({bad.integration for bad in left})
        )
        with self._step():
            keys = {(row[0], row[1]): row[2] for row in self._connection.execute(query)}
        # one that was removed meanwhile has its id only
        found = {(keys.get(bad.integration, bad.integration[1]), bad.column) for bad in left}
        return tuple(sorted(f"{key}: {column}" for key, column in found))


def change_master_key(store: Store, make: Callable[[], MasterKey]) -> int:
    """Wrap the data keys by the master key that `make` returns; their number.

    Raises:
        RequestError: it is the master key already.
        MasterKeyError: one of the master keys can't be used; nothing was changed.
    """
    old = master_key(store.settings)

    def new() -> MasterKey:
        made = make()
        if made == old:
            raise RequestError("This is the master key already.", action="Name another one.")
        return made

    with owner_connection(store.url) as connection:
        return rewrap(connection, old, new)
