"""By how much formulas of registers advance: as their registers do, with resets and gaps seen to."""

from __future__ import annotations

import pytest

from apps.analytics import explanation
from apps.analytics.formula import FormulaError, parse
from apps.analytics.increases import registers
from apps.analytics.inputs import bind
from apps.readings.calendar import HOUR_MS
from tests.analytics.building import START, ask, points, put

REGISTER = {"kind": "counter", "unit": "kWh", "quantity": "energy"}


@pytest.fixture(autouse=True)
def _meters(house_a):
    put(house_a, "m.in", {5 * n: 100 + n for n in range(25)}, **REGISTER)
    put(house_a, "m.out", {5 * n: 50 + n / 2 for n in range(13)}, **REGISTER)
    put(house_a, "m.P", {5 * n: 12 for n in range(13)})


@pytest.mark.parametrize(
    ("formula", "hour"),
    [("m.in", 12), ("m.in - m.out", 6), ("(m.in + 2*m.out)/1000 + 7", 0.024), ("-m.out", -6)],
)
@pytest.mark.parametrize("every", ["15m", "1h"])
def test_a_formula_advances_as_its_registers_do(house_a, formula, hour, every):
    answer = ask(house_a, formula, every=every, aggregate="increase")
    assert sum(answer.values.tolist()) == pytest.approx(hour)
    assert answer.coverage.tolist() == [1] * len(answer.values)


def test_the_whole_range_advances_by_the_sum_of_its_bins(house_a):
    answer = ask(house_a, "m.in", aggregate="increase")
    assert (answer.value, answer.unit, answer.stamps) == (pytest.approx(12), "kWh", None)


def test_a_swap_to_a_lower_register_is_no_fall(house_a):
    put(house_a, "n.E", {0: 900, 5: 901, 10: 1, 15: 2, 20: 3}, **REGISTER)
    assert ask(house_a, "n.E", every="1h", aggregate="increase").values.tolist()[0] >= 0


def test_it_is_missing_where_that_of_any_register_is(house_a):
    answer = ask(house_a, "m.in - m.out", (0, 120), every="1h", aggregate="increase")
    first, second = points(answer).values()
    assert (first, second) == (pytest.approx(6), None)
    assert answer.coverage.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("m.P", "no register"),
        ("m.in + m.P", "no register"),
        ("pos(m.in)", "add, subtract and scale"),
        ("5", "add"),
    ],
)
def test_other_formulas_have_no_increase(house_a, formula, says):
    with pytest.raises(FormulaError, match=says):
        registers(bind(house_a, parse(formula)))


def test_it_is_explained_by_its_registers(house_a):
    found = explanation.within(bind(house_a, parse("m.in - 2*m.out")), START, START + HOUR_MS, "increase")
    assert found.value == pytest.approx(0)
    assert [(one.text, one.value, one.coverage) for one in found.inputs] == [
        ("m.in", pytest.approx(12), 1),
        ("m.out", pytest.approx(6), 1),
    ]
    assert found.inputs[0].stamps == (START, START + 55 * 60_000)
