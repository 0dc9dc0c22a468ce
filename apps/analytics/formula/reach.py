"""How far around an instant a formula looks."""

from __future__ import annotations

from dataclasses import dataclass

from apps.analytics.formula.nodes import AVG, Call, Field, Leaf, Node, children
from apps.analytics.formula.periods import period
from apps.analytics.formula.specs import Spec, Specs
from apps.readings import integration

DAY_MS = 86_400_000


@dataclass(frozen=True)
class Reach:
    """How far (ms) before and after an instant readings and events still shape the result there."""

    before: int = 0
    after: int = 0

    @property
    def days_before(self) -> int:
        """How many UTC days before its own a day of the result depends on."""
        return -(-self.before // DAY_MS)

    @property
    def days_after(self) -> int:
        """How many UTC days after its own a day of the result depends on."""
        return -(-self.after // DAY_MS)


def reach(node: Node, specs: Specs) -> Reach:
    """The reach of an expanded formula; a series without a spec is taken for a gauge of unknown cadence.

    A gauge looks as far as its `max_gap`, an interval as far as one may last, an average to the ends of its
    bin. A bin of a result looks that far from its own ends.
    """
    return _Visit(specs).of(node)


class _Visit:
    def __init__(self, specs: Specs) -> None:
        self._specs = specs
        self._known: dict[int, Reach] = {}

    def of(self, node: Node) -> Reach:
        if isinstance(node, Field):
            return _of_series(self._specs.get(node, Spec()))
        if isinstance(node, Leaf):
            return Reach()
        if id(node) not in self._known:
            self._known[id(node)] = self._compute(node)
        return self._known[id(node)]

    def _compute(self, node: Node) -> Reach:
        parts = [self.of(child) for child in children(node)]
        widest = Reach(max(part.before for part in parts), max(part.after for part in parts))
        if not isinstance(node, Call) or node.function != AVG:
            return widest
        lasting = period(node)
        return Reach(widest.before + lasting, widest.after + lasting)


def _of_series(spec: Spec) -> Reach:
    return Reach(*integration.reach(spec.behaves, max_gap=spec.max_gap))
