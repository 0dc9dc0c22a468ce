"""Writing out the items that a formula names, down to series and events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from apps.analytics.formula.constants import constant
from apps.analytics.formula.errors import FormulaError
from apps.analytics.formula.nodes import (
    MAX_DEPTH,
    Call,
    Chain,
    Item,
    Leaf,
    Negative,
    Node,
    Power,
    depth,
    size,
)
from apps.analytics.formula.references import leaves

MAX_SIZE = 20_000
"""Nodes of a formula with all its items written out."""

_Trail = tuple[str, Iterator[Item]]


def expand(node: Node, items: Mapping[str, Node]) -> Node:
    """`node` with each `analytics.x` replaced by the formula of x, as if that stood there in brackets.

    `items` holds the formulas of the house by name, as parsed. What several items name is shared, not
    repeated. Raises FormulaError for an item that does not exist, for items that reach themselves over
    however many others, and where the whole becomes too large or too deep. The column is that of the item in
    `node`.
    """
    whole: dict[str, Node] = {}
    for item in _items(node):
        try:
            for name in _in_order(item.name, items, whole):
                whole[name] = _bounded(_replaced(items[name], whole))
        except FormulaError as error:
            raise FormulaError(error.message, item.column) from None
    expanded = _bounded(_replaced(node, whole))
    constant(expanded)  # refuses what becomes infinite only together
    return expanded


def cycle(name: str, items: Mapping[str, Node]) -> list[str] | None:
    """The items from `name` round to itself, if it reaches itself: ["a", "b", "a"]. None if not."""
    trail: list[_Trail] = [(name, _known_items(items[name], items))]
    seen: set[str] = set()
    while trail:
        following = next(trail[-1][1], None)
        if following is None:
            trail.pop()
        elif following.name == name:
            return [*(one for one, _ in trail), name]
        elif following.name not in seen:
            seen.add(following.name)
            trail.append((following.name, _known_items(items[following.name], items)))
    return None


def _known_items(node: Node, items: Mapping[str, Node]) -> Iterator[Item]:
    return (item for item in _items(node) if item.name in items)


def _in_order(name: str, items: Mapping[str, Node], done: Mapping[str, Node]) -> Iterator[str]:
    """The names not yet in `done` that `name` reaches, and itself: each after all that it names."""
    trail: list[_Trail] = []
    on_trail: dict[str, None] = {}
    following: str | None = name
    while True:
        if following is not None and following not in done:
            _check(following, on_trail, items)
            on_trail[following] = None
            trail.append((following, _items(items[following])))
        if not trail:
            return
        item = next(trail[-1][1], None)
        following = item.name if item else None
        if item is None:
            finished, _ = trail.pop()
            del on_trail[finished]
            yield finished


def _check(name: str, on_trail: Mapping[str, None], items: Mapping[str, Node]) -> None:
    if name not in items:
        by = f", which analytics.{list(on_trail)[-1]} names" if on_trail else ""
        raise FormulaError(f"This house has no analytics item “{name}”{by}.")
    if name in on_trail:
        names = list(on_trail)
        raise FormulaError(f"Items go round in a circle: {_way([*names[names.index(name) :], name])}.")


def _way(names: list[str]) -> str:
    if len(names) > 8:
        names = [*names[:4], "…", *names[-3:]]
    return " → ".join(names)


def _items(node: Node) -> Iterator[Item]:
    return (leaf for leaf in leaves(node) if isinstance(leaf, Item))


def _replaced(node: Node, whole: Mapping[str, Node]) -> Node:
    if isinstance(node, Item):
        return whole[node.name]
    if isinstance(node, Leaf):
        return node
    match node:
        case Negative(operand):
            return Negative(_replaced(operand, whole))
        case Power(base, exponent):
            return Power(_replaced(base, whole), _replaced(exponent, whole))
        case Chain(first, rest):
            return Chain(
                _replaced(first, whole), tuple((sign, _replaced(operand, whole)) for sign, operand in rest)
            )
        case Call(arguments=arguments):
            return replace(node, arguments=tuple(_replaced(one, whole) for one in arguments))


def _bounded(node: Node) -> Node:
    if size(node) > MAX_SIZE:
        raise FormulaError(
            f"With its items written out the formula has {size(node)} parts; {MAX_SIZE} is the most."
        )
    if depth(node) > MAX_DEPTH:
        raise FormulaError(
            f"With its items written out the formula is nested too deep: {MAX_DEPTH} levels is the most."
        )
    return node
