"""`bench analytics`: hours, rollups and formulas, beside SQL on rows, VictoriaMetrics and pandas.

Both sides begin with what is on disk and end with the same arrays: that is asserted before anything is timed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
from tqdm import tqdm

from apps.analytics.evaluation import Stream
from apps.analytics.formula import parse
from apps.analytics.inputs import bind
from apps.analytics.load import plan
from apps.desk.bench import queries, rows, scratch, victoria
from apps.desk.bench.data import DAY, Feed, month
from apps.desk.bench.results import BenchError, Goal, Row
from apps.desk.bench.rows import Database
from apps.desk.bench.turns import OURS, Act, compared, in_turn
from apps.desk.bench.uploading import ROWS, VICTORIA
from apps.desk.bench.victoria import Victoria
from apps.houses.models import House
from apps.houses.mutations import create_house
from apps.readings import bins, integration, store, working
from apps.readings.models import Series, Source
from apps.readings.series import FieldSpec, declare
from apps.readings.store import Block, Upload

PANDAS = "pandas"
DECODE = "decode"
BINS, AS_OF = "SQL date_bin", "SQL as-of"

HOUR = 3_600_000
GAP = integration.max_gap(10.0)
CLOSE = 1e-9

# Three devices on three clocks, and three fields of one device.
CLOCKS = {"a": "meter.P1", "b": "battery.Pac_W", "c": "charger.power_W"}
SINGLE = {"a": "heat.flow"}  # the only gauge here; the others hold until their next reading
SHARED = {"a": "battery.Pac_W", "b": "battery.grid_W", "c": "battery.load_W"}
USED = {name for fields in (CLOCKS, SHARED, SINGLE) for name in fields.values()}

HOURLY_GOALS = {ROWS: Goal(1 / 5), VICTORIA: Goal(1)}

Arrays = list[Any]


@dataclass(frozen=True)
class Size:
    """How much of it: days of data, rounds of each measurement."""

    days: int = 90
    rounds: int = 3


@dataclass(frozen=True)
class Loaded:
    """The same readings on all sides, in [start, end) ms, and by what each side calls its series."""

    house: House
    series: dict[str, Series]
    numbers: dict[str, int]
    database: Database
    peer: Victoria | None
    start: int
    end: int
    until: int  # the oldest of the newest stamps: after it a formula is not defined

    def asked(self, fields: Mapping[str, str]) -> dict[str, int]:
        """What queries are told."""
        own = {letter: self.numbers[name] for letter, name in fields.items()}
        return {"start": self.start, "end": self.end, "until": self.until, "gap": GAP, **own}


def run(size: Size, *, now: datetime) -> list[Row]:
    """Run it, on the `size.days` UTC days before `now`. Raises BenchError."""
    for name, found in ((VICTORIA, victoria.program()), (PANDAS, _pandas())):
        if found is None:
            sys.stderr.write(f"{name} is not installed: its rows are left out.\n")
    start = int(now.timestamp() * 1000) // DAY * DAY - size.days * DAY
    with _loaded(size, start) as (loaded, step):
        return [row for measure in MEASURES for row in _measured(measure, loaded, size.rounds, step)]


def _measured(
    measure: Callable[[Loaded], Compared], loaded: Loaded, rounds: int, step: Callable[[str], None]
) -> Iterator[Row]:
    own = measure(loaded)
    step(own.metric)
    _assert_equal(own.metric, {name: act() for name, act in own.sides.items() if name not in own.other})
    yield from compared("analytics", own.metric, in_turn(own.sides, rounds), own.goals)


@dataclass(frozen=True)
class Compared:
    """What is measured: the sides, the goals by peer, and the peers that give something else."""

    metric: str
    sides: dict[str, Act]
    goals: dict[str, Goal]
    other: tuple[str, ...] = ()


def _hourly_mean(loaded: Loaded) -> Compared:
    """The mean of the readings of each hour, from the readings."""
    one = loaded.series[SINGLE["a"]]

    def ours() -> Arrays:
        found = store.read([one.pk], start=loaded.start, end=loaded.end)[one.pk]
        hours = np.arange(loaded.start, loaded.end + 1, HOUR)
        bounds = np.searchsorted(found.stamps, hours)
        return _present(hours[:-1], np.add.reduceat(found.values, bounds[:-1]), np.diff(bounds))

    return Compared("hourly mean", {OURS: ours, **_others_hourly(loaded)}, HOURLY_GOALS)


def _stored_mean(loaded: Loaded) -> Compared:
    """The same means as people ask for them: from the rollups, which the other sides do not keep."""
    one = [loaded.series[SINGLE["a"]]]

    def ours() -> Arrays:
        found = bins.binned(
            one, zone="UTC", every="1h", start=loaded.start, end=loaded.end, names=("count", "sum")
        )[one[0].pk]
        return _present(found.edges[:-1], found.sum, found.count)

    return Compared("hourly mean, stored", {OURS: ours, **_others_hourly(loaded)}, HOURLY_GOALS)


def _others_hourly(loaded: Loaded) -> dict[str, Act]:
    source, field = SINGLE["a"].split(".")
    sides: dict[str, Act] = {
        ROWS: lambda: queries.answer(loaded.database, queries.HOURLY_MEAN, 1, **loaded.asked(SINGLE))
    }
    if (peer := loaded.peer) is not None:
        sides[VICTORIA] = lambda: list(peer.hourly_means(source, field, loaded.start, loaded.end))
    return sides


def _present(hours: Any, sums: Any, counts: Any) -> Arrays:
    some = counts > 0
    return [hours[some], sums[some] / counts[some]]


def _full_rollup(loaded: Loaded) -> Compared:
    """All columns of the hours of a series, worked out anew from its readings."""
    one = loaded.series[SINGLE["a"]]
    hours = np.arange(loaded.start, loaded.end + 1, HOUR)
    names = ("count", "sum", "min", "max", "first", "last", "covered", "integral")

    def ours() -> Arrays:
        found = bins.columns([one], hours)[one.pk]
        some = found.count > 0
        return [hours[:-1][some], *(getattr(found, name)[some] for name in names)]

    def theirs() -> Arrays:
        return queries.answer(loaded.database, queries.ROLLUP, len(names), **loaded.asked(SINGLE))

    return Compared("full rollup", {OURS: ours, ROWS: theirs}, {ROWS: Goal(1 / 8)})


def _formula_bins(loaded: Loaded) -> Compared:
    """A formula of three series on three clocks, each as means of 10 s."""
    formula = (
        "-(avg(meter.P1, 10000)/1000) + avg(battery.Pac_W, 10000)/1000 - avg(charger.power_W, 10000)/1000"
    )
    sides: dict[str, Act] = {
        OURS: lambda: _evaluated(loaded, formula),
        BINS: lambda: queries.answer(loaded.database, queries.FORMULA_BINS, 1, **loaded.asked(CLOCKS)),
    }
    return Compared("formula, 10 s means", sides, {BINS: Goal(1 / 20)})


def _formula_as_of(loaded: Loaded) -> Compared:
    """A formula of three series on three clocks, at every stamp of each; each holds until its next."""
    formula = "-(meter.P1/1000) + battery.Pac_W/1000 - charger.power_W/1000"
    numbers = [loaded.series[name].pk for name in CLOCKS.values()]
    sides: dict[str, Act] = {
        OURS: lambda: _evaluated(loaded, formula),
        AS_OF: lambda: queries.answer(loaded.database, queries.FORMULA_AS_OF, 1, **loaded.asked(CLOCKS)),
    }
    if (pandas := _pandas()) is not None:
        sides[PANDAS] = lambda: _merged(pandas, numbers, loaded)
    return Compared("formula, as of", sides, {AS_OF: Goal(1 / 20), PANDAS: Goal(1.3)})


def _merged(pandas: Any, numbers: list[int], loaded: Loaded) -> Arrays:
    """The same by pandas, on the arrays that the store reads."""
    found = store.read(numbers, start=loaded.start, end=loaded.end)
    frames = [
        pandas.DataFrame({"stamp": found[number].stamps, letter: found[number].values})
        for letter, number in zip("abc", numbers, strict=True)
    ]
    merged = pandas.DataFrame({"stamp": pandas.concat([frame["stamp"] for frame in frames])})
    merged = merged.sort_values("stamp").drop_duplicates()
    for frame in frames:
        merged = pandas.merge_asof(merged, frame, on="stamp", tolerance=GAP - 1)
    result = -(merged["a"] / 1000) + merged["b"] / 1000 - merged["c"] / 1000
    some = result.notna() & (merged["stamp"] <= loaded.until)
    return [merged["stamp"][some].to_numpy(), result[some].to_numpy()]


def _shared_clock(loaded: Loaded) -> Compared:
    """A formula of three series on one clock, beside reading them alone."""
    formula = "-(battery.Pac_W/1000) + battery.grid_W/1000 - battery.load_W/1000"
    numbers = [loaded.series[name].pk for name in SHARED.values()]
    sides: dict[str, Act] = {
        OURS: lambda: _evaluated(loaded, formula),
        DECODE: lambda: store.read(numbers, start=loaded.start, end=loaded.end),
    }
    return Compared("formula, one clock", sides, {DECODE: Goal(1.3)}, other=(DECODE,))


MEASURES = (_hourly_mean, _stored_mean, _full_rollup, _formula_bins, _formula_as_of, _shared_clock)


def _evaluated(loaded: Loaded, formula: str) -> Arrays:
    """All points of a formula, a part of time at a time, as the product does, which answers with fewer."""
    bound = bind(loaded.house, parse(formula))
    stream, parts = Stream(bound), []
    for first, last in plan(bound, loaded.start, loaded.end).parts(loaded.start, loaded.end):
        parts.append(stream.evaluation(first, last).points(first, last, consume=True).present())
    if len(parts) == 1:
        return [parts[0].stamps, parts[0].values]
    return [np.concatenate([getattr(part, name) for part in parts]) for name in ("stamps", "values")]


def _assert_equal(metric: str, found: dict[str, Arrays]) -> None:
    ours = found.pop(OURS)
    for name, theirs in found.items():
        same = np.array_equal(ours[0], theirs[0]) and all(
            np.allclose(one, other, rtol=CLOSE, atol=CLOSE, equal_nan=True)
            for one, other in zip(ours[1:], theirs[1:], strict=True)
        )
        if not same or not len(ours[0]):
            raise BenchError(f"{name} and Wattdesk do not agree on: {metric}.")


@contextmanager
def _loaded(size: Size, start: int) -> Iterator[tuple[Loaded, Callable[[str], None]]]:
    with (
        scratch.database() as url,
        psycopg.connect(url, autocommit=True) as database,
        victoria.running() as peer,
        tqdm(total=2 + len(MEASURES), desc="analytics", unit="step", disable=None, leave=False) as bar,
    ):

        def step(what: str) -> None:
            bar.set_description(what)
            bar.update()

        step("making readings")
        feeds = [_trimmed(feed) for feed in month(start=start, days=size.days)]
        step("loading")
        yield _load([feed for feed in feeds if feed.fields], database, peer, start, size.days), step


def _trimmed(feed: Feed) -> Feed:
    """Only the fields that are asked for."""
    kept = [place for place, field in enumerate(feed.fields) if f"{feed.source}.{field}" in USED]
    return replace(feed, fields=tuple(feed.fields[place] for place in kept), values=feed.values[kept])


def _load(feeds: list[Feed], database: Database, peer: Victoria | None, start: int, days: int) -> Loaded:
    rows.make(database, feeds)
    numbers = rows.numbers(database)
    house, _ = create_house(by=None, name="analytics", time_zone="UTC")
    for feed in feeds:
        _store(feed, house)
        rows.load(database, feed, numbers)
        if peer is not None:
            peer.load(feed)
    if peer is not None:
        peer.settle()
    database.execute("VACUUM (ANALYZE)")
    found = Series.objects.filter(source__house=house).select_related("source")
    series = {f"{one.source.name}.{one.field}": one for one in found}
    until = min(int(feed.stamps[-1]) for feed in feeds)
    return Loaded(house, series, numbers, database, peer, start, start + days * DAY, until)


def _store(feed: Feed, house: House) -> None:
    source = Source.objects.create(house=house, name=feed.source)
    kind = "gauge" if SINGLE["a"].startswith(f"{feed.source}.") else "step"
    declare(source=source, fields=[FieldSpec(name, "power", "W", kind, 10.0) for name in feed.fields])
    for day in range(int(feed.stamps[0]) // DAY, int(feed.stamps[-1]) // DAY + 1):
        part = feed.between(day * DAY, (day + 1) * DAY)
        moment = datetime.fromtimestamp(int(part.stamps[-1]) / 1000).astimezone()
        store.append([Upload(source.pk, (Block(part.fields, part.stamps, part.values),))], received_at=moment)
        store.compact(source.pk, day)
    working.roll_source(source.pk, seconds=600)


def _pandas() -> Any:
    """pandas, where it is installed: it is no requirement of this program."""
    try:
        return importlib.import_module(PANDAS)
    except ImportError:
        return None
