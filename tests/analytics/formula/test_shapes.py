"""Numbers, signals and events: what may meet what."""

from __future__ import annotations

import pytest

from apps.analytics.formula import FormulaError, Shape, parse, shape


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2*PI", Shape.NUMBER),
        ("avg(5, 1000)", Shape.NUMBER),
        ("a.x*2", Shape.SIGNAL),
        ("analytics.a - 1", Shape.SIGNAL),
        ("events.::X", Shape.EVENTS),
        ("events.::X.a/events.::X.b + 1", Shape.EVENTS),
        ("avg(events.::X, 1000) + a.x", Shape.SIGNAL),
        ("avg(a.x, 1000)", Shape.SIGNAL),
    ],
)
def test_a_formula_gives(text, expected):
    assert shape(parse(text)) is expected


@pytest.mark.parametrize(
    ("text", "column"),
    [("a.x + events.::X", 7), ("pos(events.::X*(1 - a.x))", 17), ("avg(a.x^events.::X, 5)", 9)],
)
def test_events_meet_signals_only_through_avg(text, column):
    with pytest.raises(FormulaError, match="avg") as caught:
        shape(parse(text))
    assert caught.value.column == column
