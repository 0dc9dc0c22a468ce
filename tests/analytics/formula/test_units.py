"""Quantities and units followed through a formula, and what is warned of."""

from __future__ import annotations

import pytest

from apps.analytics.formula import Field, Spec, measured, parse

SPECS = {
    Field("s", "P"): Spec(quantity="power", unit="W"),
    Field("e", "P"): Spec(quantity="power", unit="kW"),
    Field("e", "Q"): Spec(quantity="power", unit="kW"),
    Field("m", "E"): Spec("counter", quantity="energy", unit="kWh"),
    Field("c", "E"): Spec(quantity="energy", unit="mWh"),
    Field("e", "U"): Spec(quantity="voltage", unit="V"),
    Field("e", "I"): Spec(quantity="current", unit="A"),
    Field("b", "soc"): Spec(quantity="state of charge", unit="%"),
    Field("x", "new"): Spec(),
}


def measure(text: str) -> tuple[str, str]:
    found = measured(parse(text), SPECS).measure
    return found.quantity, found.unit


def warnings(text: str) -> list[tuple[int, str]]:
    return [(warning.column, warning.message) for warning in measured(parse(text), SPECS).warnings]


@pytest.mark.parametrize(
    ("text", "quantity", "unit"),
    [
        ("e.P", "power", "kW"),
        ("-e.P + e.Q", "power", "kW"),
        ("-neg(s.P/1000)", "power", "kW"),
        ("s.P*0.001", "power", "kW"),
        ("e.P*1000", "power", "W"),
        ("s.P/-1000000", "power", "MW"),
        ("c.E/1e6", "energy", "kWh"),
        ("e.P*0.95", "power", "kW"),
        ("e.P*2/2000", "power", "MW"),
        ("s.P/1e30", "power", ""),
        ("b.soc/1000", "state of charge", "%"),
        ("avg(pos(e.P), 60000) + 5", "power", "kW"),
        ("5 + abs(e.P)", "power", "kW"),
        ("x.new + e.P", "power", "kW"),
        ("e.U*e.I", "", ""),
        ("e.P/e.Q", "", ""),
        ("e.P^2", "", ""),
        ("1/e.P", "", ""),
        ("events.::END.energy", "", ""),
        ("x.gone", "", ""),
    ],
)
def test_a_result_has_the_quantity_and_unit_its_formula_leads_to(text, quantity, unit):
    assert measure(text) == (quantity, unit)
    assert warnings(text) == []


def test_a_quotient_of_equal_units_is_a_plain_number():
    assert measured(parse("100*e.P/e.Q"), SPECS).measure.plain
    assert measure("sin(e.P) + 1") == ("", "")


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("e.P + s.P", 7, "kW and W"),
        ("e.P - m.E", 7, "power and energy"),
        ("(e.P + 1) - (5 + avg(s.P, 1000))", 14, "kW and W"),
        ("e.U + x.new - e.I*1", 15, "voltage and current"),
        ("pos(s.P)/1000 + e.P + s.P", 23, "kW and W"),
    ],
)
def test_what_does_not_belong_together_is_warned_of_at_its_place(text, column, says):
    ((found, message),) = warnings(text)
    assert found == column
    assert says in message
