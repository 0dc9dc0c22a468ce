"""Formulas that only add, subtract and scale series: what they advance by follows from their series."""

from __future__ import annotations

from collections.abc import Mapping

from apps.analytics.formula.constants import constant
from apps.analytics.formula.nodes import Chain, Field, Negative, Node

Factors = Mapping[Field, float]


def factors(node: Node) -> Factors | None:
    """By what an expanded formula multiplies each of its series; None for one that does more than add and
    scale.

    What is constant is added in vain, as it never advances.
    """
    if constant(node) is not None:
        return {}
    match node:
        case Field():
            return {node: 1.0}
        case Negative(operand):
            return _scaled(factors(operand), -1.0)
        case Chain(rest=((("+" | "-"), _), *_)):
            return _sum(node)
        case Chain():
            return _product(node)
    return None


def _sum(chain: Chain) -> Factors | None:
    total: dict[Field, float] = {}
    for sign, term in (("+", chain.first), *chain.rest):
        own = _scaled(factors(term), 1.0 if sign == "+" else -1.0)
        if own is None:
            return None
        for field, factor in own.items():
            total[field] = total.get(field, 0.0) + factor
    return total


def _product(chain: Chain) -> Factors | None:
    scale = 1.0
    own: Node | None = None
    for operator, part in (("*", chain.first), *chain.rest):
        value = constant(part)
        if value is None and (own is not None or operator == "/"):
            return None
        if value == 0 and operator == "/":
            return None
        if value is not None:
            scale = scale * value if operator == "*" else scale / value
        else:
            own = part
    return None if own is None else _scaled(factors(own), scale)


def _scaled(own: Factors | None, scale: float) -> Factors | None:
    return None if own is None else {field: factor * scale for field, factor in own.items()}
