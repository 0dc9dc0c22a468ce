"""Statements that are prepared once per connection, on Django's own, with all that it does.

The ORM makes its SQL anew each time and PostgreSQL plans it anew, which for a row by its key is nearly all
the work. What machines ask for day and night goes this way; it returns the same rows and instances.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import accumulate
from typing import Any, TypeVar, cast

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Field, Model
from psycopg.pq import Format

AnyModel = TypeVar("AnyModel", bound=Model)


class Cursor(psycopg.Cursor[tuple[Any, ...]]):
    """Prepares whatever it executes."""

    def execute(self, query: Any, params: Any = None, **_: Any) -> Cursor:
        super().execute(query, params, prepare=True)
        return self

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        """Django's query log reads `_query`, which psycopg leaves empty for prepared statements."""
        self._query = super()._convert_query(query, params)
        return self._query


def array(numbers: Iterable[int]) -> str:
    """PostgreSQL's way to write an array of integers, for a parameter like `%(days)s::int[]`.

    Psycopg looks at each item of a list for a type that fits it, which takes as long as a short query.
    """
    return f"{{{','.join(map(str, numbers))}}}"


def fetch(query: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows, in which payloads are bytes and no hexadecimal text."""
    return _run(query, params).fetchall()


def run(query: str, params: dict[str, Any]) -> int:
    """Run one statement and return how many rows it touched."""
    return _run(query, params).rowcount


def select(model: type[AnyModel], rest: str, params: dict[str, Any]) -> list[AnyModel]:
    """The instances that `SELECT … FROM table` and `rest` find, such as `WHERE id = %(id)s::bigint`."""
    columns, _ = _columns(model)
    query = f'SELECT {columns} FROM "{model._meta.db_table}" {rest}'  # noqa: S608  names of our own
    return [instance(model, row) for row in _run(query, params, binary=False).fetchall()]


def select_joined(
    models: Mapping[str, type[Model]], rest: str, params: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """The instances of `models`, by the names of their tables in `rest`, such as `FROM a JOIN b ON …`."""
    parts = [(model, len(model._meta.concrete_fields)) for model in models.values()]
    columns = ", ".join(_columns(model, table=name)[0] for name, model in models.items())
    found = []
    for row in _run(f"SELECT {columns} {rest}", params, binary=False).fetchall():
        ends = list(accumulate(width for _, width in parts))
        pieces = zip(parts, ends, strict=True)
        found.append(tuple(instance(model, row[end - width : end]) for (model, width), end in pieces))
    return found


def instance(model: type[AnyModel], row: tuple[Any, ...]) -> AnyModel:
    """An instance from its columns, in the order of its fields, as Django makes it."""
    names, converters = _loading(model)
    values = list(row)
    for place, convert in converters:
        values[place] = convert(values[place], None, connections[DEFAULT_DB_ALIAS])
    return model.from_db(DEFAULT_DB_ALIAS, names, values)


def insert(row: AnyModel) -> AnyModel:
    """Save a new row and set its key. No signals, and no values but those it has."""
    columns, fields = _columns(type(row), without_key=True)
    given = ", ".join(f"%({field.column})s" for field in fields)
    query = (
        f'INSERT INTO "{row._meta.db_table}" ({columns}) VALUES ({given}) RETURNING "{row._meta.pk.column}"'  # noqa: S608
    )
    database = connections[DEFAULT_DB_ALIAS]
    values = {str(f.column): f.get_db_prep_save(f.pre_save(row, True), database) for f in fields}
    row.pk = _run(query, values).fetchall()[0][0]
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
    return row


@cache
def _columns(
    model: type[Model], *, table: str = "", without_key: bool = False
) -> tuple[str, list[Field[Any, Any]]]:
    fields = [one for one in model._meta.concrete_fields if not (without_key and one.primary_key)]
    of = f"{table}." if table else ""
    return ", ".join(f'{of}"{one.column}"' for one in fields), fields


@cache
def _loading(model: type[Model]) -> tuple[list[str], list[tuple[int, Any]]]:
    fields = model._meta.concrete_fields
    converters = [(n, one.from_db_value) for n, one in enumerate(fields) if hasattr(one, "from_db_value")]
    return [one.attname for one in fields], converters


def _run(query: str, params: dict[str, Any], *, binary: bool = True) -> Cursor:
    """Without the layers of Django's cursors."""
    database = connections[DEFAULT_DB_ALIAS]  # once: each look through `django.db.connection` takes its time
    database.ensure_connection()
    cursor = Cursor(database.connection)
    cursor.format = Format.BINARY if binary else Format.TEXT
    if database.queries_logged:
        database.make_debug_cursor(cast(Any, cursor)).execute(query, params)
        return cursor
    with database.wrap_database_errors:
        return cursor.execute(query, params)
