"""Parts of a formula that no reading enters: what they amount to, and that it is finite."""

from __future__ import annotations

from math import isfinite

import numpy as np

from apps.analytics.formula.arithmetic import Quantity, combine, operate
from apps.analytics.formula.errors import FormulaError
from apps.analytics.formula.nodes import (
    AVG,
    CONSTANTS,
    Call,
    Chain,
    Constant,
    Events,
    Field,
    Item,
    Node,
    Number,
    children,
    start,
)


def constant(node: Node) -> float | None:
    """The value of a formula without series, events and items, None for one with any.

    The average of a constant is that constant. Raises FormulaError for a part, such as 1/0 or 9^9^9, that is
    not finite, in formulas with series as well.
    """
    with np.errstate(all="ignore"):
        value = _fold(node)
    return None if value is None else float(value)


def _fold(node: Node) -> Quantity | None:
    match node:
        case Number(value):
            return np.float64(value)
        case Constant(name):
            return np.float64(CONSTANTS[name])
        case Field() | Events() | Item():
            return None
        case Chain():
            return _fold_chain(node)
    operands = [_fold(child) for child in children(node)]
    known = [operand for operand in operands if operand is not None]
    if len(known) < len(operands):
        return None
    averaged = isinstance(node, Call) and node.function == AVG
    return known[0] if averaged else _checked(combine(node, known), node)


def _fold_chain(chain: Chain) -> Quantity | None:
    total = _fold(chain.first)
    for operator, operand in chain.rest:  # to the end: what follows a series may be infinite
        total = _joined(operator, total, _fold(operand), chain)
    return total


def _joined(operator: str, left: Quantity | None, right: Quantity | None, chain: Chain) -> Quantity | None:
    if left is None or right is None:
        return None
    return _checked(operate(operator, left, right), chain)


def _checked(value: Quantity, node: Node) -> Quantity:
    if not isfinite(value):
        raise FormulaError(
            "This part is not a finite number. It divides by zero, or grows beyond all measure.", start(node)
        )
    return value
