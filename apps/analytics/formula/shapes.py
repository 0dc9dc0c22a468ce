"""What a formula gives: one number, a signal over time, or values at events."""

from __future__ import annotations

from enum import Enum

from apps.analytics.formula.errors import FormulaError
from apps.analytics.formula.nodes import AVG, Call, Events, Field, Item, Leaf, Node, children, start


class Shape(Enum):
    NUMBER = "number"
    SIGNAL = "signal"
    EVENTS = "events"


def shape(node: Node) -> Shape:
    """What an expanded formula gives.

    Raises FormulaError where events meet signals other than through `avg`. An item not written out counts as
    a signal.
    """
    return _Visit().of(node)


class _Visit:
    def __init__(self) -> None:
        self._known: dict[int, Shape] = {}

    def of(self, node: Node) -> Shape:
        if isinstance(node, Leaf):
            return _of_leaf(node)
        if id(node) not in self._known:
            self._known[id(node)] = self._compute(node)
        return self._known[id(node)]

    def _compute(self, node: Node) -> Shape:
        if isinstance(node, Call) and node.function == AVG:
            averaged = self.of(node.arguments[0])
            return Shape.SIGNAL if averaged is Shape.EVENTS else averaged
        total = Shape.NUMBER
        for child in children(node):
            total = _joined(total, self.of(child), child)
        return total


def _of_leaf(leaf: Leaf) -> Shape:
    match leaf:
        case Events():
            return Shape.EVENTS
        case Field() | Item():
            return Shape.SIGNAL
    return Shape.NUMBER


def _joined(one: Shape, other: Shape, node: Node) -> Shape:
    if Shape.NUMBER in (one, other):
        return other if one is Shape.NUMBER else one
    if one is not other:
        raise FormulaError(
            "Events happen at instants and meet no readings there: put avg(…, period) around the events.",
            start(node),
        )
    return one
