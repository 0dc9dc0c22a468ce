"""Statements with binary parameters and results, prepared once per connection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.adapt import Dumper
from psycopg.pq import Format

from apps.readings.arrays import Packed, PackedFloats, PackedIntegers


class _BinaryCursor(psycopg.Cursor[tuple[Any, ...]]):
    """Payloads as bytes: Django's own cursors send and fetch them as hexadecimal text inside the SQL."""

    def execute(self, query: Any, params: Any = None, **_: Any) -> _BinaryCursor:
        super().execute(query, params, prepare=True, binary=True)
        return self

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        """Django's query log reads `_query`, which psycopg leaves empty for prepared statements."""
        self._query = super()._convert_query(query, params)
        return self._query


class _PackedDumper(Dumper):
    """Arrays that are packed already."""

    format = Format.BINARY

    def dump(self, obj: Packed) -> bytes:
        return bytes(obj)


class _FloatsDumper(_PackedDumper):
    oid = 1022  # float8[]


class _IntegersDumper(_PackedDumper):
    oid = 1016  # bigint[]


def array(numbers: Iterable[int]) -> str:
    """PostgreSQL's way to write an array of integers, for a parameter like `%(days)s::int[]`.

    Psycopg looks at each item of a list for a type that fits it, which takes as long as a short query.
    """
    return f"{{{','.join(map(str, numbers))}}}"


def fetch(query: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows."""
    return _run(query, params).fetchall()


def run(query: str, params: dict[str, Any]) -> int:
    """Run one statement and return how many rows it touched."""
    return _run(query, params).rowcount


def run_many(query: str, rows: Sequence[dict[str, Any]]) -> None:
    """Run one statement for each of `rows`, without waiting for one before sending the next."""
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    cursor = _BinaryCursor(database.connection)
    cursor.adapters.register_dumper(PackedFloats, _FloatsDumper)
    cursor.adapters.register_dumper(PackedIntegers, _IntegersDumper)
    with database.wrap_database_errors:
        cursor.executemany(query, rows)


def _run(query: str, params: dict[str, Any]) -> _BinaryCursor:
    """On Django's connection: its transactions, its errors and its query log, without its cursors' layers."""
    database = connections[DEFAULT_DB_ALIAS]  # once: each look through `django.db.connection` takes its time
    database.ensure_connection()
    cursor = _BinaryCursor(database.connection)
    if database.queries_logged:
        database.make_debug_cursor(cast(Any, cursor)).execute(query, params)
        return cursor
    with database.wrap_database_errors:
        return cursor.execute(query, params)
