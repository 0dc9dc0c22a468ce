"""Why a formula gives what it gives: its value at an instant or in a bin, and that of everything it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from apps.analytics.evaluation import Stream
from apps.analytics.formula import Evaluation, Shape, binning, references, text
from apps.analytics.formula.evaluation import operands
from apps.analytics.formula.nodes import Call, Chain, Node, Number
from apps.analytics.inputs import Bound
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
    """Of an aggregate (of `binning.AGGREGATES`) over the bin [begin, end) ms. Raises as `evaluate` does."""
    edges = np.array([begin, end], np.int64)
    stream = Stream(bound)
    if stream.shape is Shape.NUMBER:
        return Explanation(begin, stream.number().value or 0.0, ())
    value = float(stream.binned(edges, aggregate).values[0])  # type: ignore[index]
    inputs = (_input_within(bound, leaf, edges, aggregate) for leaf in _leaves(bound.node))
    return Explanation(begin, value, tuple(inputs))


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
    stamps = [] if np.isnan(bins.first[0]) else sorted({int(bins.first[0]), int(bins.last[0])})
    covered = None if own.shape is Shape.EVENTS else float(binning.coverage(bins)[0])
    return Input(text(leaf), _sources(leaf), value, tuple(stamps), covered)


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
