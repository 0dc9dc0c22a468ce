"""Statements with binary parameters and results, prepared once per connection."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper


class _BinaryCursor(psycopg.Cursor[tuple[Any, ...]]):
    """Payloads as bytes: Django's own cursors send and fetch them as hexadecimal text inside the SQL."""

    def execute(self, query: Any, params: Any = None, **_: Any) -> _BinaryCursor:
        super().execute(query, params, prepare=True, binary=True)
        return self

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        """Django's query log reads `_query`, which psycopg leaves empty for prepared statements."""
        self._query = super()._convert_query(query, params)
        return self._query


def cursor() -> CursorWrapper:
    """A cursor of Django's connection: its transactions, errors and query log, but binary and prepared."""
    connection.ensure_connection()
    raw: Any = _BinaryCursor(connection.connection)
    if connection.queries_logged:
        return connection.make_debug_cursor(raw)
    return connection.make_cursor(raw)


def fetch(query: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows."""
    with cursor() as statement:
        statement.execute(query, params)
        rows: list[tuple[Any, ...]] = statement.fetchall()
    return rows


def run(query: str, params: dict[str, Any]) -> int:
    """Run one statement and return how many rows it touched."""
    with cursor() as statement:
        statement.execute(query, params)
        count: int = statement.rowcount
    return count
