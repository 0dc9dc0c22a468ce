"""What a formula gives over a range of time: at stamps, in bins of the house's calendar, or as one number.

Any range can be asked for in bins: it is read and worked out a part at a time. What would be too much is
refused before it is read, with its number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from apps.analytics.formula import Evaluation, Points, Shape, binning, measured, shape
from apps.analytics.formula.binning import Bins
from apps.analytics.formula.constants import constant
from apps.analytics.increases import increases
from apps.analytics.inputs import Bound, Loader
from apps.analytics.load import Load, TooMuchError, plan
from apps.readings import calendar
from apps.readings.raw import MAX_POINTS
from apps.readings.samples import Stamps, Values
from apps.readings.units import of_aggregate

MAX_COUNTED = 2_000_000
"""Points of an answer that are worked out to count them; more are refused by an estimate from above."""

INCREASE = "increase"
AGGREGATES = (*binning.AGGREGATES, INCREASE)

_NO_POINTS = Points(np.empty(0, np.int64), np.empty(0))


@dataclass(frozen=True, eq=False)
class Answer:
    """A result, in `unit`. Arrays are (n,); NaN is missing.

    A formula that gives one number, or one aggregate over the whole range, has `value` alone (None: missing)
    and no stamps. `stamps` (ms) are those of the leaves, or the starts of bins; `coverage` is of bins of
    signals.
    """

    unit: str
    shape: Shape
    stamps: Stamps | None = None
    values: Values | None = None
    coverage: Values | None = None
    value: float | None = None


def evaluate(
    bound: Bound, *, start: int, end: int, every: str | None = None, aggregate: str | None = None
) -> Answer:
    """The result of `bound` in [start, end) ms.

    Without `every` and `aggregate` at the stamps of its leaves, at most MAX_POINTS. With `every` (of
    `calendar.EVERY`) the `aggregate` (of AGGREGATES, by default the mean) of each bin that the range touches.
    With `aggregate` alone that of the whole range. Raises TooMuchError, FormulaError for too many events and
    for the increase of what has none, and ValueError for an integral of events or bad parameters.
    """
    stream = Stream(bound)
    if stream.shape is Shape.NUMBER:
        return stream.number()
    if every is None and aggregate is None:
        return stream.points(start, end)
    if aggregate == INCREASE:
        found = increases(bound, start=start, end=end, every=every)
        answer = Answer(stream.unit, stream.shape, *found)
    else:
        answer = stream.binned(_edges(bound, start, end, every), aggregate or "mean")
    return answer if every is not None else _single(answer)


def _edges(bound: Bound, start: int, end: int, every: str | None) -> Stamps:
    if every is None:
        return np.array([start, end], np.int64)
    return calendar.edges(bound.house.time_zone, every, start, end)


class Stream:
    """A bound formula, evaluated a part of time at a time, so that memory stays bounded."""

    def __init__(self, bound: Bound) -> None:
        self.bound = bound
        self.shape = shape(bound.node)
        self.unit = measured(bound.node, bound.specs).measure.unit
        self._loader = Loader(bound)

    def number(self) -> Answer:
        """The value of a formula without series and events."""
        return Answer(self.unit, self.shape, value=constant(self.bound.node))

    def points(self, start: int, end: int) -> Answer:
        """The values at the stamps of the leaves in [start, end) ms."""
        load = self._planned(start, end)
        _refuse_points(load.points, MAX_COUNTED, "about ")
        parts, count = [_NO_POINTS], 0
        for first, last in load.parts(start, end):
            part = self.evaluation(first, last).points(first, last, consume=True)
            count += len(part)
            if count <= MAX_POINTS:
                parts.append(part)
        _refuse_points(count, MAX_POINTS)
        stamps, values = ([getattr(part, name) for part in parts] for name in ("stamps", "values"))
        return Answer(self.unit, self.shape, np.concatenate(stamps), np.concatenate(values))

    def binned(self, edges: Stamps, aggregate: str) -> Answer:
        """One aggregate of each bin between neighbouring `edges` (ms)."""
        bins = self.bins(edges)
        values = binning.aggregated(bins, aggregate, self.shape)
        covered = None if self.shape is Shape.EVENTS else binning.coverage(bins)
        return Answer(of_aggregate(aggregate, self.unit), self.shape, edges[:-1], values, covered)

    def bins(self, edges: Stamps) -> Bins:
        """All that is known of each bin between neighbouring `edges` (ms)."""
        load = self._planned(int(edges[0]), int(edges[-1]))
        fine = _refined(edges, load.length)
        parts = [self._bins(group, load) for group in _groups(fine, load.length)]
        return binning.joined(binning.concatenated(parts), edges)

    def evaluation(self, start: int, end: int) -> Evaluation:
        """The formula with all that shapes it in [start, end) ms."""
        return Evaluation(self.bound.node, self._loader.load(start, end))

    def _planned(self, start: int, end: int) -> Load:
        load = plan(self.bound, start, end)
        load.check()
        return load

    def _bins(self, edges: Stamps, load: Load) -> Bins:
        start, end = int(edges[0]), int(edges[-1])
        if not load.reaches(start, end):
            return binning.nothing(edges)
        return binning.binned(self.evaluation(start, end), edges)


def _single(answer: Answer) -> Answer:
    """The one bin of an answer as a number."""
    assert answer.values is not None  # noqa: S101
    value = float(answer.values[0])
    return replace(answer, stamps=None, values=None, value=None if np.isnan(value) else value)


def _refuse_points(count: int, most: int, nearly: str = "") -> None:
    if count > most:
        raise TooMuchError(
            f"The range holds {nearly}{count} points; an answer without bins holds {MAX_POINTS} at most."
            " Shorten the range or add “every”."
        )


def _refined(edges: Stamps, longest: int) -> Stamps:
    """The same edges and more, so that no bin is longer than `longest` ms."""
    if np.diff(edges).max() <= longest:
        return edges
    cuts = [
        np.arange(begin, end, longest)
        for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
    return np.concatenate([*cuts, edges[-1:]])


def _groups(edges: Stamps, longest: int) -> Iterator[Stamps]:
    """Neighbouring edges, together at most `longest` ms unless a single bin is longer."""
    first, bins = 0, edges.size - 1
    while first < bins:
        within = int(np.searchsorted(edges, edges[first] + longest, "right")) - 1
        last = min(max(first + 1, within), bins)
        yield edges[first : last + 1]
        first = last
