"""How far around itself a result looks."""

from __future__ import annotations

import pytest

from apps.analytics.formula import Field, Reach, Spec, parse, reach
from apps.readings.integration import HOUR_MS, LONGEST_INTERVAL_MS

GAP = 300_000
SPECS = {
    Field("g", "x"): Spec("gauge", cadence=10),
    Field("slow", "x"): Spec("gauge", cadence=900),
    Field("m", "E"): Spec("counter"),
    Field("i", "P"): Spec("interval", cadence=10),
    Field("s", "on"): Spec("step"),
}


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("5", 0, 0),
        ("events.::X.d", 0, 0),
        ("g.x", GAP, GAP),
        ("m.E", GAP, GAP),
        ("unknown.x", GAP, GAP),
        ("slow.x + g.x", 2_700_000, 2_700_000),
        ("s.on", GAP, 0),
        ("i.P*2", GAP, LONGEST_INTERVAL_MS),
        ("avg(g.x, 60000)", GAP + 60_000, GAP + 60_000),
        ("avg(avg(g.x, 60000), 1000) + s.on", GAP + 61_000, GAP + 61_000),
        ("avg(events.::X.d, 3600000)", HOUR_MS, HOUR_MS),
    ],
)
def test_a_formula_reaches_as_far_as_its_widest_part(text, before, after):
    assert reach(parse(text), SPECS) == Reach(before, after)


def test_days_are_counted_whole():
    assert (Reach(0, 1).days_before, Reach(0, 1).days_after) == (0, 1)
    assert Reach(86_400_001, 0).days_before == 2
