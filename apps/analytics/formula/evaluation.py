"""A formula over what was loaded of its series and events.

A pointwise expression, one without `avg` around it, is evaluated once over all its leaves: at the union of
their stamps, or over the pieces of time between the instants at which any of them begins or ends. So neither
order nor grouping matters. An average is the arithmetic mean of the samples of what it averages, in bins
aligned to the epoch, and to what is around it a leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from apps.analytics.formula.arithmetic import Quantity, compute
from apps.analytics.formula.nodes import AVG, Call, Events, Field, Node, children
from apps.analytics.formula.periods import period
from apps.analytics.formula.references import references
from apps.analytics.formula.shapes import Shape, shape
from apps.analytics.formula.signals import Signal, Sparse, between, breakpoints, union
from apps.readings import integration
from apps.readings.integration import Stretches
from apps.readings.samples import Stamps, Values

BLOCK = 1 << 16
"""Stamps worked on at once, so that what lies between two operations stays in the processor's cache."""

_At = Callable[[Signal, slice], NDArray[np.float64]]
EARLIEST, LATEST = -(1 << 62), 1 << 62


@dataclass(frozen=True, eq=False)
class Inputs:
    """What was loaded for the leaves of a formula."""

    signals: Mapping[Field, Signal] = field(default_factory=dict)
    events: Mapping[Events, Sparse] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Points:
    """Values (n,) at stamps (n,) ms, in order; NaN is missing. Of events several may share a stamp."""

    stamps: Stamps
    values: Values

    def __len__(self) -> int:
        return self.stamps.size

    def present(self) -> Points:
        """Those that are not missing."""
        some = ~np.isnan(self.values)
        return self if some.all() else Points(self.stamps[some], self.values[some])


@dataclass(frozen=True, eq=False)
class Kept:
    """A result as a series that gives the same integrals.

    A gauge with its `max_gap` (ms), or intervals with their `lengths` (ms before the stamp). Nothing is
    missing.
    """

    kind: str
    points: Points
    max_gap: int
    lengths: Values | None = None


class Evaluation:
    """An expanded formula over its `inputs`, of a kind that `shape` tells.

    `inputs` holds every series and events leaf of the formula, loaded as far around the range that will be
    asked for as `reach` says. Raises FormulaError where events meet signals, and KeyError for a leaf that is
    not among the inputs.
    """

    def __init__(self, node: Node, inputs: Inputs) -> None:
        self.node = node
        self.shape = shape(node)
        self._inputs = inputs

    def points(self, start: int = EARLIEST, end: int = LATEST, *, consume: bool = False) -> Points:
        """The values at the union of the leaves' stamps within [start, end) ms, the missing ones included.

        For who says `consume` and asks nothing else afterwards, the values may stand in the memory of an
        input: fresh memory costs as much as several operations.
        """
        if self.shape is Shape.EVENTS:
            return _cut(_at_events(self.node, self._inputs), start, end)
        clocks = {id(signal.stamps): signal.stamps for signal in self._signals.values()}
        if len(clocks) == 1:
            return self._on_clock(next(iter(clocks.values())), start, end, consume)
        stamps = union(clock[between(clock, start, end)] for clock in clocks.values())
        return Points(stamps, self.at(stamps))

    def of(self, part: Node) -> Evaluation:
        """A part of the formula over the same inputs."""
        return Evaluation(part, self._inputs)

    def at(self, stamps: Stamps) -> Values:
        """The values of a signal at any increasing `stamps` (m,) ms; NaN where it is not defined."""
        values = np.empty(stamps.size)
        self._over(values, lambda signal, part: signal.at(stamps[part]))
        return values

    @property
    def leaves(self) -> list[tuple[Field | Call, Signal]]:
        """Its series and averages, each once, as signals."""
        nodes = {_key(leaf): leaf for leaf in operands(self.node)}
        return [(nodes[key], signal) for key, signal in self._signals.items()]

    @cached_property
    def stretches(self) -> Stretches:
        """Where the result of a signal formula is defined; it runs straight within each stretch."""
        kinds = {signal.kind for signal in self._signals.values()}
        if kinds == {"gauge"}:
            return self._lines()
        if kinds == {"interval"} and self._share_intervals():
            return self._intervals()
        return self._pieces()

    @property
    def max_gap(self) -> int:
        """How far apart (ms) the samples of a result may be that is a gauge."""
        return min(signal.max_gap for signal in self._signals.values())

    def kept(self, start: int, end: int) -> Kept:
        """The result stamped within [start, end) ms, for keeping it as a series; only of signals."""
        if all(signal.kind == "gauge" for signal in self._signals.values()):
            return Kept("gauge", self.points(start, end).present(), self.max_gap)
        own = self.stretches
        part = between(own.ends, start, end)
        points = Points(own.ends[part], (own.first[part] + own.last[part]) / 2)
        return Kept("interval", points, self.max_gap, (own.ends[part] - own.begins[part]).astype(np.float64))

    @property
    def end(self) -> int:
        """After which (ms) nothing is defined: the newest sample of the signal that ends first."""
        return min(signal.end for signal in self._signals.values())

    @cached_property
    def _signals(self) -> dict[Field | int, Signal]:
        """What the expression is made of: series by field, averages by the identity of their node."""
        return {_key(leaf): self._signal(leaf) for leaf in operands(self.node)}

    def _signal(self, leaf: Field | Call) -> Signal:
        if isinstance(leaf, Call):
            return _averaged(leaf, self.of(leaf.arguments[0]))
        return self._inputs.signals[leaf]

    def _on_clock(self, clock: Stamps, start: int, end: int, consume: bool) -> Points:
        inside = between(clock, start, end)
        held = {id(signal): signal.values[inside] for signal in self._signals.values()}
        values = next(iter(held.values())) if consume else np.empty(inside.stop - inside.start)
        self._over(values, lambda signal, part: held[id(signal)][part])
        return Points(clock[inside], values)

    def _over(self, values: Values, at: _At) -> None:
        """Fill in all `values`, where `at` tells those of each signal in a part of them."""
        for part in _blocks(values.size):
            self._compute(part, at, values[part])

    def _compute(self, part: slice, at: _At, out: NDArray[np.float64]) -> None:
        known: dict[Field | int, Quantity] = {}

        def leaf(node: Node) -> Quantity:
            key = _key(node)
            if key not in self._signals:
                return _average_of_number(node, leaf)
            if key not in known:
                known[key] = at(self._signals[key], part)
            return known[key]

        compute(self.node, leaf, out)

    def _lines(self) -> Stretches:
        """Of gauges alone: lines between neighbouring points.

        What lies in a gap of a leaf is longer than its `max_gap`, or ends within the gap, where it is
        missing.
        """
        points = self.points()
        lines = integration.stretches("gauge", points.stamps, points.values, max_gap=self.max_gap)
        return _defined(lines)

    def _share_intervals(self) -> bool:
        first, *others = self._signals.values()
        return all(
            other.stamps is first.stamps and np.array_equal(other.begins, first.begins) for other in others
        )

    def _intervals(self) -> Stretches:
        signal = next(iter(self._signals.values()))
        points = self.points()
        some = signal.begins < points.stamps
        values = points.values[some]
        return _defined(Stretches(signal.begins[some], points.stamps[some], values, values))

    def _pieces(self) -> Stretches:
        bounds = breakpoints(list(self._signals.values()))
        begins, ends = bounds[:-1], bounds[1:]
        sides = np.empty((2, begins.size))
        for part in _blocks(begins.size):
            self._compute(part, lambda signal, part: signal.over(begins[part], ends[part]), sides[:, part])
        return _defined(Stretches(begins, ends, sides[0], sides[1]))


def _averaged(call: Call, inner: Evaluation) -> Signal:
    lasting = period(call)
    points = inner.points().present()
    numbers = points.stamps // lasting  # rounded down before 1970, too
    begins = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
    starts = numbers[begins] * lasting
    counts = np.diff(begins, append=len(points))
    means = np.add.reduceat(points.values, begins) / counts if len(points) else np.empty(0)
    return Signal("bin", starts, means, lasting, newest=_newest(inner, starts, lasting))


def _newest(inner: Evaluation, starts: Stamps, lasting: int) -> int | None:
    """Events speak for all of their bin; signals for no time after the newest sample of any."""
    if inner.shape is Shape.EVENTS:
        return int(starts[-1]) + lasting if starts.size else None
    return inner.end


def _at_events(node: Node, inputs: Inputs) -> Points:
    own = {leaf: inputs.events[leaf] for leaf in references(node).events}
    keys = sorted({key for leaf in own.values() for key in _places(leaf)})
    places = {key: place for place, key in enumerate(keys)}
    spread = {leaf: _spread(sparse, places) for leaf, sparse in own.items()}
    stamps = np.array([stamp for stamp, _ in keys], np.int64)

    def value(leaf: Node) -> Quantity:
        return spread[leaf] if isinstance(leaf, Events) else _average_of_number(leaf, value)

    return Points(stamps, np.asarray(compute(node, value)))


def _places(sparse: Sparse) -> list[tuple[int, int]]:
    return list(zip(sparse.stamps.tolist(), sparse.ordinals.tolist(), strict=True))


def _spread(sparse: Sparse, places: Mapping[tuple[int, int], int]) -> Values:
    values = np.full(len(places), np.nan)
    values[[places[key] for key in _places(sparse)]] = sparse.values
    return values


def _cut(points: Points, start: int, end: int) -> Points:
    part = between(points.stamps, start, end)
    return Points(points.stamps[part], points.values[part])


def _defined(stretches: Stretches) -> Stretches:
    some = ~np.isnan(stretches.first + stretches.last)
    if some.all():
        return stretches
    return Stretches(
        stretches.begins[some], stretches.ends[some], stretches.first[some], stretches.last[some]
    )


def _blocks(count: int) -> list[slice]:
    return [slice(first, min(first + BLOCK, count)) for first in range(0, count, BLOCK)]


def _key(leaf: Node) -> Field | int:
    return leaf if isinstance(leaf, Field) else id(leaf)


def _average_of_number(node: Node, leaf: Callable[[Node], Quantity]) -> Quantity:
    """An average that no reading enters is what it averages."""
    return compute(children(node)[0], leaf)


def operands(node: Node) -> Iterator[Field | Call]:
    """The signals of a pointwise expression: its series, and its averages as wholes; shared parts once."""
    seen: set[int] = set()
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if id(current) in seen or ((is_average := _is_average(current)) and shape(current) is Shape.NUMBER):
            continue
        seen.add(id(current))
        if isinstance(current, Field) or (isinstance(current, Call) and is_average):
            yield current
        else:
            waiting.extend(reversed(children(current)))


def _is_average(node: Node) -> bool:
    return isinstance(node, Call) and node.function == AVG
