"""Formulas on the newest values, for cards."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.analytics.formula import parse
from apps.analytics.inputs import bind
from apps.analytics.live import Live, live
from apps.readings.calendar import MINUTE_MS
from apps.readings.models import Source
from apps.readings.series import FieldSpec, declare
from apps.readings.store import Upload, append
from tests.analytics.building import NOW, START, happen, put


@pytest.fixture(autouse=True)
def _meters(house_a):
    put(house_a, "a.P", {m: m for m in range(21)})
    put(house_a, "b.P", {0: 1, 9: 5})


def value(house, formula: str) -> Live:
    return live({"it": bind(house, parse(formula))})["it"]


@pytest.mark.parametrize(
    ("formula", "expected", "minute"),
    [
        ("a.P", 20, 20),
        ("-(a.P - b.P)*1000", -15000, 9),
        ("avg(a.P, 600000) + b.P", 20 + 5, 9),
        (
            "avg(a.P - b.P, 600000)",
            pytest.approx((sum(range(10)) - sum(1 + 4 * m / 9 for m in range(10))) / 10),
            9,
        ),
    ],
)
def test_a_formula_counts_with_the_newest_values_and_is_as_old_as_the_oldest(
    house_a, formula, expected, minute
):
    found = value(house_a, formula)
    assert (found.value, found.stamp) == (expected, START + minute * MINUTE_MS)


def test_the_unit_goes_with_it(house_a):
    assert value(house_a, "a.P*1000").unit == "W"


def test_a_number_has_no_age(house_a):
    assert value(house_a, "avg(2, 1000)^5") == Live(32, None, "")


def test_what_is_not_finite_is_missing(house_a):
    assert value(house_a, "a.P/(b.P - 5)").value is None


def test_a_series_without_readings_leaves_it_missing(house_a):
    put(house_a, "new.P", {})
    for formula in ("new.P + a.P", "avg(new.P, 60000)"):
        assert value(house_a, formula) == Live(None, None, "kW")


def test_a_text_is_no_number(house_a):
    source = Source.objects.get(name="a")
    declare(source=source, fields=[FieldSpec("mode")])
    append([Upload(source.pk, (), states={"mode": (START, "auto")})], received_at=NOW)
    assert value(house_a, "a.mode*2").value is None


def test_events_happen_and_are_not(house_a):
    happen(house_a, "ev", "END", 5)
    assert value(house_a, "events.::END") == Live(None, None, "")


def test_all_cards_take_one_query(house_a, django_assert_num_queries: DjangoAssertNumQueries):
    formulas = {name: bind(house_a, parse(name)) for name in ("a.P", "b.P", "a.P - b.P", "pos(a.P)")}
    with django_assert_num_queries(1):
        assert [one.value for one in live(formulas).values()] == [20, 5, 15, 20]
