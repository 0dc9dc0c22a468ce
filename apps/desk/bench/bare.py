"""What an upload costs without a framework: WSGI applications that parse it and store it in one statement.

Served by gunicorn beside the product. `blocks` does what the edge API does to readings, as one would write it
by hand for just that: it knows the sender by a key, checks names, stamps and values, stores a compressed
block for each source and day, keeps the newest values, and says how many readings it stored. What it lacks
is all else: anything wrong refuses the whole upload, and what the house has was read once, at its start.
`rows` stores one row for each reading, of anybody, and checks nothing.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import psycopg

from apps.desk.bench.data import DAY, Feed, Stamps, Values
from apps.desk.bench.rows import UPSERT, Database, numbers
from apps.readings.codec import Arrival, encode_arrivals

MAKE = """
CREATE TABLE bench_source (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sender bytea NOT NULL, name text NOT NULL
);
CREATE TABLE bench_tail (
    LIKE readings_tail INCLUDING ALL, FOREIGN KEY (source_id) REFERENCES bench_source ON DELETE CASCADE
);
CREATE TABLE bench_latest (
    LIKE readings_latest INCLUDING ALL, FOREIGN KEY (source_id) REFERENCES bench_source ON DELETE CASCADE
);
"""
STORE = """
WITH stored AS (
    INSERT INTO bench_tail (source_id, day, received_at, payload)
    SELECT source, day, now(), payload
    FROM unnest(%(tails)s::bigint[], %(days)s::int[], %(payloads)b::bytea[]) AS t (source, day, payload)
)
INSERT INTO bench_latest AS known (source_id, newest, fields)
SELECT source, newest, convert_from(fields, 'UTF8')::jsonb
FROM unnest(%(sources)s::bigint[], %(newest)s::bigint[], %(fields)b::bytea[]) AS g (source, newest, fields)
ON CONFLICT (source_id) DO UPDATE SET
    newest = greatest(known.newest, excluded.newest),
    fields = CASE WHEN excluded.newest >= known.newest
        THEN known.fields || excluded.fields ELSE excluded.fields || known.fields END
"""
OLDEST = 946_684_800_000  # 2000-01-01
AHEAD = DAY
Environ = dict[str, Any]
Answer = Callable[[str, list[tuple[str, str]]], object]


class Batch(msgspec.Struct):
    """A batch of the edge API's envelope."""

    source: str
    timestamps: list[int]
    fields: dict[str, list[float | None]]


class Upload(msgspec.Struct):
    """The edge API's envelope."""

    batches: list[Batch]


@dataclass
class _Stored:
    """The parameters of the statement, a list for each."""

    sources: list[int] = field(default_factory=list)
    newest: list[int] = field(default_factory=list)
    fields: list[bytes] = field(default_factory=list)
    tails: list[int] = field(default_factory=list)
    days: list[int] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    readings: int = 0


class _Connection(threading.local):
    """One connection per thread, the number of each series, and the sources of each sender."""

    def __init__(self) -> None:
        self.database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        self.numbers = numbers(self.database)
        self.senders: dict[bytes, dict[str, int]] = {}
        for sender, name, number in self.database.execute("SELECT sender, name, id FROM bench_source"):
            self.senders.setdefault(sender, {})[name] = number


_parse = msgspec.json.Decoder(Upload).decode
_own: _Connection | None = None
_lock = threading.Lock()


def make(database: Database, feeds: Sequence[Feed], senders: int) -> list[dict[str, str]]:
    """Make the tables of `blocks`, with the sources of each sender; the headers that senders send."""
    database.execute(MAKE)
    keys = [secrets.token_urlsafe(32) for _ in range(senders)]
    for key in keys:
        database.execute(
            "INSERT INTO bench_source (sender, name) SELECT %s, unnest(%s::text[])",
            [_digest(key), [feed.source for feed in feeds]],
        )
    return [{"Authorization": f"Bearer {key}", "Content-Type": "application/json"} for key in keys]


def blocks(environ: Environ, start_response: Answer) -> Iterable[bytes]:
    """Store an upload as one block for each source and day, and merge the newest values."""
    own = _connection()
    sources = own.senders.get(_digest(environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")))
    if sources is None:
        return _said(start_response, "401 Unauthorized", b"{}")
    stored = _Stored()
    try:
        for batch in _upload(environ).batches:
            _add(stored, sources[batch.source], batch, own.numbers)
    except (msgspec.DecodeError, KeyError, ValueError, OverflowError):
        return _said(start_response, "400 Bad Request", b"{}")
    if stored.sources:
        own.database.execute(STORE, vars(stored), prepare=True, binary=True)
    answer = {"stored": stored.readings, "events": 0, "refused": []}
    return _said(start_response, "200 OK", msgspec.json.encode(answer))


def _add(stored: _Stored, source: int, batch: Batch, series: dict[str, int]) -> None:
    """Raises ValueError and KeyError."""
    stamps = np.array(batch.timestamps, np.int64)
    values = np.array(list(batch.fields.values()), np.float64)
    if values.shape != (len(batch.fields), len(stamps)) or not values.size:
        raise ValueError("Lists of different lengths.")
    if stamps.min() < OLDEST or stamps.max() > time.time() * 1000 + AHEAD:
        raise ValueError("Stamps out of range.")
    ids = np.array([series[f"{batch.source}.{name}"] for name in batch.fields], np.int64)
    days = stamps // DAY
    for day in range(int(days.min()), int(days.max()) + 1):
        own = days == day
        stored.tails.append(source)
        stored.days.append(day)
        stored.payloads.append(encode_arrivals([Arrival(ids, stamps[own], values[:, own])]))
    stored.sources.append(source)
    stored.newest.append(int(stamps.max()))
    stored.fields.append(_newest(batch, stamps, values))
    stored.readings += int(np.count_nonzero(~np.isnan(values)))


def _newest(batch: Batch, stamps: Stamps, values: Values) -> bytes:
    """As JSON; of a field that is null at the newest stamp nothing, which is good enough here."""
    last = int(stamps.argmax())
    stamp, column = int(stamps[last]), values[:, last].tolist()
    newest = {
        name: (stamp, value) for name, value in zip(batch.fields, column, strict=True) if value == value
    }
    return msgspec.json.encode(newest)


def rows(environ: Environ, start_response: Answer) -> Iterable[bytes]:
    """Store an upload as rows (series, stamp, value)."""
    own = _connection()
    series: list[int] = []
    stamps: list[int] = []
    values: list[float | None] = []
    for batch in _upload(environ).batches:
        for name, column in batch.fields.items():
            series += [own.numbers[f"{batch.source}.{name}"]] * len(column)
            stamps += batch.timestamps
            values += column
    if series:
        own.database.execute(UPSERT, [series, stamps, values], prepare=True)
    return _said(start_response, "200 OK", b"{}")


def _connection() -> _Connection:
    global _own  # made by the first request: gunicorn forks before
    with _lock:
        _own = _own or _Connection()
    return _own


def _upload(environ: Environ) -> Upload:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return _parse(environ["wsgi.input"].read(length)) if length else Upload([])


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _said(start_response: Answer, status: str, answer: bytes) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]
