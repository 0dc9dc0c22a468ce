"""The first half of `bench store`: uploads through HTTP, ours beside those of the peers."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast

import msgspec
import numpy as np

from apps.desk.bench import bare, rows, victoria
from apps.desk.bench.data import Feed, uploads
from apps.desk.bench.results import BenchError, Goal, Row, row
from apps.desk.bench.rows import Database
from apps.desk.bench.serving import SENDERS, TICK_S, Server, Target, cpu_seconds, gunicorn
from apps.desk.bench.victoria import Victoria
from apps.houses.models import House
from apps.houses.mutations import create_house
from apps.readings import store
from apps.readings.codec import Arrival, decode_tail
from apps.readings.models import Series, Source

OURS, BARE, ROWS, VICTORIA = "edge API", "bare WSGI", "PostgreSQL rows", "VictoriaMetrics"
GOALS = {BARE: Goal(2.2), ROWS: Goal(1.0)}
NOBODY: list[dict[str, str]] = [{}] * SENDERS
WARM_UP = 30  # uploads before the first round: connections, prepared statements, caches
_BACKENDS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@dataclass
class Side:
    """One way to take in uploads, and what each round of it cost."""

    target: Target
    encode: Callable[[Sequence[Feed]], bytes]
    cpu: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)


def measure(
    database: Database,
    feeds: list[Feed],
    *,
    environment: Mapping[str, str],
    per_round: int,
    rounds: int,
    peer: Victoria | None,
    step: Callable[[str], None],
) -> list[Row]:
    """CPU a reading and readings a second of each side, the same uploads in turn. Raises BenchError."""
    parts = list(islice(uploads(feeds), WARM_UP + per_round * rounds))
    with _sides(database, feeds, environment, peer) as sides:
        step("warm-up")
        for side in sides.values():
            side.target.send([side.encode(part) for part in parts[:WARM_UP]])
        for number in range(rounds):
            first = WARM_UP + number * per_round
            for name, side in sides.items():
                step(f"uploads to {name}")
                _round(database, side, parts[first : first + per_round])
    _assert_same(database, feeds, until=max(int(part.stamps[-1]) for part in parts[-1]) + 1)
    return list(_rows(sides))


@contextmanager
def _sides(
    database: Database, feeds: Sequence[Feed], environment: Mapping[str, str], peer: Victoria | None
) -> Iterator[dict[str, Side]]:
    known = bare.make(database, feeds, SENDERS)
    with ExitStack() as stack:

        def serve(application: str, path: str) -> Server:
            return stack.enter_context(gunicorn(application, environment=environment, path=path))

        sides = {
            OURS: Side(_edge(serve("config.wsgi", "/health/"), feeds), envelope),
            BARE: Side(Target(serve("apps.desk.bench.bare:blocks", "/"), "/", known, _is_stored), envelope),
            ROWS: Side(Target(serve("apps.desk.bench.bare:rows", "/"), "/", NOBODY, _is_good), envelope),
        }
        if peer is not None:
            target = Target(peer.server, victoria.IMPORT, NOBODY, _is_good)
            sides[VICTORIA] = Side(target, victoria.body)
        yield sides


def _edge(server: Server, feeds: Sequence[Feed]) -> Target:
    """Our endpoint. Each sender is the agent of a house that has the devices of the data as sources."""
    headers = []
    for number in range(SENDERS):
        house, bundle = create_house(by=None, name=f"uploads-{number}")
        sources(house, feeds)
        headers.append({"Authorization": f"Bearer {bundle.key}", "Content-Type": "application/json"})
    return Target(server, "/api/v1/edge/readings/", headers, _is_stored)


def sources(house: House, feeds: Sequence[Feed]) -> dict[str, Source]:
    """A source in `house` for each feed."""
    return {feed.source: Source.objects.create(house=house, name=feed.source) for feed in feeds}


def envelope(feeds: Sequence[Feed]) -> bytes:
    """Readings as an agent sends them."""
    return msgspec.json.encode({"batches": [_batch(feed) for feed in feeds]})


def _batch(feed: Feed) -> dict[str, Any]:
    columns = zip(feed.fields, feed.values.tolist(), strict=True)
    return {"source": feed.source, "timestamps": feed.stamps.tolist(), "fields": dict(columns)}


def _is_stored(status: int, answer: bytes) -> bool:
    return status == 200 and b'"refused":[]' in answer


def _is_good(status: int, answer: bytes) -> bool:
    return status < 300


def _round(database: Database, side: Side, parts: Sequence[Sequence[Feed]]) -> None:
    bodies = [side.encode(part) for part in parts]
    readings = sum(feed.readings for part in parts for feed in part)
    before = _cpu(database, side)
    seconds = side.target.send(bodies)
    used = max(_cpu(database, side) - before, TICK_S)  # a short round may end within a tick
    side.cpu.append(used / readings)
    side.rate.append(readings / seconds)


def _cpu(database: Database, side: Side) -> float:
    """Of the server, and of the database's processes that work for it: the others are idle meanwhile."""
    backends = [pid for (pid,) in database.execute(_BACKENDS)]
    return cpu_seconds([side.target.server.pid, *backends])


def _rows(sides: Mapping[str, Side]) -> Iterator[Row]:
    ours = sides[OURS]
    micro = statistics.median(ours.cpu) * 1e6
    rate = statistics.median(ours.rate)
    for name, side in sides.items():
        if name != OURS:
            theirs = statistics.median(side.cpu) * 1e6
            yield row(
                "store", "ingest CPU", micro, "µs/reading", against=name, theirs=theirs, goal=GOALS.get(name)
            )
    for name, side in sides.items():
        if name != OURS:
            theirs = statistics.median(side.rate)
            yield row("store", "ingest rate", rate, "readings/s", against=name, theirs=theirs)


def _assert_same(database: Database, feeds: Sequence[Feed], *, until: int) -> None:
    """All sides hold exactly what was sent. Raises BenchError."""
    numbers = rows.numbers(database)
    ours, blocks = _stored(until), _blocks(database)
    for feed in feeds:
        sent = feed.between(0, until)
        for field_name, values in zip(sent.fields, sent.values, strict=True):
            name = f"{feed.source}.{field_name}"
            _compare(OURS, name, sent.stamps, values, *ours[name])
            _compare(BARE, name, sent.stamps, values, *blocks[numbers[name]])
            kept = rows.read(database, numbers[name], 0, until, "bench_upload")
            _compare(ROWS, name, sent.stamps, values, *kept)


def _stored(until: int) -> dict[str, tuple[Any, Any]]:
    """What the edge API stored, by the name of the series: of the houses of all senders together."""
    series = list(Series.objects.select_related("source"))
    found = store.read([one.pk for one in series], start=0, end=until)
    parts: dict[str, list[tuple[Any, Any]]] = {}
    for one in series:
        samples = found[one.pk]
        parts.setdefault(f"{one.source.name}.{one.field}", []).append((samples.stamps, samples.values))
    return {name: _in_order(own) for name, own in parts.items()}


def _blocks(database: Database) -> dict[int, tuple[Any, Any]]:
    """What the bare application stored, by series."""
    parts: dict[int, list[tuple[Any, Any]]] = {}
    for (payload,) in database.execute("SELECT payload FROM bench_tail ORDER BY id", binary=True):
        for arrival in cast(list[Arrival], decode_tail(payload)):
            for number, values in zip(arrival.series.tolist(), arrival.values, strict=True):
                parts.setdefault(number, []).append((arrival.stamps, values))
    return {number: _in_order(own) for number, own in parts.items()}


def _in_order(parts: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    stamps = np.concatenate([own for own, _ in parts])
    order = np.argsort(stamps, kind="stable")
    return stamps[order], np.concatenate([own for _, own in parts])[order]


def _compare(side: str, name: str, stamps: Any, values: Any, found: Any, theirs: Any) -> None:
    if not (np.array_equal(stamps, found) and np.array_equal(values, theirs)):
        raise BenchError(f"{side} does not hold what was sent of {name}.")
