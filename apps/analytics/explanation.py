"""Why a formula gives what it gives: its value at an instant or in a bin, and that of everything it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from apps.analytics.evaluation import INCREASE, Stream
from apps.analytics.formula import Evaluation, Shape, binning, references, text
from apps.analytics.formula.binning import Bins
from apps.analytics.formula.evaluation import operands
from apps.analytics.formula.nodes import Call, Chain, Field, Node, Number
from apps.analytics.increases import increases, registers
from apps.analytics.inputs import Bound
from apps.analytics.load import plan
from apps.readings.samples import Stamps


@dataclass(frozen=True)
class Input:
    """One thing that a formula reads: a series, an average, or events, as formulas write it (`text`).

    `stamps` (ms) are those of the readings its value comes from; in a bin the first and the last of them.
    `coverage` is the part of the bin, 0 to 1, over which it is defined; at an instant 1 or 0; None of
    events. NaN is missing.
    """

    text: str
    sources: tuple[str, ...]
    value: float
    stamps: tuple[int, ...]
    coverage: float | None


@dataclass(frozen=True)
class Explanation:
    """The value at `stamp` (ms), or in the bin that begins there, and what it comes from.

    With the inputs' values in place of their texts the formula gives `value`: at an instant always; in a bin
    where the formula only adds, subtracts and scales. Each input is taken over the time that all of them
    cover.
    """

    stamp: int
    value: float
    inputs: tuple[Input, ...]


def at(bound: Bound, stamp: int) -> Explanation:
    """At an instant (ms); of events at those that happened then."""
    stream = Stream(bound)
    if stream.shape is not Shape.SIGNAL:
        return within(bound, stamp, stamp + 1, "mean")
    evaluation = stream.evaluation(stamp, stamp + 1)
    return Explanation(stamp, _value(evaluation, stamp), tuple(_inputs_at(evaluation, stamp)))


def within(bound: Bound, begin: int, end: int, aggregate: str) -> Explanation:
    """Of an aggregate (of AGGREGATES) over the bin [begin, end) ms. Raises as `evaluate` does."""
    edges = np.array([begin, end], np.int64)
    stream = Stream(bound)
    if stream.shape is Shape.NUMBER:
        return Explanation(begin, stream.number().value or 0.0, ())
    leaves = _leaves(bound.node)
    if aggregate == INCREASE:
        return _of_registers(bound, begin, end)
    plan(bound, begin, end).check(times=1 + 2 * len(leaves))
    value = float(stream.binned(edges, aggregate).values[0])  # type: ignore[index]
    return Explanation(begin, value, tuple(_input_within(bound, leaf, edges, aggregate) for leaf in leaves))


def _of_registers(bound: Bound, begin: int, end: int) -> Explanation:
    value = increases(bound, start=begin, end=end)[1]
    fields = registers(bound)
    return Explanation(begin, float(value[0]), tuple(_register(bound, one, begin, end) for one in fields))


def _register(bound: Bound, field: Field, begin: int, end: int) -> Input:
    own = replace(bound, node=field)
    _, (value,), (covered,) = increases(own, start=begin, end=end)
    bins = Stream(own).bins(np.array([begin, end], np.int64))
    return Input(text(field), (field.source,), float(value), _first_and_last(bins), float(covered))


def _inputs_at(evaluation: Evaluation, stamp: int) -> Iterator[Input]:
    for leaf, signal in evaluation.leaves:
        value = float(signal.at(np.array([stamp]))[0])
        stamps = signal.used(stamp)
        if isinstance(leaf, Call) and stamps:
            stamps = _averaged(evaluation, leaf, stamps[0], signal.max_gap)
        yield Input(text(leaf), _sources(leaf), value, tuple(stamps), 0.0 if np.isnan(value) else 1.0)


def _averaged(evaluation: Evaluation, call: Call, start: int, lasting: int) -> list[int]:
    """The first and the last stamp of what is averaged in the bin that begins at `start`."""
    inner = evaluation.of(call.arguments[0]).points(start, start + lasting).present().stamps
    return sorted({int(inner[0]), int(inner[-1])})


def _input_within(bound: Bound, leaf: Node, edges: Stamps, aggregate: str) -> Input:
    own = Stream(replace(bound, node=leaf))
    common = Stream(replace(bound, node=_where(leaf, bound.node)))
    bins = own.bins(edges)
    value = float(binning.aggregated(common.bins(edges), aggregate, own.shape)[0])
    covered = None if own.shape is Shape.EVENTS else float(binning.coverage(bins)[0])
    return Input(text(leaf), _sources(leaf), value, _first_and_last(bins), covered)


def _first_and_last(bins: Bins) -> tuple[int, ...]:
    if np.isnan(bins.first[0]):
        return ()
    return tuple(sorted({int(bins.first[0]), int(bins.last[0])}))


def _where(leaf: Node, whole: Node) -> Node:
    """`leaf`, missing wherever `whole` is."""
    return Chain(leaf, (("+", Chain(Number(0.0), (("*", whole),))),))


def _leaves(node: Node) -> list[Node]:
    """The series, averages and events of an expression, each once."""
    parts: list[Node] = [*operands(node)]
    if not parts:
        parts = [*references(node).events]
    return list({text(part): part for part in parts}.values())


def _sources(leaf: Node) -> tuple[str, ...]:
    found = references(leaf)
    return tuple(sorted(found.sources))


def _value(evaluation: Evaluation, stamp: int) -> float:
    return float(evaluation.at(np.array([stamp]))[0])
