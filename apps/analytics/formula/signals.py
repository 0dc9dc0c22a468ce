"""What the leaves of a formula are over time: signals, which run between their samples, and sparse events.

A signal is defined over *stretches* of time (`apps.readings.integration`): a gauge along the straight lines
between near readings, an interval over its length, a step for a while, an average over its bin. Nothing is
defined after a signal's newest sample. NaN is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from apps.readings import integration
from apps.readings.integration import Stretches
from apps.readings.samples import Stamps, Values


@dataclass(frozen=True, eq=False)
class Signal:
    """A series, or an average, over time.

    `stamps` (n,) int64 ms increase strictly, `values` (n,) float64 are never NaN; signals sampled together
    share one `stamps` array. `kind` is `gauge`, `interval`, `step` or `bin`. `max_gap` (ms) bounds what
    gauges and steps vouch for, and is the length of a bin. `lengths` (n,), ms before the stamp, are those on
    record of intervals. `newest` (ms) is the newest sample there is, if that is later than the last one
    given here.
    """

    kind: str
    stamps: Stamps
    values: Values
    max_gap: int
    lengths: Values | None = None
    newest: int | None = None

    @property
    def end(self) -> int:
        """The newest sample (ms), after which nothing is defined; before all time where there is none."""
        last = int(self.stamps[-1]) if self.stamps.size else np.iinfo(np.int64).min
        return last if self.newest is None else max(last, self.newest)

    @cached_property
    def stretches(self) -> Stretches:
        """Where it is defined, in order and without overlap."""
        if self.kind in ("step", "bin"):
            held = integration.stretches("step", self.stamps, self.values, max_gap=self.max_gap)
            return _until(held, self.end)
        return integration.stretches(
            self.kind, self.stamps, self.values, max_gap=self.max_gap, lengths=self.lengths
        )

    @cached_property
    def begins(self) -> Stamps:
        """Of intervals: where the time that each value covers begins (ms)."""
        return integration.interval_begins(self.stamps, max_gap=self.max_gap, lengths=self.lengths)

    def at(self, stamps: Stamps) -> Values:
        """The values at increasing `stamps` (m,), NaN where it is not defined; a sample is, at its stamp."""
        if stamps is self.stamps:
            return self.values
        if not self.stamps.size or not stamps.size:
            return np.full(stamps.size, np.nan)
        if self.kind == "gauge":
            return self._on_lines(stamps)
        return self._held_before(stamps) if self.kind == "interval" else self._held_after(stamps)

    def used(self, stamp: int) -> list[int]:
        """The stamps of the samples that its value at `stamp` comes from; none where it is not defined."""
        if not self.stamps.size or np.isnan(self.at(np.array([stamp]))[0]):
            return []
        place = int(np.searchsorted(self.stamps, stamp))
        if place < self.stamps.size and self.stamps[place] == stamp:
            return [stamp]
        if self.kind == "gauge":
            return [int(self.stamps[place - 1]), int(self.stamps[place])]
        return [int(self.stamps[place if self.kind == "interval" else place - 1])]

    def over(self, begins: Stamps, ends: Stamps) -> NDArray[np.float64]:
        """The values (2, m) just after `begins` (m,) and just before `ends` (m,), NaN where not defined.

        No stretch may begin or end between a begin and its end.
        """
        own = self.stretches
        if not own.begins.size:
            return np.full((2, begins.size), np.nan)
        place = np.searchsorted(own.begins, begins, "right") - 1
        defined = (place >= 0) & (begins < own.ends[place])
        if self.kind == "gauge":
            sides = np.stack([own.at(place, begins), own.at(place, ends)])
        else:
            sides = np.broadcast_to(own.first[place], (2, begins.size))
        return np.where(defined, sides, np.nan)

    def _on_lines(self, stamps: Stamps) -> Values:
        near = slice(*_around(self.stamps, stamps))
        own = self.stamps[near]
        values = np.interp(stamps, own, self.values[near], left=np.nan, right=np.nan)
        far = np.diff(own) > self.max_gap
        if far.any():
            place = np.searchsorted(own, stamps, "right") - 1
            inside = (place >= 0) & (place < far.size)
            bridged = inside & far[place.clip(0, far.size - 1)] & (own[place] != stamps)
            values[bridged] = np.nan
        return values

    def _held_before(self, stamps: Stamps) -> Values:
        """A value holds over (stamp − length, stamp]."""
        place = np.searchsorted(self.stamps, stamps, "left")
        within = place < self.stamps.size
        place = np.where(within, place, 0)
        held = within & ((stamps > self.begins[place]) | (stamps == self.stamps[place]))
        return np.where(held, self.values[place], np.nan)

    def _held_after(self, stamps: Stamps) -> Values:
        """A value holds over [stamp, stamp + max_gap), as long as anything newer is known."""
        place = np.searchsorted(self.stamps, stamps, "right") - 1
        held = (place >= 0) & (stamps < self.stamps[place] + self.max_gap) & (stamps <= self.end)
        return np.where(held, self.values[place], np.nan)


@dataclass(frozen=True, eq=False)
class Sparse:
    """Values at events, (n,) each, in order of time; NaN where an event lacks the field.

    Several may share a stamp: `ordinals` counts those from 0, and the k-th of one leaf meets the k-th of
    another.
    """

    stamps: Stamps
    ordinals: Stamps
    values: Values


def union(clocks: Iterable[Stamps]) -> Stamps:
    """All stamps of `clocks`, each once and in order; an array given several times is taken once."""
    distinct = list({id(clock): clock for clock in clocks}.values())
    if len(distinct) == 1:
        return distinct[0]
    if not distinct:
        return np.empty(0, np.int64)
    together = np.concatenate(distinct)
    # Which merges what is sorted already; np.unique takes a hundred times as long.
    together.sort(kind="stable")
    fresh = np.ones(together.size, np.bool_)
    np.not_equal(together[1:], together[:-1], out=fresh[1:])
    return together[fresh]


def between(stamps: Stamps, start: int, end: int) -> slice:
    """Which of increasing `stamps` lie in [start, end)."""
    first, last = np.searchsorted(stamps, (start, end)).tolist()
    return slice(first, last)


def breakpoints(signals: Sequence[Signal]) -> Stamps:
    """The instants at which a stretch of any signal begins or ends; between two of them all run straight."""
    ways = [signal.stretches for signal in signals]
    return union(bound for way in ways for bound in (way.begins, way.ends))


def _until(held: Stretches, end: int) -> Stretches:
    """Stretches of one value each, cut off at `end`."""
    ends = np.minimum(held.ends, end)
    some = held.begins < ends
    return Stretches(held.begins[some], ends[some], held.first[some], held.last[some])


def _around(own: Stamps, stamps: Stamps) -> tuple[int, int]:
    """Which of `own` are needed to draw lines over the range of `stamps`."""
    first = int(np.searchsorted(own, stamps[0], "right")) - 1
    last = int(np.searchsorted(own, stamps[-1], "left")) + 1
    return max(first, 0), min(last, own.size)
