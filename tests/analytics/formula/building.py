"""Random formulas, for properties that hold of all of them."""

from __future__ import annotations

from hypothesis import strategies as st

from apps.analytics.formula.nodes import (
    Call,
    Chain,
    Constant,
    Events,
    Field,
    Item,
    Negative,
    Node,
    Number,
    Power,
)

_SOURCES = st.sampled_from(["egauge", "e", "avg", "Pi_2"])
_NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), min_size=1, max_size=6)

LEAVES: st.SearchStrategy[Node] = st.one_of(
    st.builds(Number, st.floats(0, 1e300)),
    st.builds(Constant, st.sampled_from(["PI", "E"])),
    st.builds(Field, _SOURCES, _NAMES),
    st.builds(Item, st.sampled_from(["solar", "load"])),
    st.builds(
        Events,
        st.lists(_SOURCES, max_size=2).map(tuple),
        st.lists(_NAMES, max_size=2).map(tuple),
        st.lists(_NAMES, max_size=2).map(tuple),
    ),
)


def _negative(node: Node) -> Node:
    return node.operand if isinstance(node, Negative) else Negative(node)


def _branches(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(nodes, min_size=2, max_size=4)
    functions = st.sampled_from(["sin", "abs", "pos", "neg"])
    return st.one_of(
        nodes.map(_negative),
        st.builds(Power, nodes, nodes),
        st.builds(Call, functions, st.tuples(nodes)),
        st.builds(Call, st.just("avg"), st.tuples(nodes, st.just(Number(60_000)))),
        *(
            st.tuples(several, st.lists(st.sampled_from(signs), min_size=3, max_size=3)).map(
                lambda drawn: Chain(drawn[0][0], tuple(zip(drawn[1], drawn[0][1:], strict=False)))
            )
            for signs in ("+-", "*/")
        ),
    )


NODES: st.SearchStrategy[Node] = st.recursive(LEAVES, _branches, max_leaves=12)
