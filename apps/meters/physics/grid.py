"""Meters that were read at their own times, on one grid of intervals. Pure; stamps and lengths in Unix ms.

The grid's edges are multiples of its step since 1970; its interval k is (edges[k], edges[k + 1]], named by
its end.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.meters.physics.power import Flags
from apps.readings.counters import Advances
from apps.readings.integration import integrate, mean
from apps.readings.samples import Samples, Stamps, Values

MINUTE_MS = 60_000
STEPS = tuple(minutes * MINUTE_MS for minutes in (1, 2, 3, 5, 10, 15, 20, 30, 60))
FORCED = (1, 5, 15, 30, 60)
"""The grids (minutes) that a setting may force."""
MOST_TOLERANCE_MS = 60_000
NEIGHBOURS = 2
"""Registers are interpolated between readings at most so many intervals from an edge."""
LINE = 1.5
"""Instants are joined by a line, and means cover the time since the one before, up to so many intervals."""
COVERAGE = 0.8


@dataclass(frozen=True)
class Rhythm:
    """How a meter is read, as on record: `interval` (ms); `tolerance` (ms) of snapping instants to edges."""

    interval: int
    tolerance: int

    @classmethod
    def of(cls, interval: int, tolerance: int | None = None) -> Rhythm:
        """With the default tolerance, half an interval and a minute at most."""
        return cls(interval, min(interval // 2, MOST_TOLERANCE_MS) if tolerance is None else tolerance)


@dataclass(frozen=True, eq=False)
class Means:
    """The mean over each interval, NaN for none; `coverage` 0 to 1, `lines` whether interpolated."""

    values: Values
    coverage: Values
    lines: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Totals:
    """A register at each edge, NaN where it is not known; differences are right within one `run`."""

    values: Values
    runs: NDArray[np.int64]


def step_of(intervals: Collection[int], forced: int | None = None) -> int:
    """The grid's step (ms): `forced` if set, else that of the slowest meter, rounded up to whole minutes that
    divide an hour. What is slower than an hour is read on a grid of hours.
    """
    if forced is not None:
        return forced
    slowest = max(intervals)
    return next((step for step in STEPS if step >= slowest), STEPS[-1])


def edges(step: int, start: int, end: int) -> Stamps:
    """The edges (m + 1,) of the intervals that end in [start, end)."""
    first = -(-start // step) * step - step
    return np.arange(first, -(-end // step) * step, step, dtype=np.int64)


def register_at(advances: Advances, at: Stamps, interval: int) -> Totals:
    """A register's total (kWh, from any start) at edges, on the line between its readings around each."""
    if not len(advances):
        return Totals(np.full(at.size, np.nan), np.zeros(at.size, np.int64))
    begins, ends = advances.begins, advances.ends
    before = np.concatenate(([0.0], np.cumsum(advances.increases)[:-1]))
    place = np.searchsorted(ends, at, "left").clip(max=len(advances) - 1)
    # An edge at a reading after a break belongs to what begins there, one before it to what ends there.
    inside = (begins[place] <= at) & (at <= ends[place])
    near = np.maximum(at - begins[place], ends[place] - at) <= NEIGHBOURS * interval
    near |= (at == begins[place]) | (at == ends[place])
    passed = (at - begins[place]) / (ends[place] - begins[place])
    values = before[place] + advances.increases[place] * passed
    breaks = np.concatenate(([0], np.cumsum(begins[1:] != ends[:-1])))
    return Totals(np.where(inside & near, values, np.nan), breaks[place])


def averages(samples: Samples, at: Stamps, rhythm: Rhythm, *, coverage: float = COVERAGE) -> Means:
    """Means stamped with their end, by the time that they and the grid's intervals have in common."""
    gaps = np.diff(samples.stamps, prepend=samples.stamps[:1] - rhythm.interval)
    lengths = np.where(gaps <= LINE * rhythm.interval, gaps, rhythm.interval).astype(np.float64)
    integral, covered = integrate(
        "interval", samples.stamps, samples.values, at, max_gap=rhythm.interval, lengths=lengths
    )
    return _enough(mean(integral, covered), covered / np.diff(at), coverage)


def instants(samples: Samples, at: Stamps, rhythm: Rhythm, *, coverage: float = COVERAGE) -> Means:
    """Values at instants: of a meter faster than the grid the means, else the one at each interval's end."""
    step = int(at[1] - at[0])
    if rhythm.interval <= step // 2:
        reach = round(LINE * rhythm.interval)
        integral, covered = integrate("gauge", samples.stamps, samples.values, at, max_gap=reach)
        return _enough(mean(integral, covered), covered / step, coverage)
    return _at_ends(samples, at[1:], rhythm)


def flags_at(stamps: Stamps, flags: Flags, at: Stamps, reach: int) -> Flags:
    """All flags of the samples that may have shaped each interval: those in it or within `reach` of it."""
    if not flags.any():
        return np.zeros(at.size - 1, np.int64)
    first = np.searchsorted(stamps, at[:-1] - reach, "left")
    last = np.searchsorted(stamps, at[1:] + reach, "right")
    found = np.zeros(at.size - 1, np.int64)
    for bit in (1 << place for place in range(int(flags.max()).bit_length())):
        count = np.concatenate(([0], np.cumsum(flags & bit != 0)))
        found |= np.where(count[last] > count[first], bit, 0)
    return found


def _enough(values: Values, covered: Values, least: float) -> Means:
    return Means(np.where(covered >= least, values, np.nan), covered, np.zeros(values.size, np.bool_))


def _at_ends(samples: Samples, ends: Stamps, rhythm: Rhythm) -> Means:
    """Snapped within the tolerance, else on the line between neighbours that are near each other."""
    if not len(samples):
        return Means(np.full(ends.size, np.nan), np.zeros(ends.size), np.zeros(ends.size, np.bool_))
    stamps, values = samples.stamps, samples.values
    after = np.searchsorted(stamps, ends, "left").clip(max=len(samples) - 1)
    before = np.searchsorted(stamps, ends, "right").clip(min=1) - 1
    nearest = np.where(np.abs(stamps[after] - ends) < np.abs(ends - stamps[before]), after, before)
    snapped = np.abs(stamps[nearest] - ends) <= rhythm.tolerance
    gap = stamps[after] - stamps[before]
    between = (stamps[before] <= ends) & (ends <= stamps[after]) & (gap <= LINE * rhythm.interval)
    line = values[before] + (values[after] - values[before]) * (ends - stamps[before]) / np.maximum(gap, 1)
    found = np.where(snapped, values[nearest], np.where(between, line, np.nan))
    return Means(found, np.isfinite(found).astype(np.float64), ~snapped & between)
