"""Which series, events and items a formula names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from apps.analytics.formula.nodes import Events, Field, Item, Leaf, Node, children


@dataclass(frozen=True)
class References:
    """What a formula names, each once, in the order of the text."""

    series: tuple[Field, ...]
    events: tuple[Events, ...]
    items: tuple[Item, ...]

    @property
    def sources(self) -> frozenset[str]:
        """The sources of the series and of the events that name any."""
        named = {name for events in self.events for name in events.sources}
        return frozenset(named.union(field.source for field in self.series))


def references(node: Node) -> References:
    """What `node` names itself; for what its items name `expand` it first."""
    found = dict.fromkeys(leaves(node))
    return References(
        tuple(leaf for leaf in found if isinstance(leaf, Field)),
        tuple(leaf for leaf in found if isinstance(leaf, Events)),
        tuple(leaf for leaf in found if isinstance(leaf, Item)),
    )


def leaves(node: Node) -> Iterator[Leaf]:
    """All leaves from left to right, those of a part that items share once."""
    seen: set[int] = set()
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Leaf):
            yield current
        elif id(current) not in seen:
            seen.add(id(current))
            waiting.extend(reversed(children(current)))
