"""Many records as one parameter for each column: Postgres' binary arrays, written byte by byte.

The form is the one that `array_recv` reads (PostgreSQL, src/backend/utils/adt/arrayfuncs.c).
Writing it directly costs a fraction of what a general adapter costs, and JSON passes through
untouched. A statement that takes arrays needs no table in between, so a record is written once.
"""

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
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


class _Array(bytes):
    """An array in its binary form."""

    element = 0
    oid = 0

    @classmethod
    def of(cls, parts: Sequence[bytes]) -> "_Array":
        """The array of encoded elements; an empty one has no dimension."""
        if not parts:
            return cls(struct.pack(">iiI", 0, 0, cls.element))
        return cls(b"".join((_head(1, 1, cls.element, len(parts), 1), *parts)))


class Texts(_Array):
    """A `text[]`."""

    element, oid = 25, 1009


class Bytes(_Array):
    """A `bytea[]`."""

    element, oid = 17, 1001


class Times(_Array):
    """A `timestamptz[]`."""

    element, oid = 1184, 1185


class Jsons(_Array):
    """A `jsonb[]`."""

    element, oid = 3802, 3807


def texts(values: Iterable[str]) -> _Array:
    """Texts; none may be None."""
    return Texts.of([_length(len(raw)) + raw for value in values for raw in (value.encode(),)])


def blobs(values: Iterable[bytes]) -> _Array:
    """Byte strings; none may be None."""
    return Bytes.of([_length(len(value)) + value for value in values])


def times(values: Iterable[datetime | None]) -> _Array:
    """Points in time, to the microsecond."""
    return Times.of(
        [_NULL if at is None else _time(8, (at - EPOCH) // _MICROSECOND) for at in values]
    )


def jsons(values: Iterable[bytes | None]) -> _Array:
    """JSON texts, unread."""
    return Jsons.of(
        [_NULL if value is None else _json(len(value) + 1, 1) + value for value in values]
    )


def _dumper(kind: type[_Array]) -> type[Dumper]:
    class ArrayDumper(Dumper):
        oid = kind.oid
        format = Format.BINARY

        def dump(self, obj: Any) -> bytes:
            return cast("bytes", obj)

    return ArrayDumper


_DUMPERS = {kind: _dumper(kind) for kind in (Texts, Bytes, Times, Jsons)}


def accept_arrays(connection: Connection) -> None:
    """Let a connection take these arrays as parameters."""
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    for kind, dumper in _DUMPERS.items():
        driver.adapters.register_dumper(kind, dumper)
