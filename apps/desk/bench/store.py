"""`bench store`: what the readings store costs in bytes and time, beside rows, a bare server and a peer.

One run, one set of data; the sides take turns, and what is reported are medians. All of it happens in a
database of its own that is dropped afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
from tqdm import tqdm

from apps.desk.bench import rows, scratch, uploading, victoria
from apps.desk.bench.data import DAY, UPLOAD, Feed, month
from apps.desk.bench.results import BenchError, Goal, Row, row
from apps.desk.bench.rows import Database
from apps.desk.bench.turns import OURS, Act, compared, in_turn
from apps.desk.bench.uploading import ROWS, VICTORIA
from apps.desk.bench.victoria import Victoria
from apps.houses.models import House
from apps.houses.mutations import create_house
from apps.readings import store
from apps.readings.models import Series, Source
from apps.readings.store import Block, Upload

READ = ("meter", "P1")  # the least compressible of the fields
OWN_TABLES = ("readings_tail", "readings_clock", "readings_segment", "readings_latest", "readings_series")
PREPARED = f"{ROWS}, prepared"
CLOSE = 1e-12  # VictoriaMetrics keeps decimals, not bits
LATEST_TIMES = 5  # a single one is too short to time alone
LATEST_TURNS = 20  # for each round: many short turns, so that most of them are disturbed by nobody


@dataclass(frozen=True)
class Size:
    """How much of it: days of data, rounds of each measurement, uploads in a round."""

    days: int = 30
    rounds: int = 7
    uploads: int = 300


@dataclass(frozen=True)
class Loaded:
    """The same readings in all stores: by what each side calls its series."""

    feeds: list[Feed]
    series: dict[str, int]
    sources: dict[str, Source]
    numbers: dict[str, int]
    database: Database
    peer: Victoria | None


def run(size: Size, *, now: datetime) -> list[Row]:
    """Run it, on the `size.days` UTC days before `now`. Raises BenchError."""
    if sys.platform != "linux":
        raise BenchError("The bench reads processor times from /proc, which only Linux has.")
    if (wanted := uploading.WARM_UP + size.uploads * size.rounds) > (found := size.days * DAY // UPLOAD):
        raise BenchError(f"{wanted} uploads are too many: {size.days} days make {found}. Take more days.")
    start = int(now.timestamp() * 1000) // DAY * DAY - size.days * DAY
    if victoria.program() is None:
        sys.stderr.write(f"{VICTORIA} is not installed: its rows are left out.\n")
    with (
        scratch.database() as url,
        scratch.redis() as redis,
        psycopg.connect(url, autocommit=True) as database,
        _bar(size) as bar,
    ):
        feeds = month(start=start, days=size.days)
        rows.make(database, feeds)
        return list(_measure(size, feeds, database, _environment(url, redis), _stepper(bar)))


def _measure(
    size: Size,
    feeds: list[Feed],
    database: Database,
    environment: dict[str, str],
    step: Callable[[str], None],
) -> Iterator[Row]:
    with victoria.running() as peer:
        ingest = uploading.measure(
            database,
            feeds,
            environment=environment,
            per_round=size.uploads,
            rounds=size.rounds,
            peer=peer,
            step=step,
        )
    with victoria.running() as peer:  # another, as nothing but the whole set shall be on its disk
        loaded = _load(feeds, database, peer, step)
        yield from _disk(loaded)
        yield from ingest
        for days in sorted({1, size.days}):
            step(f"reads of {days} d")
            yield from _reads(loaded, days, size.rounds)
        step("latest")
        yield from _latest(loaded, size.rounds)


def _environment(url: str, redis: str) -> dict[str, str]:
    """Of the web servers: the scratch servers, and no limit for the one key that sends everything."""
    return {
        "DATABASE_URL": url,
        "REDIS_URL": redis,
        "EDGE_REQUESTS_PER_MINUTE": "1000000000",
        "PUBLIC_URL": "http://127.0.0.1",
        "ALLOWED_HOSTS": "127.0.0.1",
        "LOG_LEVEL": "WARNING",
    }


def _bar(size: Size) -> tqdm[Any]:
    sides = 4 if victoria.program() else 3
    steps = 1 + size.rounds * sides + 1 + len({1, size.days}) + 1
    return tqdm(total=steps, desc="store", unit="step", disable=None, leave=False)


def _stepper(bar: tqdm[Any]) -> Callable[[str], None]:
    def step(what: str) -> None:
        bar.set_description(what)
        bar.update()

    return step


def _load(
    feeds: list[Feed], database: Database, peer: Victoria | None, step: Callable[[str], None]
) -> Loaded:
    """Store the whole set on every side, compact it, and let the database clear up behind it."""
    step("loading")
    database.execute("TRUNCATE readings_tail, readings_latest, readings_segment, readings_clock")
    house, _ = create_house(by=None, name="store")
    sources = uploading.sources(house, feeds)
    numbers = rows.numbers(database)
    for feed in feeds:
        _store(feed, sources[feed.source])
        rows.load(database, feed, numbers)
        if peer is not None:
            peer.load(feed)
    if peer is not None:
        peer.settle()
    for table in ("readings_tail", "readings_latest", "readings_segment", "readings_clock", "bench_row"):
        database.execute(f"VACUUM (ANALYZE) {table}".encode())
    return Loaded(feeds, _series(house), sources, numbers, database, peer)


def _store(feed: Feed, source: Source) -> None:
    for day in range(int(feed.stamps[0]) // DAY, int(feed.stamps[-1]) // DAY + 1):
        part = feed.between(day * DAY, (day + 1) * DAY)
        moment = datetime.fromtimestamp(int(part.stamps[-1]) / 1000).astimezone()
        block = Block(part.fields, part.stamps, part.values)
        store.append([Upload(source.pk, (block,))], received_at=moment)
        store.compact(source.pk, day)


def _series(house: House) -> dict[str, int]:
    own = Series.objects.filter(source__house=house).select_related("source")
    return {f"{one.source.name}.{one.field}": one.pk for one in own}


def _disk(loaded: Loaded) -> Iterator[Row]:
    readings = sum(feed.readings for feed in loaded.feeds)
    ours = rows.size(loaded.database, *OWN_TABLES) / readings
    theirs = rows.size(loaded.database, "bench_row") / readings
    yield row("store", "disk", ours, "B/reading", goal=Goal(1.4, "value"))
    yield row("store", "disk", ours, "B/reading", against=ROWS, theirs=theirs, goal=Goal(0.03))
    if loaded.peer is not None:
        theirs = loaded.peer.size() / readings
        yield row("store", "disk", ours, "B/reading", against=VICTORIA, theirs=theirs, goal=Goal(0.75))


def _reads(loaded: Loaded, days: int, rounds: int) -> Iterator[Row]:
    """The last `days` of one series as arrays."""
    sides = _readers(loaded, days)
    _assert_equal({name: act() for name, act in sides.items()})
    times = in_turn(sides, rounds)
    goals = {ROWS: Goal(1 / 30), VICTORIA: Goal(1 / 10)} if days > 1 else {}
    yield from compared("store", f"read {days} d", times, goals)


def _readers(loaded: Loaded, days: int) -> dict[str, Act]:
    source, field = READ
    name = f"{source}.{field}"
    end = (int(loaded.feeds[0].stamps[-1]) // DAY + 1) * DAY
    start = end - days * DAY

    def ours() -> tuple[Any, Any]:
        found = store.read([loaded.series[name]], start=start, end=end)[loaded.series[name]]
        return found.stamps, found.values

    sides: dict[str, Act] = {
        OURS: ours,
        ROWS: lambda: rows.read(loaded.database, loaded.numbers[name], start, end),
    }
    if (peer := loaded.peer) is not None:
        sides[VICTORIA] = lambda: peer.read(source, field, start, end)
    return sides


def _assert_equal(found: dict[str, tuple[Any, Any]]) -> None:
    stamps, values = found[OURS]
    for name, (their_stamps, their_values) in found.items():
        same = np.array_equal(stamps, their_stamps) and np.allclose(values, their_values, rtol=CLOSE, atol=0)
        if not same or not len(stamps):
            raise BenchError(f"{name or 'The store'} does not return the readings that went in.")


def _latest(loaded: Loaded, rounds: int) -> Iterator[Row]:
    """The newest values of all fields of the house."""
    ids = [source.pk for source in loaded.sources.values()]
    numbers = list(loaded.numbers.values())
    newest = store.latest(ids)
    theirs = rows.latest_prepared(numbers)
    for source, one in loaded.sources.items():
        if any(
            theirs[loaded.numbers[f"{source}.{field}"]] != found for field, found in newest[one.pk].items()
        ):
            raise BenchError(f"{ROWS} and the store do not agree on the newest readings of {source}.")
    sides: dict[str, Act] = {
        OURS: lambda: [store.latest(ids) for _ in range(LATEST_TIMES)],
        ROWS: lambda: [rows.latest(numbers) for _ in range(LATEST_TIMES)],
        PREPARED: lambda: [rows.latest_prepared(numbers) for _ in range(LATEST_TIMES)],
    }
    times = {
        name: [one / LATEST_TIMES for one in own]
        for name, own in in_turn(sides, rounds * LATEST_TURNS).items()
    }
    yield from compared("store", f"latest of {len(numbers)}", times, {ROWS: Goal(1 / 3)})
