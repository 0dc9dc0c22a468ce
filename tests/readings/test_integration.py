"""Integrals over bins, against sums of exact fractions and against numbers worked out by hand."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import fsum, isnan
from time import process_time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.readings import calendar
from apps.readings.integration import (
    HOUR_MS,
    coverage,
    integrate,
    lengths_at,
    max_gap,
    mean,
    reach,
)

MINUTE = 60_000
GAP = 5 * MINUTE
BASE = 1_735_689_600_000  # 2025-01-01


def at(*minutes: float) -> np.ndarray:
    return np.array([BASE + round(minute * MINUTE) for minute in minutes], np.int64)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def integrated(kind: str, minutes: Any, values: Any, edges: Any, **options: Any) -> tuple[list, list]:
    """Integral in unit·minutes and coverage in minutes, which are easier to read."""
    options = {"max_gap": GAP, **options}
    integral, covered = integrate(kind, at(*minutes), floats(*values), at(*edges), **options)
    return [pytest.approx(area * 60) for area in integral], [lasting / MINUTE for lasting in covered]


class TestGauge:
    def test_a_line_between_two_readings_is_cut_at_the_edge(self):
        # 0 → 4 kW over four minutes: 2 kW·min until it is at 2 kW, 6 after.
        assert integrated("gauge", [0, 4], [0, 4], [0, 2, 4]) == ([2, 6], [2, 2])

    def test_a_line_across_several_bins_shapes_each(self):
        assert integrated("gauge", [0, 4], [0, 4], [0, 1, 2, 3, 4]) == ([0.5, 1.5, 2.5, 3.5], [1, 1, 1, 1])

    def test_readings_outside_the_range_shape_its_ends(self):
        assert integrated("gauge", [-2, 2, 6], [0, 4, 0], [0, 4]) == ([12], [4])

    def test_a_gap_as_long_as_max_gap_is_bridged(self):
        assert integrated("gauge", [0, 5], [6, 6], [0, 10]) == ([30], [5])

    def test_a_longer_gap_is_not_covered(self):
        assert integrated("gauge", [0, 5.001, 6.001], [6, 6, 6], [0, 10]) == ([6], [1])

    def test_a_gap_stays_one_where_edges_cut_it_into_short_pieces(self):
        assert integrated("gauge", [0, 8], [6, 6], [0, 2, 4, 6, 8]) == ([0, 0, 0, 0], [0, 0, 0, 0])

    def test_a_reading_on_an_edge_ends_one_bin_and_begins_the_next(self):
        assert integrated("gauge", [0, 2, 4], [1, 3, 1], [0, 2, 4]) == ([4, 4], [2, 2])

    def test_a_sign_is_kept(self):
        assert integrated("gauge", [0, 4], [-2, -4], [0, 4]) == ([-12], [4])

    @pytest.mark.parametrize("count", [0, 1])
    def test_fewer_than_two_readings_cover_nothing(self, count):
        assert integrated("gauge", range(count), [7.0] * count, [0, 2]) == ([0], [0])


class TestInterval:
    def test_a_value_covers_its_length_before_its_stamp(self):
        answer = integrated("interval", [15, 30], [2, 4], [0, 10, 20, 30], lengths=floats(15, 15) * MINUTE)
        assert answer == ([20, 10 + 20, 40], [10, 10, 10])

    def test_a_length_may_exceed_max_gap(self):
        assert integrated("interval", [60], [3], [0, 60], lengths=floats(60) * MINUTE) == ([180], [60])

    def test_what_lies_between_intervals_is_not_covered(self):
        answer = integrated("interval", [10, 20], [6, 6], [0, 20], lengths=floats(5, 2) * MINUTE)
        assert answer == ([42], [7])

    def test_an_overlap_counts_once_and_belongs_to_the_earlier_interval(self):
        answer = integrated("interval", [10, 15], [6, 2], [0, 15], lengths=floats(10, 10) * MINUTE)
        assert answer == ([60 + 10], [15])

    def test_without_a_length_a_value_reaches_back_to_a_near_reading(self):
        answer = integrated("interval", [0, 5, 11, 12], [9, 2, 9, 4], [0, 15])
        assert answer == ([10 + 4], [6])

    def test_unknown_lengths_mix_with_known_ones(self):
        answer = integrated(
            "interval", [0, 4, 8], [9, 2, 3], [0, 8], lengths=floats(np.nan, 1, np.nan) * MINUTE
        )
        assert answer == ([2 + 12], [5])

    def test_a_stamp_after_the_range_reaches_into_it(self):
        assert integrated("interval", [20], [3], [0, 10], lengths=floats(15) * MINUTE) == ([15], [5])

    @pytest.mark.parametrize("length", [0, -60_000])
    def test_an_empty_length_covers_nothing(self, length):
        assert integrated("interval", [5], [3], [0, 10], lengths=floats(length)) == ([0], [0])

    def test_an_absurd_length_is_clipped_at_the_reading_before(self):
        assert integrated("interval", [2, 5], [0, 3], [2, 10], lengths=floats(0, 1e300)) == ([9], [3])


class TestStep:
    def test_a_value_holds_until_the_next(self):
        assert integrated("step", [0, 3, 4], [1, 5, 0], [0, 2, 4]) == ([2, 6], [2, 2])

    def test_a_value_holds_no_longer_than_max_gap(self):
        assert integrated("step", [0, 60], [2, 2], [0, 30, 60, 90]) == ([10, 0, 10], [5, 0, 5])

    def test_the_last_value_holds_past_its_stamp(self):
        assert integrated("step", [0], [2], [1, 3]) == ([4], [2])


class TestOtherKinds:
    def test_a_counter_is_refused(self):
        with pytest.raises(ValueError, match="counter"):
            integrated("counter", [0, 1], [1, 2], [0, 1])

    def test_an_unknown_kind_is_refused(self):
        with pytest.raises(ValueError, match="“guess” is not a kind"):
            integrated("guess", [0, 1], [1, 2], [0, 1])


class TestDerivedNumbers:
    def test_the_mean_is_over_covered_time_alone(self):
        integral, covered = integrate("gauge", at(0, 4), floats(2, 4), at(0, 10, 20), max_gap=GAP)
        means = mean(integral, covered)
        assert means[0] == pytest.approx(3)
        assert isnan(means[1])

    def test_a_true_zero_is_not_missing(self):
        integral, covered = integrate("gauge", at(0, 4), floats(0, 0), at(0, 4), max_gap=GAP)
        assert mean(integral, covered).tolist() == [0.0]

    def test_coverage_is_a_part_of_the_bin(self):
        edges = at(0, 10, 20)
        _, covered = integrate("gauge", at(0, 4), floats(2, 4), edges, max_gap=GAP)
        assert coverage(covered, edges).tolist() == [0.4, 0.0]

    @pytest.mark.parametrize(
        ("cadence", "expected"),
        [(None, 300_000), (0.5, 300_000), (10, 300_000), (100, 300_000), (900, 2_700_000)],
    )
    def test_max_gap_is_thrice_the_cadence_and_five_minutes_at_least(self, cadence, expected):
        assert max_gap(cadence) == expected

    def test_lengths_are_found_by_stamp(self):
        found = lengths_at(at(0, 1, 2, 9), at(1, 2, 3), floats(10, 20, 30))
        assert np.array_equal(found, floats(np.nan, 10, 20, np.nan), equal_nan=True)

    def test_no_recorded_lengths_are_all_unknown(self):
        assert np.isnan(lengths_at(at(0, 1), at(), floats())).tolist() == [True, True]


KINDS = st.sampled_from(["gauge", "interval", "step"])


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """Readings with every spacing from a millisecond to beyond the gap, and edges among and beside them."""
    step = st.one_of(st.integers(1, 1000), st.integers(1, 2 * GAP), st.just(GAP), st.just(GAP + 1))
    gaps = draw(st.lists(step, max_size=25))
    stamps = BASE + np.cumsum([0, *gaps])[: draw(st.integers(0, len(gaps) + 1))]
    number = st.floats(-1e6, 1e6, allow_subnormal=False)
    values = draw(st.lists(number, min_size=stamps.size, max_size=stamps.size))
    length = st.one_of(st.just(np.nan), st.integers(0, 3 * GAP).map(float))
    lengths = draw(st.none() | st.lists(length, min_size=stamps.size, max_size=stamps.size))
    anywhere = st.integers(BASE - 2 * GAP, BASE + 26 * GAP)
    edge = anywhere | st.sampled_from(stamps.tolist()) if stamps.size else anywhere
    bounds = draw(st.lists(edge, min_size=2, max_size=12, unique=True))
    return {
        "kind": draw(KINDS),
        "stamps": stamps.astype(np.int64),
        "values": np.array(values, np.float64),
        "edges": np.array(sorted(bounds), np.int64),
        "lengths": None if lengths is None else np.array(lengths, np.float64),
    }


def exact_stretches(kind: str, stamps: list, values: list, lengths: list | None) -> list[tuple]:
    """(begin, end, value at begin, value at end) as the rules say them, reading by reading."""
    found = []
    for place, (stamp, value) in enumerate(zip(stamps, values, strict=True)):
        before = stamps[place - 1] if place else None
        after = stamps[place + 1] if place + 1 < len(stamps) else None
        if kind == "gauge" and after is not None and after - stamp <= GAP:
            found.append((stamp, after, value, values[place + 1]))
        if kind == "step":
            found.append((stamp, stamp + GAP if after is None else min(after, stamp + GAP), value, value))
        if kind == "interval":
            length = lengths[place] if lengths else np.nan
            if isnan(length):
                length = stamp - before if before is not None and stamp - before <= GAP else 0
            begin = stamp - round(length)
            found.append((begin if before is None else max(begin, before), stamp, value, value))
    return found


def exact(case: dict[str, Any]) -> tuple[list[Fraction], list[Fraction], list[int]]:
    """Integrals and integrals of absolute values as fractions (unit·h), and covered ms."""
    values = [Fraction(value) for value in case["values"].tolist()]
    lengths = None if case["lengths"] is None else case["lengths"].tolist()
    stretches = exact_stretches(case["kind"], case["stamps"].tolist(), values, lengths)
    bounds = case["edges"].tolist()
    bins = [exact_bin(stretches, low, high) for low, high in pairwise(bounds)]
    areas, sizes, covered = zip(*bins, strict=True)
    return list(areas), list(sizes), list(covered)


def exact_bin(stretches: list[tuple], low: int, high: int) -> tuple[Fraction, Fraction, int]:
    area, size, covered = Fraction(0), Fraction(0), 0
    for begin, end, first, last in stretches:
        lower, upper = max(begin, low), min(end, high)
        if lower < upper:
            middle = first + (last - first) * Fraction(lower + upper - 2 * begin, 2 * (end - begin))
            area += middle * (upper - lower) / HOUR_MS
            size += max(abs(first), abs(last)) * (upper - lower) / HOUR_MS
            covered += upper - lower
    return area, size, covered


class TestExactness:
    @given(cases())
    def test_integrals_and_coverage_equal_exact_fractions(self, case):
        integral, covered = integrate(**case, max_gap=GAP)
        areas, sizes, lasting = exact(case)
        assert covered.tolist() == lasting
        for found, area, size in zip(integral.tolist(), areas, sizes, strict=True):
            assert abs(Fraction(found) - area) <= size * Fraction(1, 10**12)

    @given(cases())
    def test_bins_add_up_to_the_whole(self, case):
        parts, covered_parts = integrate(**case, max_gap=GAP)
        whole, covered = integrate(**{**case, "edges": case["edges"][[0, -1]]}, max_gap=GAP)
        scale = np.abs(case["values"]).max(initial=0) * covered[0] / HOUR_MS
        assert covered_parts.sum() == covered[0]
        assert abs(fsum(parts) - whole[0]) <= 1e-12 * scale

    @given(cases())
    def test_readings_beyond_the_reach_change_nothing(self, case):
        before, after = reach(case["kind"], max_gap=GAP)
        low, high = case["edges"][0] - before, case["edges"][-1] + after
        near = (case["stamps"] >= low) & (case["stamps"] <= high)
        trimmed = {name: case[name][near] for name in ("stamps", "values")}
        if case["lengths"] is not None:
            trimmed["lengths"] = case["lengths"][near]
        everything = integrate(**case, max_gap=GAP)
        enough = integrate(**{**case, **trimmed}, max_gap=GAP)
        assert all(np.array_equal(a, b) for a, b in zip(everything, enough, strict=True))

    def test_ninety_days_lose_no_digits(self):
        stamps, values, edges = ninety_days("1d")
        exact_sum = exact_line(stamps, values)
        whole, _ = integrate("gauge", stamps, values, edges[[0, -1]], max_gap=GAP)
        days, _ = integrate("gauge", stamps, values, edges, max_gap=GAP)
        hours, _ = integrate("gauge", stamps, values, ninety_days("1h")[2], max_gap=GAP)
        for answer in (whole[0], fsum(days), fsum(hours)):
            assert answer == pytest.approx(exact_sum, rel=1e-12)

    def test_hours_add_up_to_their_day_beside_a_huge_one(self):
        stamps, values, edges = ninety_days("1d")
        values[: 10 * 8640] = 1e15  # a running sum would swallow the digits of all later days
        days, _ = integrate("gauge", stamps, values, edges, max_gap=GAP)
        near = (stamps > edges[-3] - GAP) & (stamps < edges[-2] + GAP)
        hours = calendar.edges("Europe/Brussels", "1h", int(edges[-3]), int(edges[-2]))
        parts, _ = integrate("gauge", stamps[near], values[near], hours, max_gap=GAP)
        assert fsum(parts) == pytest.approx(days[-2], rel=1e-12)


def ninety_days(every: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Readings each 10 s with jitter over 90 local days, one with a change of the clock, and their edges."""
    rng = np.random.default_rng(90)
    count = 90 * 8640
    stamps = BASE + np.arange(count) * 10_000 + rng.integers(-200, 200, count)
    edges = calendar.edges("Europe/Brussels", every, int(stamps[0]), int(stamps[-1]) + 1)
    return stamps, 230 + 5 * rng.standard_normal(count), edges


def exact_line(stamps: np.ndarray, values: np.ndarray) -> float:
    return fsum((values[1:] + values[:-1]) * np.diff(stamps)) / (2 * HOUR_MS)


def test_ninety_days_take_tens_of_nanoseconds_a_reading():
    stamps, values, edges = ninety_days("1h")
    began = process_time()
    integrate("gauge", stamps, values, edges, max_gap=GAP)
    assert (process_time() - began) / stamps.size < 200e-9
