"""Whatever people write is a formula or told what is wrong with it, and every formula can be evaluated."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.analytics.formula import Evaluation, FormulaError, Inputs, Shape, expand, parse, references
from apps.analytics.formula.binning import AGGREGATES, aggregated, binned
from apps.analytics.formula.nodes import Node
from tests.analytics.formula.building import NODES
from tests.analytics.formula.sampling import signals, sparse
from tests.fuzzing import examples

PIECES = st.sampled_from(
    [
        *'+-*/^(),."=: \n',
        "1",
        ".5",
        "2e-3",
        "a.x",
        'b."y z"',
        "events.",
        "::",
        "X",
        "analytics.k",
        "sin",
        "avg",
        "E",
    ]
)
ITEMS = {"solar": parse("egauge.A*2"), "load": parse("avg(egauge.A, 7) - 1")}
EDGES = np.array([0, 20, 60])


@settings(max_examples=examples(300, nightly=20_000))
@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=15).map("".join)))
def test_a_text_is_a_formula_or_its_fault_has_a_place(text: str):
    fault = _fault(text)
    if fault is not None and fault.column is not None:
        assert 1 <= fault.column <= len(text) + 1


@settings(max_examples=examples(100, nightly=5_000), deadline=None)
@given(NODES, st.data())
def test_a_formula_gives_finite_values_or_none(node: Node, data: st.DataObject):
    try:
        whole = expand(node, ITEMS)
        named = references(whole)
        own = {field: data.draw(signals()) for field in named.series}
        evaluation = Evaluation(whole, Inputs(own, {leaf: sparse((5, 1), (5, 2)) for leaf in named.events}))
    except FormulaError:
        return
    if evaluation.shape is Shape.NUMBER:
        return
    points = evaluation.points()
    assert not np.isinf(points.values).any()
    assert (np.diff(points.stamps) >= 0).all()
    bins = binned(evaluation, EDGES)
    assert (bins.covered <= np.diff(EDGES)).all()
    for aggregate in AGGREGATES:
        if evaluation.shape is Shape.SIGNAL or aggregate != "integral":
            assert len(aggregated(bins, aggregate, evaluation.shape)) == 2


def _fault(text: str) -> FormulaError | None:
    try:
        parse(text)
    except FormulaError as error:
        return error
    return None
