"""Formulas written back as text."""

from __future__ import annotations

import pytest
from hypothesis import given

from apps.analytics.formula import FormulaError, event_identifier, identifier, parse, text
from apps.analytics.formula.nodes import Node
from tests.analytics.formula.building import NODES


@given(NODES)
def test_what_is_written_reads_the_same(node: Node):
    try:
        assert parse(text(node)) == node
    except FormulaError as error:
        assert "not a finite number" in error.message  # noqa: PT017  random constants may be infinite


@pytest.mark.parametrize(
    ("given_text", "written"),
    [
        ("-(sonnen.status.Pac_total_W/1000)", "-(sonnen.status.Pac_total_W/1000)"),
        ("((a.x+b.y))*2-(3-(4-5))", "(a.x + b.y)*2 - (3 - (4 - 5))"),
        ("(2^3)^2", "(2^3)^2"),
        ("2^(3^2)", "2^3^2"),
        ("(-2)^2", "(-2)^2"),
        ("2^-2", "2^-2"),
        ("a.x/(b.y*2)", "a.x/(b.y*2)"),
        ("1e-3", "0.001"),
        ("avg( a.x ,60000)", "avg(a.x, 60000)"),
        ('egauge.A."Grid Power"', 'egauge."A.Grid Power"'),
        ('egauge."A.Solar"', "egauge.A.Solar"),
        ("events.ev1:ev2::EV_END_CHARGING.duration", "events.ev1:ev2::EV_END_CHARGING.duration"),
        ("pi", "PI"),
    ],
)
def test_brackets_and_quotes_stand_where_they_are_needed(given_text, written):
    assert text(parse(given_text)) == written


def test_names_are_quoted_for_people_who_pick_them_from_a_list():
    assert identifier("egauge", "A.Grid Power") == 'egauge."A.Grid Power"'
    assert identifier("meter", "1-0:1.8.0") == 'meter."1-0:1.8.0"'
    assert identifier("meter", "a..b") == 'meter."a..b"'
    assert event_identifier(["ev1"], ["door open"], ["at"]) == 'events.ev1::"door open".at'
