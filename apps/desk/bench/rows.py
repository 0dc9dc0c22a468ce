"""The plain way to keep readings: a table with one row for each, in the same PostgreSQL."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg
from django.db import connection

from apps.desk.bench.data import Feed, Stamps, Values
from apps.readings import sql

Database = psycopg.Connection[tuple[Any, ...]]

MAKE = """
CREATE TABLE bench_series (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE NOT NULL);
CREATE TABLE bench_upload (
    series int NOT NULL, stamp bigint NOT NULL, value float8 NOT NULL, PRIMARY KEY (series, stamp)
);
CREATE TABLE bench_row (LIKE bench_upload INCLUDING ALL);
"""
UPSERT = """
INSERT INTO bench_upload (series, stamp, value)
SELECT * FROM unnest(%s::int[], %s::bigint[], %s::float8[])
ON CONFLICT (series, stamp) DO UPDATE SET value = excluded.value
"""
READ = """
COPY (
    SELECT stamp, value FROM {table}
    WHERE series = {series} AND stamp >= {start} AND stamp < {end} ORDER BY stamp
) TO STDOUT (FORMAT binary)
"""
LATEST = """
SELECT wanted.series, newest.stamp, newest.value FROM unnest(%(series)s::int[]) AS wanted (series),
LATERAL (
    SELECT stamp, value FROM bench_row WHERE bench_row.series = wanted.series ORDER BY stamp DESC LIMIT 1
) AS newest
"""
_HEADER = 19  # of a binary COPY: signature, flags, length of the extension
_TRAILER = 2
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_FOUND = np.dtype([("n", ">i2"), ("a", ">i4"), ("stamp", ">i8"), ("b", ">i4"), ("value", ">f8")])
_GIVEN = np.dtype([("n", ">i2"), ("x", ">i4"), ("series", ">i4"), *_FOUND.descr[1:]])


def make(database: Database, feeds: Sequence[Feed]) -> None:
    """Make the tables, and number the series."""
    database.execute(MAKE)
    names = [f"{feed.source}.{field}" for feed in feeds for field in feed.fields]
    database.execute("INSERT INTO bench_series (name) SELECT unnest(%s::text[])", [names])


def numbers(database: Database) -> dict[str, int]:
    """The number of each series by its name."""
    return {name: number for number, name in database.execute("SELECT id, name FROM bench_series")}


def load(database: Database, feed: Feed, series: dict[str, int]) -> None:
    """Copy all readings of a feed into `bench_row`, the fastest way in."""
    with database.cursor().copy("COPY bench_row FROM STDIN (FORMAT binary)") as copy:
        copy.write(_SIGNATURE)
        for field, values in zip(feed.fields, feed.values, strict=True):
            copy.write(_tuples(series[f"{feed.source}.{field}"], feed.stamps, values))
        copy.write(struct.pack(">h", -1))


def _tuples(series: int, stamps: Stamps, values: Values) -> bytes:
    tuples = np.empty(len(stamps), _GIVEN)
    tuples["n"], tuples["x"], tuples["a"], tuples["b"] = 3, 4, 8, 8
    tuples["series"], tuples["stamp"], tuples["value"] = series, stamps, values
    return tuples.tobytes()


def read(
    database: Database, series: int, start: int, end: int, table: str = "bench_row"
) -> tuple[Stamps, Values]:
    """Stamps and values of a series in [start, end), by binary COPY."""
    query = READ.format(table=table, series=series, start=start, end=end)
    with database.cursor().copy(query.encode()) as copy:
        content = b"".join(copy)
    found = np.frombuffer(content[_HEADER:-_TRAILER], _FOUND)
    return found["stamp"].astype(np.int64), found["value"].astype(np.float64)


def latest(series: Sequence[int]) -> dict[int, tuple[int, float]]:
    """The newest stamp and value of each series, by Django's connection, as one would write it there."""
    with connection.cursor() as cursor:
        cursor.execute(LATEST, {"series": list(series)})
        return {number: (stamp, value) for number, stamp, value in cursor.fetchall()}


def latest_prepared(series: Sequence[int]) -> dict[int, tuple[int, float]]:
    """The same with all that the store does to be quick: prepared, and in binary."""
    found = sql.fetch(LATEST, {"series": sql.array(series)})
    return {number: (stamp, value) for number, stamp, value in found}


def size(database: Database, *tables: str) -> int:
    """Bytes of these tables on disk, indexes and TOAST included."""
    query = "SELECT sum(pg_total_relation_size(name::regclass))::bigint FROM unnest(%s::text[]) AS name"
    found = database.execute(query, [list(tables)]).fetchone()
    return int(found[0]) if found else 0
