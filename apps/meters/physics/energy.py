"""The energy of meters over the intervals of a grid, and what remains known of it over gaps. Pure.

Energy is that of registers where there are any, by their differences, never by their totals: two registers
began at different times, and restart. A register vouches for a gap as a whole, so intervals without a value
may still have a common sum: such a *bridged* interval is longer than the grid's step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from apps.meters.physics.grid import Totals
from apps.readings.integration import HOUR_MS
from apps.readings.samples import Stamps, Values

LONGEST_BRIDGE_MS = 20 * HOUR_MS
"""So that a UTC day's values depend on nothing earlier than the day before it."""


@dataclass(frozen=True, eq=False)
class Course:
    """A meter's energy on a grid of m intervals, in the direction of its role.

    `parts` (m,) kWh of each interval, NaN where not known; `totals` what is known at the edges, gaps bridged;
    `active` (m,) where the meter counts at all. Where it does not, it adds nothing and nothing is missing.
    """

    parts: Values
    totals: Totals
    active: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Intervals:
    """Energies (n,) kWh of intervals that end at `ends` and last `lengths` ms; `bridged` where over a gap."""

    ends: Stamps
    lengths: Stamps
    energies: Values
    bridged: NDArray[np.bool_]

    @property
    def powers(self) -> Values:
        """Mean powers in kW."""
        return self.energies * HOUR_MS / self.lengths

    def at(self, places: NDArray[np.intp]) -> Intervals:
        """Those at some places."""
        return Intervals(self.ends[places], self.lengths[places], self.energies[places], self.bridged[places])


def course(parts: Values, register: Totals, active: NDArray[np.bool_]) -> Course:
    """The course of a meter with these `parts`, whose gaps its `register` bridges where it can."""
    parts = np.where(active, parts, 0.0)
    totals = np.full(parts.size + 1, np.nan)
    runs = np.zeros(parts.size + 1, np.int64)
    total, run, place = 0.0, 0, 0
    totals[0] = 0.0
    for first, last in _gaps(parts):
        inside = np.cumsum(parts[place:first])
        totals[place + 1 : first + 1], runs[place : first + 1] = total + inside, run
        total += float(inside[-1]) if inside.size else 0.0
        rise = _rise(register, first, last) if active[first:last].all() else None
        total, run = (total, run + 1) if rise is None else (total + rise, run)
        totals[last], runs[last], place = total, run, last
    totals[place + 1 :], runs[place:] = total + np.cumsum(parts[place:]), run
    return Course(parts, Totals(totals, _split(runs, active)), active)


def difference(plus: Totals, minus: Totals) -> Totals:
    """Import less export: known where both are, in one run while neither begins another."""
    return Totals(plus.values - minus.values, _paired(plus.runs, minus.runs))


def combine(courses: Sequence[Course], coefficients: Sequence[float], edges: Stamps) -> Intervals:
    """The signed sum of several meters: intervals that all of them know, and gaps that all of them bridge."""
    weights = np.array(coefficients)[:, None]
    parts: Values = (weights * np.array([one.parts for one in courses])).sum(axis=0)
    gaps = list(_bridges(courses, parts, edges))
    rises = [[one.totals.values[last] - one.totals.values[first] for one in courses] for first, last in gaps]
    bounds = np.array(gaps, np.int64).reshape(-1, 2)
    begins = np.concatenate((edges[:-1], edges[bounds[:, 0]]))
    ends = np.concatenate((edges[1:], edges[bounds[:, 1]]))
    energies = np.concatenate((parts, np.array(rises).reshape(-1, len(courses)) @ weights[:, 0]))
    found = Intervals(ends, ends - begins, energies, np.arange(ends.size) >= parts.size)
    return found.at(_in_order(ends, np.isfinite(energies)))


def _in_order(stamps: Stamps, chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
    places = np.flatnonzero(chosen)
    return places[np.argsort(stamps[places], kind="stable")]


def _gaps(parts: Values) -> Iterator[tuple[int, int]]:
    """The stretches [first, last) of intervals without a value."""
    missing = np.concatenate(([False], np.isnan(parts), [False]))
    bounds = np.flatnonzero(missing[1:] != missing[:-1]).tolist()
    yield from zip(bounds[::2], bounds[1::2], strict=True)


def _rise(register: Totals, first: int, last: int) -> float | None:
    rise = float(register.values[last] - register.values[first])
    return rise if register.runs[first] == register.runs[last] and np.isfinite(rise) else None


def _split(runs: NDArray[np.int64], active: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The runs, begun anew where the meter comes or goes."""
    changes = np.concatenate(([0], np.cumsum(active[1:] != active[:-1]), [0]))
    changes[-1] = changes[-2]
    return _paired(runs, changes)


def _paired(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers that differ from their neighbour where either of two does; both never fall."""
    return first + second


def _bridges(courses: Sequence[Course], parts: Values, edges: Stamps) -> Iterator[tuple[int, int]]:
    """The stretches [first, last) between edges that all know, over gaps that all bridge."""
    known = np.isfinite(np.array([one.totals.values for one in courses])).all(axis=0)
    for first, last in _gaps(parts):
        at = (first + np.flatnonzero(known[first : last + 1])).tolist()
        for begin, end in pairwise(at):
            if edges[end] - edges[begin] <= LONGEST_BRIDGE_MS and all(
                one.totals.runs[begin] == one.totals.runs[end] for one in courses
            ):
                yield begin, end
