"""What a formula measures, and where it mixes what does not belong together. Nothing is ever rescaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log10

from apps.analytics.formula.constants import constant
from apps.analytics.formula.nodes import Call, Chain, Field, Leaf, Negative, Node, Power, children, start
from apps.analytics.formula.specs import Spec, Specs

_PREFIXES = {"n": -9, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12}
_LETTERS = {exponent: prefix for prefix, exponent in _PREFIXES.items()}
_SCALABLE = {"W", "Wh", "VA", "VAh", "var", "varh", "V", "A", "J", "Hz", "g"}
_KEEPS = {"abs", "pos", "neg", "avg"}


@dataclass(frozen=True)
class Measure:
    """A quantity such as `power` and its unit, empty where not known; `plain` for a number without any."""

    quantity: str = ""
    unit: str = ""
    plain: bool = False


@dataclass(frozen=True)
class Warning:  # noqa: A001  it is one
    """What is odd about a formula, and the column of the part it concerns. Saving is allowed."""

    message: str
    column: int


@dataclass(frozen=True)
class Measured:
    """What a whole formula measures, as far as its series tell, and what to warn of."""

    measure: Measure
    warnings: tuple[Warning, ...]


PLAIN = Measure(plain=True)
UNKNOWN = Measure()


def measured(node: Node, specs: Specs) -> Measured:
    """Follow the units of an expanded formula through its operations.

    Adding what differs in quantity or in unit is warned of. A factor of 1000, a million and so on moves the
    prefix: W/1000 is kW. Products and quotients of two measured things are not named, like powers; a
    quotient of equal units is a plain number.
    """
    visit = _Visit(specs)
    measure = visit.of(node)
    return Measured(measure, tuple(dict.fromkeys(visit.warnings)))


class _Visit:
    def __init__(self, specs: Specs) -> None:
        self._specs = specs
        self._known: dict[int, Measure] = {}
        self.warnings: list[Warning] = []

    def of(self, node: Node) -> Measure:
        if isinstance(node, Leaf):
            return self._leaf(node)
        if id(node) not in self._known:
            self._known[id(node)] = self._compute(node)
        return self._known[id(node)]

    def _leaf(self, leaf: Leaf) -> Measure:
        if isinstance(leaf, Field):
            spec = self._specs.get(leaf, Spec())
            return Measure(spec.quantity, spec.unit)
        return PLAIN if constant(leaf) is not None else UNKNOWN

    def _compute(self, node: Node) -> Measure:
        parts = [self.of(child) for child in children(node)]
        match node:
            case Negative():
                return parts[0]
            case Call(function):
                return parts[0] if function in _KEEPS else PLAIN
            case Power():
                return PLAIN if all(part.plain for part in parts) else UNKNOWN
            case Chain(rest=((("*" | "/"), _), *_)):
                return _product(node, parts)
        return self._sum(node, parts)

    def _sum(self, node: Node, parts: Sequence[Measure]) -> Measure:
        known = [(part, child) for part, child in zip(parts, children(node), strict=True) if not part.plain]
        if not known:
            return PLAIN
        first, _ = known[0]
        for part, child in known[1:]:
            if text := _difference(first, part):
                self.warnings.append(Warning(text, start(child)))
            first = Measure(first.quantity or part.quantity, first.unit or part.unit)
        return first


def _difference(one: Measure, other: Measure) -> str | None:
    if one.quantity and other.quantity and one.quantity != other.quantity:
        return f"This adds {one.quantity} and {other.quantity}."
    if not one.unit or not other.unit or one.unit == other.unit:
        return None
    if _split(one.unit)[1] == _split(other.unit)[1]:
        return f"This adds {one.unit} and {other.unit}, and nothing is rescaled: write in a factor."
    return f"This adds {one.unit} and {other.unit}."


def _product(chain: Chain, parts: Sequence[Measure]) -> Measure:
    above: list[Measure] = []
    below: list[Measure] = []
    factor = 1.0
    signs = ("*", *(operator for operator, _ in chain.rest))
    for operator, part, child in zip(signs, parts, children(chain), strict=True):
        if not part.plain:
            (above if operator == "*" else below).append(part)
        elif value := constant(child):
            factor = factor * value if operator == "*" else factor / value
    if not above and not below:
        return PLAIN
    if len(above) == len(below) == 1 and above == below and above[0].unit:
        return PLAIN
    return _scaled(above[0], factor) if len(above) == 1 and not below else UNKNOWN


def _scaled(measure: Measure, factor: float) -> Measure:
    """What a value times `factor` is in: the factor 0.001 makes kW of W, and 0.9 leaves W what it is."""
    exponent, base = _split(measure.unit)
    moved = -log10(abs(factor))
    if base not in _SCALABLE or moved != round(moved) or round(moved) % 3:
        return measure
    prefix = _LETTERS.get(exponent + round(moved))
    return replace(measure, unit="" if prefix is None else prefix + base)


def _split(unit: str) -> tuple[int, str]:
    """The exponent of a unit's prefix and what it stands before."""
    if unit not in _SCALABLE and unit[1:] in _SCALABLE and unit[0] in _PREFIXES:
        return _PREFIXES[unit[0]], unit[1:]
    return 0, unit
