"""What an upload costs without a framework: WSGI applications that parse it and store it in one INSERT.

Served by gunicorn beside the product: `blocks` stores what an upload brought as one compressed block,
`rows` as one row per reading. Neither knows who sends, checks anything, or merges newest values.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import numpy as np
import psycopg

from apps.desk.bench.rows import UPSERT, numbers
from apps.readings.codec import Arrival, encode_arrivals

INSERT_BLOCK = "INSERT INTO bench_block (payload) VALUES (%s::bytea)"
Environ = dict[str, Any]
Answer = Callable[[str, list[tuple[str, str]]], object]


class Batch(msgspec.Struct):
    """A batch of the edge API's envelope."""

    source: str
    timestamps: list[int]
    fields: dict[str, list[float]]


class Upload(msgspec.Struct):
    """The edge API's envelope."""

    batches: list[Batch]


class _Connection(threading.local):
    """One connection per thread, and the number of each series."""

    def __init__(self) -> None:
        self.database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        self.numbers = numbers(self.database)


_parse = msgspec.json.Decoder(Upload).decode
_own: _Connection | None = None
_lock = threading.Lock()


def blocks(environ: Environ, start_response: Answer) -> Iterable[bytes]:
    """Store an upload as one block in one row."""
    own = _connection()
    arrivals = [_arrival(batch, own.numbers) for batch in _upload(environ).batches]
    if arrivals:
        own.database.execute(INSERT_BLOCK, [encode_arrivals(arrivals)], prepare=True, binary=True)
    return _done(start_response)


def rows(environ: Environ, start_response: Answer) -> Iterable[bytes]:
    """Store an upload as rows (series, stamp, value)."""
    own = _connection()
    series: list[int] = []
    stamps: list[int] = []
    values: list[float] = []
    for batch in _upload(environ).batches:
        for field, column in batch.fields.items():
            series += [own.numbers[f"{batch.source}.{field}"]] * len(column)
            stamps += batch.timestamps
            values += column
    if series:
        own.database.execute(UPSERT, [series, stamps, values], prepare=True)
    return _done(start_response)


def _connection() -> _Connection:
    global _own  # made by the first request: gunicorn forks before
    with _lock:
        _own = _own or _Connection()
    return _own


def _upload(environ: Environ) -> Upload:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return _parse(environ["wsgi.input"].read(length)) if length else Upload([])


def _arrival(batch: Batch, series: dict[str, int]) -> Arrival:
    return Arrival(
        np.array([series[f"{batch.source}.{field}"] for field in batch.fields], np.int64),
        np.array(batch.timestamps, np.int64),
        np.array(list(batch.fields.values()), np.float64),
    )


def _done(start_response: Answer) -> Iterable[bytes]:
    start_response("204 No Content", [])
    return []
