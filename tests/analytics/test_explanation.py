"""What a value comes from; with the inputs in place of their names the formula gives the value again."""

from __future__ import annotations

import pytest

from apps.analytics import explanation
from apps.analytics.evaluation import evaluate
from apps.analytics.explanation import Explanation
from apps.analytics.formula import expand, parse, text
from apps.analytics.formula.constants import constant
from apps.analytics.inputs import bind
from apps.analytics.load import TooMuchError
from apps.readings.calendar import DAY_MS, HOUR_MS, MINUTE_MS
from tests.analytics.building import START, fill_days, happen, put


@pytest.fixture(autouse=True)
def _meters(house_a):
    put(house_a, "a.P", {m: m for m in range(0, 61, 2)})
    put(house_a, "b.P", {m + 0.5: 2 * m for m in range(61)})
    put(house_a, "i.P", {5 * n: n for n in range(7)}, kind="interval")
    put(house_a, "s.on", {0: 1, 1: 0, 300: 1}, kind="step")


def again(formula: str, found: Explanation) -> float | None:
    """The formula with the values of its inputs instead of their texts."""
    written = text(expand(parse(formula), {}))
    for one in sorted(found.inputs, key=lambda one: -len(one.text)):
        written = written.replace(one.text, f"({one.value!r})")
    return constant(parse(written))


def minutes(stamps: tuple[int, ...]) -> list[float]:
    return [(stamp - START) / MINUTE_MS for stamp in stamps]


def at(house, formula: str, minute: float) -> Explanation:
    return explanation.at(bind(house, parse(formula)), START + round(minute * MINUTE_MS))


@pytest.mark.parametrize(
    "formula",
    [
        "a.P",
        "-(a.P - b.P)*2 + i.P",
        "pos(a.P - 10)^2/b.P + s.on",
        "avg(a.P, 600000)*b.P - avg(a.P, 600000)",
        "avg(avg(a.P + b.P, 60000), 600000) - a.P",
        "a.P - avg(3*2, 1000)",
    ],
)
@pytest.mark.parametrize("minute", [2, 3.25, 4.5])
def test_reevaluating_the_inputs_gives_the_value_at_an_instant(house_a, formula, minute):
    found = at(house_a, formula, minute)
    assert again(formula, found) == pytest.approx(found.value)
    assert all(one.coverage == 1 for one in found.inputs)


def test_an_input_names_the_readings_its_value_comes_from(house_a):
    found = at(house_a, "a.P + b.P + i.P + s.on + avg(a.P, 600000)", 3)
    assert {one.text: minutes(one.stamps) for one in found.inputs} == {
        "a.P": [2, 4],
        "b.P": [2.5, 3.5],
        "i.P": [5],
        "s.on": [1],
        "avg(a.P, 600000)": [0, 8],
    }
    assert {one.sources for one in found.inputs} == {("a",), ("b",), ("i",), ("s",)}


def test_an_input_at_its_own_stamp_comes_from_that_reading(house_a):
    (found,) = at(house_a, "a.P*2", 4).inputs
    assert (found.value, minutes(found.stamps)) == (4, [4])


def test_what_is_missing_has_no_coverage_and_no_readings(house_a):
    found = at(house_a, "a.P + i.P", 50)
    assert found.value != found.value  # NaN
    assert [(one.text, one.coverage, len(one.stamps)) for one in found.inputs] == [
        ("a.P", 1, 1),
        ("i.P", 0, 0),
    ]


@pytest.mark.parametrize("aggregate", ["mean", "integral", "sum"])
@pytest.mark.parametrize("formula", ["a.P - 2*b.P/1000", "i.P/2 - a.P", "avg(a.P, 600000) - (b.P + i.P)"])
def test_reevaluating_the_inputs_gives_the_value_of_a_bin(house_a, formula, aggregate):
    found = explanation.within(bind(house_a, parse(formula)), START, START + HOUR_MS, aggregate)
    assert again(formula, found) == pytest.approx(found.value)


def test_in_a_bin_each_input_has_its_own_coverage_and_its_first_and_last_reading(house_a):
    found = explanation.within(bind(house_a, parse("a.P + i.P")), START, START + HOUR_MS, "mean")
    assert found.stamp == START
    one, other = found.inputs
    assert (one.value, one.coverage, minutes(one.stamps)) == (pytest.approx(15), 1, [0, 58])
    assert (other.coverage, minutes(other.stamps)) == (0.5, [0, 30])


def test_events_are_explained_too(house_a):
    happen(house_a, "ev", "END", 5, energy=4)
    happen(house_a, "ev", "END", 9, energy=8)
    bound = bind(house_a, parse("events.ev::END.energy*2"))
    found = explanation.within(bound, START, START + HOUR_MS, "sum")
    assert found.value == 24
    (one,) = found.inputs
    assert (one.text, one.value, minutes(one.stamps), one.coverage) == (
        "events.ev::END.energy",
        12,
        [5, 9],
        None,
    )
    assert explanation.at(bound, START + 9 * MINUTE_MS).value == 16


def test_a_number_reads_nothing(house_a):
    assert at(house_a, "2^5", 0) == Explanation(START, 32, ())


def test_an_explanation_that_would_take_too_long_is_refused(house_a, monkeypatch):
    fill_days(house_a, "sun.P", range(20_000, 20_010), 60_000)
    monkeypatch.setattr("apps.analytics.load.MAX_WORK", 14_400 * 3)
    bound = bind(house_a, parse("-sun.P"))
    begin, end = 20_000 * DAY_MS, 20_010 * DAY_MS
    assert evaluate(bound, start=begin, end=end, aggregate="max").value == 0
    with pytest.raises(TooMuchError, match="86400 operations"):
        explanation.within(bound, begin, end, "max")
