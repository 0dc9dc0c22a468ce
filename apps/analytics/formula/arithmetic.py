"""What operators and functions do to numbers and to arrays of them. NaN is missing, and stays so.

Whatever is not finite is missing: a quotient by zero, an exponential too large, a root of less than nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import cast

import numpy as np
from numpy.typing import NDArray

from apps.analytics.formula.nodes import (
    CONSTANTS,
    Branch,
    Call,
    Chain,
    Constant,
    Negative,
    Node,
    Number,
    Power,
    children,
)

_Array = NDArray[np.float64]
Quantity = _Array | np.float64
"""A number, or an array with one for each stamp."""


def compute(node: Node, leaf: Callable[[Node], Quantity], out: _Array | None = None) -> Quantity:
    """The value of `node`, where `leaf` gives those of series, events, items and averages; in `out` if given.

    Elementwise: arrays that leaves give must have one shape, which the answer has as well; it is a plain
    number where there is no such leaf. Parts that items share are computed once.
    """
    with np.errstate(all="ignore"):
        value = _finite(_Computation(leaf).of(node))
        return cast(Quantity, np.add(value, 0.0, out=out))  # -0.0 is 0.0 to people


def combine(node: Branch, operands: Sequence[Quantity]) -> Quantity:
    """The value of a node from those of its `children`."""
    match node:
        case Negative():
            return np.negative(operands[0])
        case Power():
            return _raised(*operands)
        case Call(function):
            return _FUNCTIONS[function](operands[0])
    total = operands[0]
    for (operator, _), operand in zip(node.rest, operands[1:], strict=True):
        total = operate(operator, total, operand)
    return total


def operate(operator: str, left: Quantity, right: Quantity, out: _Array | None = None) -> Quantity:
    """`left` and `right` with one of + - * / between them; in `out`, which may be either, if given."""
    return _OPERATORS[operator](left, right, out)


class _Computation:
    def __init__(self, leaf: Callable[[Node], Quantity]) -> None:
        self._leaf = leaf
        self._known: dict[int, Quantity] = {}

    def of(self, node: Node) -> Quantity:
        match node:
            case Number(value):
                return np.float64(value)
            case Constant(name):
                return np.float64(CONSTANTS[name])
        if id(node) not in self._known:
            self._known[id(node)] = self._compute(node)
        return self._known[id(node)]

    def _compute(self, node: Node) -> Quantity:
        if isinstance(node, Negative | Power) or (isinstance(node, Call) and node.function in _FUNCTIONS):
            return combine(node, [self.of(child) for child in children(node)])
        if not isinstance(node, Chain):
            return self._leaf(node)
        total, own = self.of(node.first), None
        for operator, operand in node.rest:  # of a long chain only the total is kept
            total = operate(operator, total, self.of(operand), own)
            own = total if isinstance(total, np.ndarray) else None
        return total


def _divided(left: Quantity, right: Quantity, out: _Array | None = None) -> Quantity:
    # Nothing becomes infinite by a divisor such as 1000; what was so is found in the end, as after a product.
    if isinstance(right, np.float64) and np.isfinite(right) and abs(right) >= 1:
        return np.divide(left, right, out=out)
    return _finite(np.divide(left, _finite(right), out=out))


def _raised(base: Quantity, exponent: Quantity) -> Quantity:
    # To numpy what is missing to the power of 0 is 1, and so is 1 to the power of what is missing.
    missing = ~(np.isfinite(base) & np.isfinite(exponent))
    return _finite(np.where(missing, np.nan, np.power(base, exponent)))


def _finite(values: Quantity) -> Quantity:
    """`values` with what is not finite missing: before what would make a number of it again, and after."""
    if np.isfinite(values).all():
        return values
    return cast(Quantity, np.where(np.isfinite(values), values, np.nan)[()])


_OPERATORS: Mapping[str, Callable[[Quantity, Quantity, _Array | None], Quantity]] = MappingProxyType(
    {"+": np.add, "-": np.subtract, "*": np.multiply, "/": _divided}
)
_FUNCTIONS: Mapping[str, Callable[[Quantity], Quantity]] = MappingProxyType(
    {
        "sin": np.sin,
        "cos": np.cos,
        "tan": np.tan,
        "abs": np.abs,
        "exp": lambda values: _finite(np.exp(_finite(values))),
        "pos": lambda values: np.maximum(_finite(values), 0.0),
        "neg": lambda values: np.minimum(_finite(values), 0.0),
    }
)
