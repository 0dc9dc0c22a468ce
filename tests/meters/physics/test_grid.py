"""Readings at their own times, on one grid."""

from __future__ import annotations

import numpy as np
import pytest

from apps.meters.physics.grid import Rhythm, averages, edges, flags_at, instants, register_at, step_of
from apps.readings.counters import START, advance
from tests.meters.physics.meters import BASE, HOUR, MINUTE, QUARTER, every, floats, growing, minutes, samples

NAN = float("nan")
HOURLY = edges(QUARTER, BASE + 1, BASE + HOUR + 1)  # four quarters


def totals(stamps: np.ndarray, values: np.ndarray, interval: int = QUARTER, at: np.ndarray = HOURLY) -> list:
    found = register_at(advance(START, stamps, values).advances, at, interval)
    return np.round(found.values, 6).tolist()


class TestStep:
    def test_the_slowest_meter_decides(self):
        assert step_of([MINUTE, QUARTER]) == QUARTER

    def test_a_setting_forces_another(self):
        assert step_of([MINUTE, QUARTER], forced=HOUR) == HOUR

    def test_odd_intervals_are_rounded_up(self):
        assert step_of([373_000]) == 10 * MINUTE
        assert step_of([10_000]) == MINUTE

    def test_what_is_slower_than_an_hour_is_read_by_the_hour(self):
        assert step_of([24 * HOUR]) == HOUR


class TestEdges:
    def test_they_bound_the_intervals_that_end_in_the_range(self):
        assert edges(QUARTER, BASE, BASE + HOUR).tolist() == every(QUARTER, 5, BASE - QUARTER).tolist()

    def test_an_interval_that_ends_with_the_range_belongs_to_the_next(self):
        assert edges(QUARTER, BASE, BASE + 24 * HOUR)[-1] == BASE + 24 * HOUR - QUARTER


class TestRegisters:
    def test_between_readings_around_an_edge_the_line_is_right(self):
        stamps = minutes(-7, 9, 22, 38, 51, 66)
        assert totals(stamps, growing(60.0)(stamps)) == [7, 22, 37, 52, 67]

    def test_a_reading_at_an_edge_is_exact_whatever_is_beside(self):
        found = totals(minutes(0, 15, 60), floats(1000, 1005, 1020))
        assert (found[0], found[1], found[4]) == (0, 5, 20)

    def test_neighbours_two_intervals_away_still_vouch_for_an_edge(self):
        found = totals(minutes(0, 45, 60), floats(1000, 1003, 1004))
        assert found == [0, 1, 2, 3, 4]

    def test_further_away_the_course_is_not_known_but_the_total_is(self):
        found = totals(minutes(0, 46, 60), floats(1000, 1009.2, 1012))
        assert np.isnan(found).tolist() == [False, True, False, True, False]
        assert found[4] == 12

    def test_before_the_first_and_after_the_last_reading_nothing_is_known(self):
        found = totals(minutes(5, 20, 35), floats(1, 2, 3))
        assert np.isnan(found).tolist() == [True, False, False, True, True]

    def test_over_a_reset_the_total_is_what_the_new_register_shows(self):
        found = totals(minutes(0, 15, 30, 45, 60, 75, 90), floats(1000, 1005, 2, 7, 12, 17, 22))
        assert found[:2] == [0, 5]
        later = edges(QUARTER, BASE + 75 * MINUTE, BASE + 91 * MINUTE)
        assert totals(minutes(0, 15, 30, 45, 60, 75, 90), floats(1000, 1005, 2, 7, 12, 17, 22), at=later)[
            1:
        ] == [22, 27]

    def test_without_readings_nothing_is_known(self):
        assert np.isnan(totals(np.empty(0, np.int64), np.empty(0))).all()

    def test_a_quarantined_step_breaks_the_run(self):
        stamps = minutes(*range(0, 61, 5))
        values = np.concatenate((1000 + np.arange(6.0), 300 + np.arange(7.0)))
        found = register_at(advance(START, stamps, values).advances, HOURLY, 5 * MINUTE)
        assert found.runs[0] != found.runs[-1]


class TestAverages:
    def means(
        self, stamps: np.ndarray, values: np.ndarray, interval: int = QUARTER, **options: float
    ) -> list:
        return averages(
            samples(stamps, lambda _: values), HOURLY, Rhythm.of(interval), **options
        ).values.tolist()

    def test_on_the_grid_they_are_what_they_are(self):
        assert self.means(minutes(15, 30, 45, 60), floats(1, 2, 3, 4)) == [1, 2, 3, 4]

    def test_off_the_grid_each_counts_for_the_time_it_shares(self):
        found = self.means(minutes(5, 20, 35, 50, 65), floats(0, 3, 6, 9, 12))
        assert found == pytest.approx([2, 5, 8, 11])

    def test_faster_ones_are_averaged(self):
        stamps = minutes(*range(1, 61))
        found = self.means(stamps, np.arange(60.0), MINUTE)
        assert found == pytest.approx([7, 22, 37, 52])

    def test_a_mean_does_not_speak_for_the_interval_missing_before_it(self):
        found = self.means(minutes(15, 45, 60), floats(1, 3, 4))
        assert found[0] == 1
        assert np.isnan(found[1])
        assert found[2:] == [3, 4]

    def test_four_fifths_of_an_interval_suffice_and_less_does_not(self):
        stamps = minutes(*range(1, 13))  # 12 of 15 minutes
        assert self.means(stamps, np.full(12, 5.0), MINUTE)[0] == 5
        assert np.isnan(self.means(stamps[:-1], np.full(11, 5.0), MINUTE)[0])
        assert self.means(stamps[:-1], np.full(11, 5.0), MINUTE, coverage=0.5)[0] == 5


class TestInstants:
    def found(
        self, stamps: np.ndarray, values: np.ndarray, interval: int = QUARTER, tolerance: int | None = None
    ):
        return instants(samples(stamps, lambda _: values), HOURLY, Rhythm.of(interval, tolerance))

    def test_within_the_tolerance_they_are_taken_as_they_are(self):
        found = self.found(minutes(14.5, 30.9, 45, 59.1), floats(1, 2, 3, 4))
        assert found.values.tolist() == [1, 2, 3, 4]
        assert not found.lines.any()

    def test_further_off_the_line_between_neighbours_is_taken_and_marked(self):
        found = self.found(minutes(5, 20, 35, 50, 65), floats(0, 3, 6, 9, 12))
        assert found.values.tolist() == [2, 5, 8, 11]
        assert found.lines.all()

    def test_neighbours_too_far_apart_say_nothing(self):
        found = self.found(minutes(5, 28, 52), floats(0, 23, 47))
        assert np.isnan(found.values[0])

    def test_nothing_is_held_after_the_last_reading(self):
        assert np.isnan(self.found(minutes(15, 30), floats(1, 2)).values[2:]).all()

    def test_the_tolerance_is_half_an_interval_and_a_minute_at_most(self):
        assert Rhythm.of(MINUTE).tolerance == MINUTE // 2
        assert Rhythm.of(QUARTER).tolerance == MINUTE
        assert Rhythm.of(QUARTER, 0).tolerance == 0

    def test_a_faster_meter_is_averaged_over_the_interval(self):
        stamps = minutes(*range(61))
        assert self.found(stamps, np.arange(61.0), MINUTE).values.tolist() == pytest.approx(
            [7.5, 22.5, 37.5, 52.5]
        )

    def test_without_readings_there_is_nothing(self):
        assert np.isnan(self.found(np.empty(0, np.int64), np.empty(0)).values).all()


def test_flags_are_those_of_the_rows_that_shaped_an_interval():
    stamps = minutes(1, 20, 50)
    assert flags_at(stamps, np.array([1, 4, 2]), HOURLY, 0).tolist() == [1, 4, 0, 2]
    assert flags_at(stamps, np.array([1, 4, 2]), HOURLY, 5 * MINUTE).tolist() == [5, 4, 2, 2]
    assert flags_at(stamps, np.zeros(3, np.int64), HOURLY, 0).tolist() == [0, 0, 0, 0]
