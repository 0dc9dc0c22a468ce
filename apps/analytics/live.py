"""What formulas give just now, from the newest value of everything they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from apps.analytics.evaluation import Stream
from apps.analytics.formula import Field, Shape, measured, shape
from apps.analytics.formula.arithmetic import Quantity, compute
from apps.analytics.formula.evaluation import operands
from apps.analytics.formula.nodes import Call, Node
from apps.analytics.inputs import Bound
from apps.readings import store
from apps.readings.latest import Newest

Reading = tuple[int, float]
"""A stamp (ms) and a value."""


@dataclass(frozen=True)
class Live:
    """A value, None where it is missing, in `unit`; `stamp` (ms) is that of the oldest reading it comes from.

    A formula without series has no stamp, and one of events no value: those happen, and are not.
    """

    value: float | None
    stamp: int | None
    unit: str


def live(formulas: Mapping[str, Bound]) -> dict[str, Live]:
    """Each formula on the newest values, however old those are; one query unless there are averages.

    An average counts with its newest bin. Nothing is aligned: who shows a value shows the age of its `stamp`.
    """
    sources = {number for bound in formulas.values() for number in bound.source_ids}
    newest = store.latest(sources) if sources else {}
    return {name: _live(bound, newest) for name, bound in formulas.items()}


def _live(bound: Bound, newest: Mapping[int, Newest]) -> Live:
    unit = measured(bound.node, bound.specs).measure.unit
    if shape(bound.node) is Shape.EVENTS:
        return Live(None, None, unit)
    readings = {_key(leaf): _reading(leaf, bound, newest) for leaf in operands(bound.node)}
    if any(reading is None for reading in readings.values()):
        return Live(None, None, unit)
    known = {key: reading for key, reading in readings.items() if reading is not None}
    value = _compute(bound.node, {key: np.float64(value) for key, (_, value) in known.items()})
    oldest = min((stamp for stamp, _ in known.values()), default=None)
    return Live(None if np.isnan(value) else float(value), oldest, unit)


def _compute(node: Node, values: Mapping[Field | int, Quantity]) -> Quantity:
    def leaf(part: Node) -> Quantity:
        key = _key(part)
        if key not in values and isinstance(part, Call):
            return compute(part.arguments[0], leaf)  # the average of a number
        return values[key]

    return compute(node, leaf)


def _reading(leaf: Field | Call, bound: Bound, newest: Mapping[int, Newest]) -> Reading | None:
    if isinstance(leaf, Call):
        return _average(leaf, bound, newest)
    series = bound.series[leaf]
    stamp, value = newest[series.source_id].get(series.field, (0, None))
    return None if value is None or isinstance(value, str) else (stamp, float(value))


def _average(call: Call, bound: Bound, newest: Mapping[int, Newest]) -> Reading | None:
    """The newest bin of an average, as old as the newest reading in it that all of it comes from."""
    inner = [_reading(leaf, bound, newest) for leaf in operands(call.arguments[0])]
    stamps = [reading[0] for reading in inner if reading is not None]
    if not stamps or len(stamps) < len(inner):
        return None
    oldest = min(stamps)
    evaluation = Stream(replace(bound, node=call)).evaluation(oldest, oldest + 1)
    value = float(evaluation.at(np.array([oldest]))[0])
    return None if np.isnan(value) else (oldest, value)


def _key(leaf: Node) -> Field | int:
    return leaf if isinstance(leaf, Field) else id(leaf)
