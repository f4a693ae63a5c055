"""Many records as one parameter for each column: Postgres' binary arrays, written byte by byte.

The form is the one that `array_recv` reads (PostgreSQL, src/backend/utils/adt/arrayfuncs.c).
Writing it directly costs a fraction of what a general adapter costs, and JSON passes through
untouched. A statement that takes arrays needs no table in between, so a record is written once.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, cast

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy import Connection

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_head = struct.Struct(">iiIii").pack  # dimensions, has nulls, element type, length, first index
_length = struct.Struct(">i").pack
_json = struct.Struct(">iB").pack  # length, version of jsonb's binary form
_time = struct.Struct(">iq").pack
_NULL = struct.pack(">i", -1)


@dataclass(frozen=True, slots=True)
class _Array:
    """An array in its binary form."""

    data: bytes


class Texts(_Array):
    """A `text[]`."""


class Bytes(_Array):
    """A `bytea[]`."""


class Times(_Array):
    """A `timestamptz[]`."""


class Jsons(_Array):
    """A `jsonb[]`."""


TYPES: dict[type[_Array], tuple[int, int]] = {
    Texts: (25, 1009),
    Bytes: (17, 1001),
    Times: (1184, 1185),
    Jsons: (3802, 3807),
}
"""Numbers of the element's type and of the array's (pg_type.dat)."""


def texts(values: Iterable[str]) -> _Array:
    """Texts; none may be None."""
    return blobs([value.encode() for value in values], Texts)


def blobs(values: Sequence[bytes], kind: type[_Array] = Bytes) -> _Array:
    """Byte strings; none may be None."""
    return _array(kind, [_length(len(value)) for value in values], values)


def times(values: Iterable[datetime | None]) -> _Array:
    """Points in time, to the microsecond."""
    parts = [_NULL if at is None else _time(8, (at - EPOCH) // _MICROSECOND) for at in values]
    return _array(Times, parts)


def jsons(values: Sequence[bytes | None]) -> _Array:
    """JSON texts, unread."""
    heads = [_NULL if value is None else _json(len(value) + 1, 1) for value in values]
    return _array(Jsons, heads, [value or b"" for value in values])


def _array(kind: type[_Array], heads: list[bytes], bodies: Sequence[bytes] = ()) -> _Array:
    """The array of elements, each its head and its body; an empty one has no dimension."""
    element = TYPES[kind][0]
    if not heads:
        return kind(struct.pack(">iiI", 0, 0, element))
    parts = chain.from_iterable(zip(heads, bodies, strict=True)) if bodies else heads
    return kind(b"".join(chain((_head(1, 1, element, len(heads), 1),), parts)))


def _dumper(kind: type[_Array]) -> type[Dumper]:
    class ArrayDumper(Dumper):
        oid = TYPES[kind][1]
        format = Format.BINARY

        def dump(self, obj: Any) -> bytes:
            return cast("_Array", obj).data

    return ArrayDumper


_DUMPERS = {kind: _dumper(kind) for kind in TYPES}


def accept_arrays(connection: Connection) -> None:
    """Let a connection take these arrays as parameters."""
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    for kind, dumper in _DUMPERS.items():
        driver.adapters.register_dumper(kind, dumper)
