"""The store's statements: binary, prepared once for each connection, many of a kind without waiting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.adapt import Dumper
from psycopg.pq import Format

from apps.readings.arrays import Packed, PackedFloats, PackedIntegers
from config.prepared import Cursor, array, fetch, run

__all__ = ["array", "fetch", "run", "run_many"]


class _PackedDumper(Dumper):
    """Arrays that are packed already."""

    format = Format.BINARY

    def dump(self, obj: Packed) -> bytes:
        return bytes(obj)


class _FloatsDumper(_PackedDumper):
    oid = 1022  # float8[]


class _IntegersDumper(_PackedDumper):
    oid = 1016  # bigint[]


def run_many(query: str, rows: Sequence[dict[str, Any]]) -> None:
    """Run one statement for each of `rows`, without waiting for one before sending the next."""
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    cursor = Cursor(database.connection)
    cursor.adapters.register_dumper(PackedFloats, _FloatsDumper)
    cursor.adapters.register_dumper(PackedIntegers, _IntegersDumper)
    with database.wrap_database_errors:
        cursor.executemany(query, rows)
