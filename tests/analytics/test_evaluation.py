"""Formulas over the real store and real events: stamps, bins, single numbers, and what is refused."""

from __future__ import annotations

import tracemalloc
from time import process_time

import numpy as np
import pytest
from pytest_django import DjangoAssertNumQueries

from apps.analytics import load
from apps.analytics.evaluation import evaluate
from apps.analytics.formula import FormulaError, Shape, expand, parse
from apps.analytics.inputs import Loader, bind
from apps.analytics.load import TooMuchError
from apps.houses.models import House
from apps.readings import bins
from apps.readings.calendar import DAY_MS, HOUR_MS, MINUTE_MS
from apps.readings.models import Namespace, Source
from apps.readings.series import FieldSpec, declare
from tests.analytics.building import START, append, ask, fill_days, happen, points, put

TEN_YEARS = range(16_436, 20_089)  # UTC days of 2015 to 2024


@pytest.fixture
def meters(house_a: House) -> None:
    """Three meters: `a` every minute, `b` half a minute later, `i` with means of 5 minutes."""
    put(house_a, "a.P", {m: m for m in range(61)})
    put(house_a, "b.P", {m + 0.5: 2 * m for m in range(61)})
    put(house_a, "i.P", {5 * n: n for n in range(13)}, kind="interval")


class TestStamps:
    def test_a_formula_is_answered_at_all_stamps_of_its_leaves(self, house_a, meters):
        assert points(ask(house_a, "a.P + b.P", (1, 3))) == {1: 1 + 1, 1.5: 1.5 + 2, 2: 2 + 3, 2.5: 2.5 + 4}

    def test_readings_around_the_range_shape_its_ends(self, house_a, meters):
        assert points(ask(house_a, "a.P + i.P", (0, 1))) == {0: 0}
        assert points(ask(house_a, "a.P + i.P", (1, 2))) == {1: 2}

    def test_an_item_is_expanded(self, house_a, meters):
        items = {"net": "a.P - 1", "twice": "2*analytics.net"}
        assert points(ask(house_a, "analytics.twice", (1, 3), items=items)) == {1: 0, 2: 2}

    def test_an_answer_carries_the_unit_its_formula_leads_to(self, house_a, meters):
        assert ask(house_a, "a.P*1000").unit == "W"

    def test_a_recorded_length_counts(self, house_a):
        put(house_a, "e.P", {}, kind="interval")
        append(Source.objects.get(name="e"), {"P": {10: 4, 20: 8}, "_length": {10: 60_000, 20: 120_000}})
        put(house_a, "a.x", {8: 0, 9.5: 0, 12: 0, 19: 0})
        assert points(ask(house_a, "e.P + a.x")) == {8: None, 9.5: 4, 10: 4, 12: None, 19: 8, 20: None}

    def test_a_counter_is_its_register(self, house_a):
        put(house_a, "m.E", {0: 100, 2: 104}, kind="counter", unit="kWh", quantity="energy")
        put(house_a, "n.E", {1: 10}, kind="counter", unit="kWh", quantity="energy")
        assert points(ask(house_a, "m.E - n.E")) == {0: None, 1: 92, 2: None}

    def test_a_step_holds_as_long_as_something_newer_is_known(self, house_a):
        put(house_a, "s.on", {0: 1}, kind="step")
        put(house_a, "a.x", {2: 0, 4: 0})
        assert points(ask(house_a, "s.on + a.x")) == {0: None, 2: None, 4: None}
        put(house_a, "s.on", {600: 2}, kind="step")
        assert points(ask(house_a, "s.on + a.x")) == {0: None, 2: 1, 4: 1}

    def test_an_average_does_not_depend_on_the_range_asked_for(self, house_a, meters):
        whole = points(ask(house_a, "avg(a.P, 600000) + b.P"))
        for first in range(0, 54, 7):
            part = points(ask(house_a, "avg(a.P, 600000) + b.P", (first, first + 7)))
            assert part == {minute: value for minute, value in whole.items() if first <= minute < first + 7}

    def test_one_statement_reads_all_series(
        self, house_a, meters, django_assert_num_queries: DjangoAssertNumQueries
    ):
        bound = bind(house_a, parse("a.P + b.P"))
        loader = Loader(bound)
        with django_assert_num_queries(1):
            loader.load(START, START + HOUR_MS)

    def test_series_read_together_share_their_clock(self, house_a):
        put(house_a, "e.P", {})
        put(house_a, "e.Q", {})
        append(Source.objects.get(name="e"), {"P": {0: 1, 1: 2}, "Q": {0: 3, 1: 4}})
        one, other = Loader(bind(house_a, parse("e.P + e.Q"))).load(START, START + HOUR_MS).signals.values()
        assert one.stamps is other.stamps


class TestBins:
    @pytest.mark.parametrize("kind", ["gauge", "interval"])
    @pytest.mark.parametrize("every", ["5m", "1h", "1d"])
    def test_the_mean_of_a_series_is_that_of_the_series_endpoint(self, house_a, kind, every):
        series = put(house_a, "m.P", {m * 1.7: np.sin(m) for m in range(80)} | {300: 1, 303: 2}, kind=kind)
        own = bins.binned_means(
            [series], zone=house_a.time_zone, every=every, start=START, end=START + DAY_MS
        )[series.pk]
        answer = ask(house_a, "m.P", (0, 1440), every=every)
        assert answer.stamps.tolist() == own.starts.tolist()
        assert answer.values.tolist() == pytest.approx(own.values.tolist(), nan_ok=True)
        assert answer.coverage.tolist() == own.coverage.tolist()

    def test_the_energy_of_a_sum_is_the_sum_of_energies(self, house_a, meters):
        total = ask(house_a, "a.P + i.P", every="15m", aggregate="integral").values
        parts = [ask(house_a, name, every="15m", aggregate="integral").values for name in ("a.P", "i.P")]
        assert total.tolist() == pytest.approx(sum(parts).tolist())

    def test_positive_and_negative_parts_are_taken_before_the_mean(self, house_a):
        put(house_a, "g.P", {m: 2 if m % 2 else -2 for m in range(61)})
        assert ask(house_a, "pos(g.P)", every="1h").values.tolist() == [pytest.approx(0.5 * 2)]
        assert ask(house_a, "g.P", every="1h").values.tolist() == [pytest.approx(0)]

    @pytest.mark.parametrize(
        ("aggregate", "value", "unit"),
        [
            ("mean", 30, "kW"),
            ("integral", 30, "kWh"),
            ("min", 0, "kW"),
            ("max", 59, "kW"),
            ("sum", 59 * 30, "kW"),
            ("count", 60, ""),
        ],
    )
    def test_each_aggregate(self, house_a, meters, aggregate, value, unit):
        answer = ask(house_a, "a.P", every="1h", aggregate=aggregate)
        assert (answer.values.tolist(), answer.unit) == ([pytest.approx(value)], unit)
        single = ask(house_a, "a.P", aggregate=aggregate)
        assert (single.value, single.unit, single.stamps) == (pytest.approx(value), unit, None)
        assert single.coverage.tolist() == [1]

    def test_nothing_is_missing_and_only_its_count_is_a_number(self, house_a, meters):
        for aggregate in ("mean", "integral", "min", "max", "sum"):
            assert ask(house_a, "a.P", (120, 180), aggregate=aggregate).value is None
        assert ask(house_a, "a.P", (120, 180), aggregate="count").value == 0

    def test_coverage_is_what_all_leaves_cover(self, house_a, meters):
        put(house_a, "late.P", {30: 1, 60: 1}, cadence=1800)
        answer = ask(house_a, "a.P + late.P", every="1h")
        assert (answer.values.tolist(), answer.coverage.tolist()) == ([46], [0.5])

    @pytest.mark.parametrize("every", ["5m", "1h", "1d", None])
    @pytest.mark.parametrize("formula", ["a.P*b.P - i.P", "avg(a.P, 420000) + b.P", "pos(a.P - 30)"])
    def test_parts_of_time_give_what_the_whole_gives(self, house_a, meters, monkeypatch, formula, every):
        options = {"every": every} if every else {"aggregate": "mean"}
        whole = ask(house_a, formula, (-100, 160), **options)
        monkeypatch.setattr("apps.analytics.load.TOGETHER", 0)
        monkeypatch.setattr("apps.analytics.load.DAY", 7 * MINUTE_MS)
        parts = ask(house_a, formula, (-100, 160), **options)
        assert parts.coverage.tolist() == pytest.approx(whole.coverage.tolist())
        if every:
            assert parts.values.tolist() == pytest.approx(whole.values.tolist(), nan_ok=True)
        else:
            assert parts.value == pytest.approx(whole.value)


class TestNumbers:
    def test_a_formula_without_series_is_a_number(self, house_a):
        answer = ask(house_a, "2^3^2", every="1h")
        assert (answer.shape, answer.value, answer.stamps) == (Shape.NUMBER, 512, None)

    def test_so_is_one_whose_items_are(self, house_a):
        assert ask(house_a, "analytics.k + 1", items={"k": "avg(5, 1000)"}).value == 6


class TestEvents:
    @pytest.fixture(autouse=True)
    def _sessions(self, house_a):
        happen(house_a, "ev1", "EV_START_CHARGING", 1)
        happen(house_a, "ev1", "EV_END_CHARGING", 10, duration=540_000, energy="9000")
        happen(house_a, "ev2", "EV_END_CHARGING", 10, duration=60_000, energy=500)
        happen(house_a, "ev2", "EV_END_CHARGING", 70, duration=120_000)
        happen(house_a, None, "SPOOL_LOST", 5, count=7)

    def test_they_count_once_each(self, house_a):
        assert ask(house_a, "events.::EV_END_CHARGING", (0, 120), aggregate="count").value == 3
        assert ask(house_a, "events.ev2::", (0, 120), aggregate="sum").value == 2
        assert ask(house_a, "events.ev1:ev2::EV_START_CHARGING:EV_END_CHARGING", (0, 60)).values.tolist() == [
            1,
            1,
            1,
        ]

    def test_their_data_are_values_in_an_order_of_their_own(self, house_a):
        answer = ask(house_a, "events.::EV_END_CHARGING.energy/1000", (0, 120))
        assert answer.values.tolist() == [9, 0.5, pytest.approx(np.nan, nan_ok=True)]

    def test_aggregates_run_over_the_events_of_a_bin(self, house_a):
        one = "events.::EV_END_CHARGING.energy"
        assert ask(house_a, one, (0, 120), every="1h", aggregate="mean").values.tolist()[0] == 4750
        answer = ask(house_a, one, (0, 120), every="1h", aggregate="count")
        assert answer.values.tolist() == [2, 0]
        assert answer.coverage is None

    def test_an_event_that_names_no_source_is_the_agents(self, house_a):
        assert points(ask(house_a, "events.::SPOOL_LOST.count")) == {5: 7}

    def test_they_have_no_integral(self, house_a):
        with pytest.raises(ValueError, match="no integral"):
            ask(house_a, "events.::EV_END_CHARGING", aggregate="integral")

    def test_they_meet_signals_through_their_average(self, house_a):
        put(house_a, "a.P", {4: 1, 12: 2})
        found = points(ask(house_a, "a.P + avg(events.ev1::EV_END_CHARGING.energy, 600000)"))
        assert found == {4: None, 10: None, 12: 9002}

    def test_those_of_another_house_are_not_seen(self, house_b):
        assert ask(house_b, "events.::EV_END_CHARGING", (0, 120), aggregate="count").value == 0


class TestNames:
    @pytest.mark.parametrize(
        ("formula", "column"), [("1 + gone.P", 5), ("a.gone", 1), ("2*events.gone::X", 3), ("value.value", 1)]
    )
    def test_an_unknown_name_is_told_with_its_place(self, house_a, meters, formula, column):
        source = Source.objects.create(house=house_a, name="value", namespace=Namespace.ANALYTICS)
        declare(source=source, fields=[FieldSpec("value")])
        with pytest.raises(FormulaError) as caught:
            bind(house_a, parse(formula))
        assert caught.value.column == column

    def test_a_series_of_another_house_is_unknown(self, house_b, meters):
        with pytest.raises(FormulaError, match=r"This house has no series “a\.P”"):
            bind(house_b, parse("a.P"))


class TestMuch:
    @staticmethod
    def ask(house: House, formula: str, **options):
        bound = bind(house, expand(parse(formula), {}))
        return evaluate(bound, start=TEN_YEARS[0] * DAY_MS, end=(TEN_YEARS[-1] + 1) * DAY_MS, **options)

    def test_ten_years(self, house_a):
        fill_days(house_a, "sun.P", TEN_YEARS, 60_000)
        count = len(TEN_YEARS) * 1440
        before = process_time()
        with pytest.raises(TooMuchError, match=str(count)):
            self.ask(house_a, "sun.P*2")
        assert process_time() - before < 1

        tracemalloc.start()
        monthly = self.ask(house_a, "pos(sun.P) - 1", every="1mo")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (
            peak < 16 * count * 3
        )  # three times what the readings alone take would be all at once, and more
        assert monthly.values[1:-1].tolist() == pytest.approx([1 / np.pi - 1] * 119, abs=1e-3)

        assert self.ask(house_a, "sun.P", aggregate="max").value == 1
        assert len(self.ask(house_a, "avg(sun.P, 86400000)").stamps) == len(TEN_YEARS)

    def test_years_without_anything_take_no_time(self, house_a, meters, django_assert_max_num_queries):
        with django_assert_max_num_queries(12):
            assert ask(house_a, "a.P", (-5_000_000, 100), aggregate="count").value == 61

    def test_the_number_of_points_is_exact_where_it_is_near(self, house_a, monkeypatch, meters):
        monkeypatch.setattr("apps.analytics.evaluation.MAX_POINTS", 120)
        assert len(points(ask(house_a, "a.P + b.P"))) == 120
        with pytest.raises(TooMuchError, match="holds 122 points"):
            ask(house_a, "a.P + b.P", (0, 70))

    @pytest.mark.parametrize(
        ("limit", "formula", "says"),
        [
            ("MAX_WORK", "2*sun.P + 1", "would take 144000 operations"),
            ("MAX_LOADED", "avg(sun.P, 5*86400000)", "readings at once"),
        ],
    )
    def test_what_takes_too_much_is_refused_with_its_number(self, house_a, monkeypatch, limit, formula, says):
        fill_days(house_a, "sun.P", TEN_YEARS[:20], 60_000)
        monkeypatch.setattr(load, limit, 20_000)
        with pytest.raises(TooMuchError, match=says):
            self.ask(house_a, formula, every="1mo")
