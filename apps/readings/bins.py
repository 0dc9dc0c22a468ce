"""Series in bins of the house's calendar: from rollups where they are up to date, else from the readings.

An answer never lags: hours and days that readings have changed since, and the running ones, are worked out as
the rollup will be. Bins shorter than an hour always come from the readings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from apps.readings import calendar, integration, rollup_rows, rollups, store, window
from apps.readings.borders import Border, covered_before, reaches
from apps.readings.calendar import DAY_MS
from apps.readings.integration import max_gap
from apps.readings.local_days import Days, LocalDays
from apps.readings.models import Kind, Series
from apps.readings.rolling import calendar_of, neighbours
from apps.readings.rollup_rows import Stored
from apps.readings.rollups import Columns
from apps.readings.samples import Stamps, Values
from apps.readings.sql import array, fetch
from apps.readings.window import LENGTH, Window

__all__ = ["LENGTH", "Binned", "binned", "binned_means", "columns"]

# How much is in memory at once, whatever the range: four months of one series, one month of four.
SERIES_DAYS = 124

STORED = ("1h", *calendar.CALENDAR)
"""Bins that are put together from stored hours or days."""

FAR = 60
"""Days: further away, what is not rolled up yet is not looked for."""

_STATE = """
SELECT source.id, house.time_zone, source.sealed_before, ARRAY(
    SELECT day FROM readings_invalidation WHERE source_id = source.id
    UNION SELECT day FROM readings_tail WHERE source_id = source.id
    ORDER BY day
)
FROM readings_source AS source JOIN houses_house AS house ON house.id = source.house_id
WHERE source.id = ANY(%(sources)s::bigint[])
"""


@dataclass(frozen=True, eq=False)
class Binned:
    """Means of one series. All are (n,): a bin begins at `starts` ms, NaN in `values` is missing.

    `coverage` is the part of each bin, 0 to 1, that readings vouch for. `values` are in the series' unit.
    """

    starts: Stamps
    values: Values
    coverage: Values


@dataclass(frozen=True)
class _Source:
    """A source as of one moment: its house's zone, its seal (ms or None), and the days not rolled up yet."""

    pk: int
    zone: str
    sealed: int | None
    dirty: list[int]
    series: list[Series]

    @property
    def sealed_day(self) -> int:
        return (self.sealed or 0) // DAY_MS


def binned_means(
    series: Sequence[Series], *, zone: str, every: str, start: int, end: int
) -> dict[int, Binned]:
    """Means (integral ÷ covered time) of each series, by its id, over the bins that cover [start, end) ms.

    As `binned`, but counters have no mean: ValueError.
    """
    if any(one.kind == "counter" for one in series):
        raise ValueError("A counter is a register: its increase has a meaning, its mean has none.")
    found = binned(series, zone=zone, every=every, start=start, end=end, names=("covered", "integral"))
    return {key: Binned(own.edges[:-1], own.mean, own.coverage) for key, own in found.items()}


def binned(
    series: Sequence[Series],
    *,
    zone: str,
    every: str,
    start: int,
    end: int,
    names: Sequence[str] = rollups.NAMES,
) -> dict[int, Columns]:
    """What is known of each series, by its id, in the bins that cover [start, end) ms.

    `names` are the columns that are asked for; others may be missing.

    Bins are those of `calendar.edges`; the first and the last are whole even where the range is not, so that
    a bin's value does not depend on who asks. The running bin is known as far as readings go.

    Raises ValueError for an unknown zone or `every`, and where `end` is not after `start`.
    """
    edges = calendar.edges(zone, every, start, end)
    answer: dict[int, Columns] = {}
    for source in _sources(series):
        if every in STORED and source.zone == zone:
            answer |= _from_rollups(source, edges, hourly=every == "1h", names=names)
        else:
            answer |= _from_readings(source, edges)
    return answer


def columns(series: Sequence[Series], edges: Stamps) -> dict[int, Columns]:
    """As `binned`, from the readings alone, in any bins between neighbouring `edges` (ms)."""
    return {key: own for source in _sources(series) for key, own in _from_readings(source, edges).items()}


def _sources(series: Sequence[Series]) -> list[_Source]:
    """Asked before any row is read: rows are then at least as new as the days said to be up to date."""
    if not series:
        return []
    rows = fetch(_STATE, {"sources": array({one.source_id for one in series})})
    return [
        _Source(pk, zone, sealed, dirty, [one for one in series if one.source_id == pk])
        for pk, zone, sealed, dirty in rows
    ]


def _from_rollups(
    source: _Source, edges: Stamps, *, hourly: bool, names: Sequence[str]
) -> dict[int, Columns]:
    start, end = int(edges[0]), int(edges[-1])
    found = rollup_rows.read(source.pk, source.series, start, end, hourly=hourly, names=names)
    for fresh in _fresh(source, start, end, hourly=hourly):
        for number, own in fresh.items():
            found[number] = rollup_rows.replaced(found.get(number), own)
    return {one.pk: _gather(one, found.get(one.pk), edges) for one in source.series}


def _gather(series: Series, stored: Stored | None, edges: Stamps) -> Columns:
    if stored is None:
        return _empty(series, edges)
    middles = (stored.begins + stored.ends) // 2
    return rollups.gathered(stored.columns, edges, middles=middles)


def _empty(series: Series, edges: Stamps) -> Columns:
    return rollups.columns(rollups.nothing(series.kind), edges)


def _fresh(source: _Source, start: int, end: int, *, hourly: bool) -> Iterator[dict[int, Stored]]:
    """What is not rolled up yet of [start, end), as it will be stored, in place of the rows there."""
    calendar_ = _calendar(source)
    for first, last in _runs(source.dirty, start // DAY_MS, (end - 1) // DAY_MS):
        found = _informed(source, first - 1, last + 1)
        begin, until = _shaped(found, first, last)
        begin, until = max(begin, start, source.sealed or 0), min(until, end)
        if begin >= until:
            continue
        days = calendar_.covering(begin, until)
        yield _as_stored(_holding(source, found, days), days, hourly=hourly)


def _as_stored(found: Window, days: Days, *, hourly: bool) -> dict[int, Stored]:
    places = np.searchsorted(days.hours, days.bounds)
    fresh = {}
    for number in found.series:
        hours = rollups.columns(found.stream(number), days.hours)
        own = hours if hourly else rollups.grouped(hours, places)
        fresh[number] = Stored(own.edges[:-1], own.edges[1:], own)
    return fresh


def _holding(source: _Source, found: Window, days: Days) -> Window:
    """The window, or a wider one when it does not hold all readings of `days`."""
    low, high = int(days.bounds[0]) // DAY_MS, int(days.bounds[-1] - 1) // DAY_MS
    if found.first_day <= low and high <= found.last_day:
        return found
    return _load(source, min(low, found.first_day), max(high, found.last_day))


def _calendar(source: _Source) -> LocalDays:
    return LocalDays(source.zone) if source.sealed is None else calendar_of(source.pk).calendar


def _runs(dirty: Sequence[int], first: int, last: int) -> Iterator[tuple[int, int]]:
    """Runs of days not rolled up that can matter to [first, last]: those in it and the nearest beside it.

    Each is a month at most.
    """
    near = [day for day in dirty if first - 1 <= day <= last + 1]
    below = [day for day in dirty if day < first - 1][-1:]
    above = [day for day in dirty if day > last + 1][:1]
    days = [*below, *near, *above]
    for _, run in groupby(enumerate(days), key=lambda pair: pair[1] - pair[0]):
        own = [day for _, day in run]
        for begin in range(0, len(own), 31):
            part = own[begin : begin + 31]
            yield part[0], part[-1]


def _shaped(found: Window, first: int, last: int) -> tuple[int, int]:
    """From where to where (ms) UTC days that are not rolled up yet shape what is known of any series."""
    spans = [_shaped_of(found, number, first, last) for number in found.series]
    return min(begin for begin, _ in spans), max(until for _, until in spans)


def _shaped_of(found: Window, number: int, first: int, last: int) -> tuple[int, int]:
    begin, until = first * DAY_MS, (last + 1) * DAY_MS
    days, within = found.days(number), found.within.get(number, {})
    own = [days[day].border for day in range(first, last + 1) if day in days]
    if not own and not any(first <= day <= last for day in within):
        return begin, until
    one = found.series[number]
    before, after = neighbours(found, number, first)[0], neighbours(found, number, last)[1]
    if before and _matters(one, before[1], own[0] if own else None):
        begin = min(begin, before[1].last_stamp)
    elif own and not before:
        begin = min(begin, own[0].first_stamp - covered_before(own[0]))
    if after and _matters(one, own[-1] if own else None, after[1]):
        until = max(until, after[1].first_stamp + 1)
    elif own and one.kind == Kind.STEP:
        until = max(until, own[-1].last_stamp + max_gap(one.cadence))
    return begin, until


def _matters(series: Series, earlier: Border | None, later: Border | None) -> bool:
    """Whether both sides of a gap shape it; a day that lost all of its own may have shaped any."""
    return earlier is None or later is None or reaches(series.kind, earlier, later, max_gap(series.cadence))


def _from_readings(source: _Source, edges: Stamps) -> dict[int, Columns]:
    """In parts, of bins and of series, that fit in memory together."""
    together = max(1, SERIES_DAYS * DAY_MS // int(np.diff(edges).max()))
    series = [one for one in source.series if not one.field.startswith("_")]
    groups = [series[first : first + together] for first in range(0, len(series), together)]
    answer = {one.pk: _empty(one, edges) for one in source.series}
    for group in groups:
        part = replace(source, series=group)
        for first, last in _parts(part, edges):
            for number, own in _part(part, edges[first : last + 1]).items():
                _put(answer[number], first, last, own)
    return answer


def _put(whole: Columns, first: int, last: int, part: Columns) -> None:
    for name in rollups.NAMES:
        column = getattr(whole, name)
        if column is not None:
            column[first:last] = getattr(part, name)


def _part(source: _Source, edges: Stamps) -> dict[int, Columns]:
    """The bins between `edges` from the readings of their days, and what is known of the days around them."""
    first, last = int(edges[0]) // DAY_MS, int(edges[-1] - 1) // DAY_MS
    dirty = set(source.dirty)
    # Days beside that are not rolled up have no border yet that could stand for them.
    found = _informed(source, first - (first - 1 in dirty), last + (last + 1 in dirty))
    return {number: rollups.columns(found.stream(number), edges) for number in found.series}


def _informed(source: _Source, first_day: int, last_day: int) -> Window:
    """The window, made wide enough that what is not rolled up yet of the days around it is known as well."""
    found = _load(source, first_day, last_day)
    low = min((day for day in source.dirty if first_day - FAR <= day < first_day), default=first_day)
    high = max((day for day in source.dirty if last_day < day <= last_day + FAR), default=last_day)
    if low == first_day or not _unknown(found.series, found.before, first_day, source.dirty, -1):
        low = first_day
    if high == last_day or not _unknown(found.series, found.after, last_day, source.dirty, 1):
        high = last_day
    return found if (low, high) == (first_day, last_day) else _load(source, low, high)


def _unknown(
    series: Collection[int],
    known: Mapping[int, tuple[int, Border]],
    end: int,
    dirty: Sequence[int],
    direction: int,
) -> bool:
    """Whether a day not rolled up lies beyond `end`, nearer than the nearest known of some series."""
    nearest = min((direction * day for day in dirty if direction * (day - end) > 0), default=None)
    return nearest is not None and any(
        number not in known or direction * known[number][0] > nearest for number in series
    )


def _load(source: _Source, first_day: int, last_day: int) -> Window:
    asked = [*source.series, *window.lengths_of(source.series)]
    return window.load(source.pk, asked, first_day, last_day, sealed_day=source.sealed_day, tail=True)


def _parts(source: _Source, edges: Stamps) -> Iterator[tuple[int, int]]:
    """Which bins to work out at once, [first, last), leaving out those that no reading can reach."""
    longest = SERIES_DAYS * DAY_MS // len(source.series)
    first, end = 0, edges.size - 1
    if edges[-1] - edges[0] > longest:  # only a long range is worth the question
        first, end = _within_reach(source, edges)
    while first < end:
        within = int(np.searchsorted(edges, edges[first] + longest, "right")) - 1
        last = min(max(first + 1, within), end)
        yield first, last
        first = last


def _within_reach(source: _Source, edges: Stamps) -> tuple[int, int]:
    """The bins [first, last) that what is stored can say anything of."""
    start, end = store.extent([source.pk])
    reach = max(max(integration.reach(one.kind, max_gap=max_gap(one.cadence))) for one in source.series)
    first = int(np.searchsorted(edges, start - reach, "right")) - 1
    last = int(np.searchsorted(edges, end + reach, "left"))
    return max(0, first), min(last, edges.size - 1)
