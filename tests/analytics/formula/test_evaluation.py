"""Formulas over signals and events: known answers, and laws that hold for all of them."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.analytics.formula import Field, FormulaError, Shape, expand, parse
from apps.analytics.formula import evaluation as module
from apps.analytics.formula.evaluation import Evaluation
from apps.analytics.formula.nodes import Events
from apps.analytics.formula.signals import Signal, union
from apps.readings.integration import HOUR_MS, integrate, integrate_stretches
from tests.analytics.formula.sampling import (
    as_dict,
    at,
    evaluated,
    inputs,
    sides,
    signal,
    signals,
    sparse,
)

ORACLE = inputs(
    x=signal({1: 1, 2: 2}),
    a=signal({1: 2, 2: -3, 3: 4}),
    b=signal({2: 10, 3: 20, 4: 30}),
    p=signal({1: 1, 2: 2, 11: 3}),
    q=signal({3: 10, 14: 20, 25: 5}),
    n=signal({-11: 1, -1: 2, 5: 3}),
)


def values(text: str, given=ORACLE, events=None) -> dict[int, float | None]:
    return as_dict(evaluated(text, given, events).points())


class TestKnownAnswers:
    """Those of the playbook's engine, but for missing values, which stay missing, and for signs."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a.x", {1: 2, 2: -3, 3: 4}),
            ("-a.x^2", {1: -4, 2: -9, 3: -16}),
            ("(-a.x)^2", {1: 4, 2: 9, 3: 16}),
            ("1-+-x.x", {1: 2, 2: 3}),
            ("pos(a.x)", {1: 2, 2: 0, 3: 4}),
            ("neg(a.x)", {1: 0, 2: -3, 3: 0}),
            ("-neg(a.x)", {1: 0, 2: 3, 3: 0}),
            ("abs(a.x)*2 - 1", {1: 3, 2: 5, 3: 7}),
            ("a.x+b.x", {1: None, 2: 7, 3: 24, 4: None}),
            ("pos(a.x+b.x)", {1: None, 2: 7, 3: 24, 4: None}),
            ("avg(a.x,2)", {0: 2, 2: 0.5}),
            ("avg(x.x,1000)", {0: 1.5}),
            ("avg(p.x,10)+avg(q.x,10)", {0: 11.5, 10: 23, 20: None}),
            ("avg(n.x,10)", {-20: 1, -10: 2, 0: 3}),
            ("a.x + avg(5, 1000) - 5", {1: 2, 2: -3, 3: 4}),
            ("x.x*E^0", {1: 1, 2: 2}),
        ],
    )
    def test_a_formula_gives(self, text, expected):
        assert values(text) == expected

    def test_minus_nothing_is_nothing(self):
        assert [str(value) for value in values("-neg(a.x)").values()] == ["0.0", "3.0", "0.0"]

    def test_a_number_needs_no_readings(self):
        assert evaluated("2^3^2", inputs()).shape is Shape.NUMBER


class TestMemory:
    """Operations reuse memory, but never that of what is needed again."""

    SHARED = Signal("gauge", np.array([1, 2]), np.array([3.0, -4.0]), 10)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a.x + b.x - a.x*b.x + (a.x - b.x) - (a.x - b.x)", {1: 1, 2: -24}),
            ("-a.x - -a.x - a.x/1000*1000 + a.x", {1: 0, 2: 0}),
            ("a.x", {1: 3, 2: -4}),
            ("1 + 1 + a.x - 2 - b.x", {1: 2, 2: 0}),
        ],
    )
    def test_asking_again_gives_the_same_and_whoever_consumes_the_inputs_gets_it_too(self, text, expected):
        other = Signal("gauge", self.SHARED.stamps, np.array([1.0, -4.0]), 10)
        both = evaluated(text, inputs(a=self.SHARED, b=other))
        assert [as_dict(both.points()) for _ in range(2)] == [expected] * 2
        own = Signal("gauge", self.SHARED.stamps, self.SHARED.values.copy(), 10)
        assert as_dict(evaluated(text, inputs(a=own, b=other)).points(consume=True)) == expected
        assert self.SHARED.values.tolist() == [3, -4]

    @pytest.mark.parametrize("block", [1, 3, 1 << 16])
    def test_blocks_do_not_show_in_what_is_consumed(self, block, monkeypatch):
        monkeypatch.setattr(module, "BLOCK", block)
        stamps = np.arange(10)
        given = {
            name: Signal("gauge", stamps, np.arange(10.0) + place, 10) for place, name in enumerate("ab")
        }
        found = evaluated("b.x - a.x*2 - b.x/2", inputs(**given)).points(2, 9, consume=True)
        assert as_dict(found) == {stamp: (stamp + 1) / 2 - 2 * stamp for stamp in range(2, 9)}


class TestMissing:
    @pytest.mark.parametrize(
        "text", ["a.x/0", "0/(a.x*0)", "(0-1-abs(a.x))^.5", "exp(1000*abs(a.x))", "1/(1/(a.x*0))",
         *(text.replace("BIG", "(abs(a.x)*1e300*1e300)") for text in
           ("pos(-BIG)", "neg(BIG)", "1/BIG", "exp(-BIG)", "2^-BIG", "BIG^-1"))],
    )  # fmt: skip
    def test_what_is_not_finite_is_missing(self, text):
        assert set(values(text).values()) == {None}

    @pytest.mark.parametrize(
        "text", ["a.x + b.x", "b.x^0*a.x", "1^b.x + a.x", "pos(b.x) - neg(a.x)", "b.x*0*a.x"]
    )
    def test_what_is_missing_stays_so_through_every_operation(self, text):
        assert values(text)[1] is None
        assert values(text)[4] is None

    def test_nothing_is_known_of_an_empty_series(self):
        assert values("a.x + e.x", inputs(a=signal({1: 2}), e=signal({}))) == {1: None}
        assert evaluated("e.x", inputs(e=signal({}))).stretches.begins.size == 0

    @settings(max_examples=50)
    @given(signals(), signals())
    def test_a_value_has_both_its_leaves(self, a: Signal, b: Signal):
        for stamp, value in values("pos(a.x)*0 + neg(b.x)^2", inputs(a=a, b=b)).items():
            assert (value is None) == (isnan(at(a, stamp)) or isnan(at(b, stamp)))


class TestAlignment:
    def test_a_gauge_is_a_line_between_near_readings(self):
        other = signal({2: 0, 5: 0, 8: 0, 30: 0}, max_gap=100)
        assert values("a.x+b.x", inputs(a=signal({0: 0, 4: 8, 20: 0}), b=other)) == {
            0: None, 2: 4, 4: 8, 5: None, 8: None, 20: 0, 30: None
        }  # fmt: skip

    def test_an_interval_holds_over_its_length_up_to_its_stamp(self):
        power = signal({10: 1, 20: 2}, "interval", lengths=[5, 10])
        other = signal(dict.fromkeys([4, 5, 6, 10, 11, 20, 21], 0), max_gap=100)
        assert values("a.x+b.x", inputs(a=power, b=other)) == {
            4: None, 5: None, 6: 1, 10: 1, 11: 2, 20: 2, 21: None
        }  # fmt: skip

    def test_a_step_holds_until_the_next_or_for_max_gap(self):
        step = signal({0: 1, 4: 2, 20: 3}, "step")
        other = signal(dict.fromkeys([3, 4, 11, 12, 20, 21], 0), max_gap=100)
        assert values("a.x+b.x", inputs(a=step, b=other)) == {
            0: None, 3: 1, 4: 2, 11: 2, 12: None, 20: 3, 21: None
        }  # fmt: skip

    def test_a_step_is_defined_as_long_as_something_newer_is_known(self):
        step = signal({0: 1}, "step", newest=3)
        other = signal(dict.fromkeys([0, 3, 4], 0))
        assert values("a.x+b.x", inputs(a=step, b=other)) == {0: 1, 3: 1, 4: None}

    def test_an_average_holds_over_its_bin_and_not_beyond_the_newest_sample(self):
        other = signal(dict.fromkeys([9, 10, 15, 16], 0), max_gap=100)
        given = inputs(a=signal({1: 2, 8: 4, 15: 6}), b=other)
        assert values("avg(a.x, 10) + b.x", given) == {0: None, 9: 3, 10: 6, 15: 6, 16: None}

    def test_an_average_of_a_sum_averages_the_sums(self):
        given = inputs(a=signal({0: 1, 2: 3, 4: 5}), b=signal({1: 10, 3: 20}))
        assert values("avg(a.x + b.x, 10)", given) == {0: pytest.approx((12 + 18 + 24) / 3)}

    def test_averages_may_be_averaged(self):
        assert values("avg(avg(p.x, 2), 100)") == {0: 2}

    def test_leaves_on_one_clock_build_no_union(self, monkeypatch):
        monkeypatch.setattr(module, "union", pytest.fail)
        one = signal({1: 1, 2: 2})
        other = Signal("gauge", one.stamps, one.values * 2, 8)
        assert values("a.x*b.x", inputs(a=one, b=other)) == {1: 2, 2: 8}

    def test_blocks_give_what_the_whole_gives(self, monkeypatch):
        stamps = dict(zip(range(0, 400, 4), np.sin(np.arange(100)).tolist(), strict=True))
        given = inputs(a=signal(stamps), b=signal({k + 3: v for k, v in stamps.items() if k % 48}))
        whole = evaluated("a.x*b.x", given).points()
        monkeypatch.setattr(module, "BLOCK", 7)
        parts = evaluated("a.x*b.x", given).points()
        assert as_dict(parts) == as_dict(whole)

    @settings(max_examples=50)
    @given(signals(), signals(), signals())
    def test_every_kind_agrees_with_its_rule(self, a: Signal, b: Signal, c: Signal):
        found = values("a.x + 100*b.x + 10000*c.x", inputs(a=a, b=b, c=c))
        stamps = sorted({*a.stamps.tolist(), *b.stamps.tolist(), *c.stamps.tolist()})
        expected = {t: at(a, t) + 100 * at(b, t) + 10_000 * at(c, t) for t in stamps}
        assert list(found) == stamps
        assert {t: None if isnan(v) else pytest.approx(v) for t, v in expected.items()} == found

    @settings(max_examples=50)
    @given(st.lists(st.sets(st.integers(0, 30)), max_size=4))
    def test_a_union_has_each_stamp_once(self, clocks):
        arrays = [np.array(sorted(clock), np.int64) for clock in clocks]
        assert union(arrays).tolist() == sorted(set().union(*clocks))

    def test_only_what_is_asked_for_is_answered(self):
        assert as_dict(evaluated("a.x+b.x", ORACLE).points(2, 4)) == {2: 7, 3: 24}
        assert as_dict(evaluated("a.x*2", ORACLE).points(2, 3)) == {2: -6}


EDGES = np.arange(0, 73, 12)


def energy(text: str, given) -> tuple[list[float], list[int]]:
    integral, covered = integrate_stretches(evaluated(text, given).stretches, EDGES)
    return (integral * HOUR_MS).tolist(), covered.tolist()


class TestEnergy:
    @settings(max_examples=50)
    @given(signals(), signals(), st.sampled_from(["+", "-"]))
    def test_of_a_sum_is_the_sum_of_energies_over_common_coverage(self, a: Signal, b: Signal, sign):
        sums, covered = [0.0] * 6, [0] * 6
        for t in range(72):
            own, other = sides(a, t), sides(b, t)
            if isnan(own[0]) or isnan(other[0]):
                continue
            covered[t // 12] += 1
            sums[t // 12] += sum(own) / 2 + sum(other) / 2 * (1 if sign == "+" else -1)
        assert energy(f"a.x {sign} b.x", inputs(a=a, b=b)) == (pytest.approx(sums, abs=1e-9), covered)

    @settings(max_examples=50)
    @given(signals())
    def test_of_a_single_series_is_that_of_its_readings(self, a: Signal):
        integral, covered = integrate(a.kind, a.stamps, a.values, EDGES, max_gap=a.max_gap, lengths=a.lengths)
        if a.kind == "step":  # whose newest value nobody vouches for yet
            assert (energy("a.x", inputs(a=a))[1] <= covered).all()
        else:
            assert energy("2*a.x", inputs(a=a)) == (
                pytest.approx((2 * integral * HOUR_MS).tolist()), covered.tolist()
            )  # fmt: skip

    @settings(max_examples=50)
    @given(signals(), signals(), signals())
    def test_order_and_grouping_do_not_matter(self, a: Signal, b: Signal, c: Signal):
        given = inputs(a=a, b=b, c=c)
        first, *others = ["a.x+b.x-c.x", "b.x+(a.x-c.x)", "-(c.x-b.x)+a.x", "a.x-c.x+b.x"]
        for other in others:
            assert values(other, given) == {
                stamp: None if value is None else pytest.approx(value, abs=1e-9)
                for stamp, value in values(first, given).items()
            }
            integral, covered = energy(first, given)
            assert energy(other, given) == (pytest.approx(integral, abs=1e-9), covered)

    @settings(max_examples=50)
    @given(signals(), signals())
    def test_an_item_gives_what_its_text_in_brackets_gives(self, a: Signal, b: Signal):
        given = inputs(a=a, b=b)
        item = expand(parse("2*analytics.net - b.x"), {"net": parse("pos(a.x - b.x)")})
        assert as_dict(Evaluation(item, given).points()) == values("2*(pos(a.x - b.x)) - b.x", given)

    @settings(max_examples=50)
    @given(signals(), signals())
    def test_import_and_export_add_up_to_the_net(self, a: Signal, b: Signal):
        given = inputs(a=a, b=b)
        (net, covered), (split, same) = (
            energy(text, given) for text in ("a.x - b.x", "pos(a.x - b.x) + neg(a.x - b.x)")
        )
        assert (split, same) == (pytest.approx(net, abs=1e-9), covered)

    def test_an_average_counts_over_its_bin(self):
        given = inputs(a=signal({0: 1, 6: 3, 12: 5, 24: 7}, max_gap=100))
        assert energy("avg(a.x, 12)", given) == ([24, 60, 0, 0, 0, 0], [12, 12, 0, 0, 0, 0])


class TestKeeping:
    @settings(max_examples=50)
    @given(signals(), signals())
    def test_a_kept_result_has_the_energy_of_its_formula(self, a: Signal, b: Signal):
        one = evaluated("a.x - 2*b.x", inputs(a=a, b=b))
        kept = one.kept(0, 100)
        own = integrate_stretches(one.stretches, EDGES)
        again = integrate(
            kept.kind,
            kept.points.stamps,
            kept.points.values,
            EDGES,
            max_gap=kept.max_gap,
            lengths=kept.lengths,
        )
        assert sum(again[0].tolist()) == pytest.approx(sum(own[0].tolist()), abs=1e-12)
        assert again[1].tolist() == own[1].tolist()
        assert not np.isnan(kept.points.values).any()

    def test_gauges_give_a_gauge_and_intervals_intervals(self):
        power = signal({10: 1, 20: 2}, "interval", lengths=[5, 10])
        kept = evaluated("-a.x", inputs(a=power)).kept(0, 100)
        assert (kept.kind, as_dict(kept.points)) == ("interval", {10: -1, 20: -2})
        assert kept.lengths is not None
        assert kept.lengths.tolist() == [5, 10]
        assert evaluated("a.x", ORACLE).kept(0, 100).kind == "gauge"


END = Events((), ("END",), ("energy",))
DURATION = Events((), ("END",), ("duration",))


class TestEvents:
    def test_they_combine_with_numbers_and_keep_equal_stamps_apart(self):
        events = {END: sparse((5, 1000), (5, 2000), (9, np.nan))}
        found = evaluated("events.::END.energy/1000", inputs(), events).points()
        assert found.stamps.tolist() == [5, 5, 9]
        assert found.values.tolist() == [1, 2, pytest.approx(np.nan, nan_ok=True)]

    def test_fields_of_the_same_events_meet(self):
        events = {END: sparse((5, 10), (5, 20)), DURATION: sparse((5, 2), (5, 5))}
        found = evaluated("events.::END.energy/events.::END.duration", inputs(), events).points()
        assert found.values.tolist() == [5, 4]

    def test_what_happens_at_different_times_does_not_meet(self):
        events = {END: sparse((5, 10)), DURATION: sparse((6, 2))}
        assert values("events.::END.energy + events.::END.duration", inputs(), events) == {5: None, 6: None}

    def test_they_meet_signals_through_their_average(self):
        given = inputs(a=signal({12: 1, 19: 2}))
        events = {END: sparse((11, 10), (15, 30))}
        assert values("a.x + avg(events.::END.energy, 10)", given, events) == {10: None, 12: 21, 19: 22}

    def test_and_only_so(self):
        with pytest.raises(FormulaError, match="avg"):
            evaluated("a.x + events.::END.energy", ORACLE, {END: sparse((1, 1))})

    def test_none_at_all_is_nothing(self):
        assert values("events.::END.energy*2", inputs(), {END: sparse()}) == {}
        assert values("avg(events.::END.energy, 10)", inputs(), {END: sparse()}) == {}


def test_a_leaf_that_was_not_loaded_is_a_fault_of_the_caller():
    with pytest.raises(KeyError):
        evaluated("a.x", inputs()).points()
    assert Field("a", "x") in ORACLE.signals
