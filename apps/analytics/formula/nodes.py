"""What a formula is made of: trees of frozen nodes, equal when they mean the same.

A leaf knows the column (from 1) it was written at; columns do not count in comparisons. `depth` and `size` of
a node are kept with it, so that a tree that items share parts of can be measured without walking it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from math import e, pi
from types import MappingProxyType

CONSTANTS: Mapping[str, float] = MappingProxyType({"PI": pi, "E": e})
ARITY: Mapping[str, int] = MappingProxyType(
    {"sin": 1, "cos": 1, "tan": 1, "abs": 1, "exp": 1, "pos": 1, "neg": 1, "avg": 2}
)
"""The functions, and how many arguments each takes."""

AVG = "avg"

MAX_DEPTH = 100
"""How deep brackets may be nested, and how many nodes the longest way down a formula may hold."""


@dataclass(frozen=True)
class Number:
    """A number as written; never negative."""

    value: float
    column: int = dataclasses.field(default=1, compare=False, repr=False)


@dataclass(frozen=True)
class Constant:
    """PI or E."""

    name: str
    column: int = dataclasses.field(default=1, compare=False, repr=False)


@dataclass(frozen=True)
class Field:
    """A field of a source: `egauge.A.Solar` is field `A.Solar` of source `egauge`."""

    source: str
    field: str
    column: int = dataclasses.field(default=1, compare=False, repr=False)


@dataclass(frozen=True)
class Item:
    """Another formula by its name: `analytics.<name>`."""

    name: str
    column: int = dataclasses.field(default=1, compare=False, repr=False)


@dataclass(frozen=True)
class Events:
    """Events of some sources (none named: of all) and types (likewise).

    Each counts as 1, or with a `path` as what its data holds there.
    """

    sources: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    column: int = dataclasses.field(default=1, compare=False, repr=False)


@dataclass(frozen=True)
class Negative:
    """Unary minus."""

    operand: Node

    def __post_init__(self) -> None:
        _measure(self, self.operand)


@dataclass(frozen=True)
class Chain:
    """Terms with `+` and `-` between them, or factors with `*` and `/`, taken from left to right."""

    first: Node
    rest: tuple[tuple[str, Node], ...]

    def __post_init__(self) -> None:
        _measure(self, self.first, *(node for _, node in self.rest))


@dataclass(frozen=True)
class Power:
    """`base ^ exponent`."""

    base: Node
    exponent: Node

    def __post_init__(self) -> None:
        _measure(self, self.base, self.exponent)


@dataclass(frozen=True)
class Call:
    """A function of ARITY with its arguments."""

    function: str
    arguments: tuple[Node, ...]
    column: int = dataclasses.field(default=1, compare=False, repr=False)

    def __post_init__(self) -> None:
        _measure(self, *self.arguments)


Leaf = Number | Constant | Field | Item | Events
Branch = Negative | Chain | Power | Call
Node = Leaf | Branch


def depth(node: Node) -> int:
    """How many nodes the longest way down holds; a leaf has 1."""
    return int(getattr(node, "_depth", 1))


def size(node: Node) -> int:
    """How many nodes the tree holds, those in shared parts counted wherever they appear."""
    return int(getattr(node, "_size", 1))


def children(node: Node) -> tuple[Node, ...]:
    """What a node works on, from left to right."""
    match node:
        case Negative(operand):
            return (operand,)
        case Chain(first, rest):
            return (first, *(operand for _, operand in rest))
        case Power(base, exponent):
            return (base, exponent)
        case Call(arguments=arguments):
            return arguments
    return ()


def start(node: Node) -> int:
    """The column at which the first leaf or function of the node stands."""
    while not isinstance(node, Leaf | Call):
        node = children(node)[0]
    return node.column


def _measure(node: Branch, *parts: Node) -> None:
    object.__setattr__(node, "_depth", 1 + max(map(depth, parts)))
    object.__setattr__(node, "_size", 1 + sum(map(size, parts)))
