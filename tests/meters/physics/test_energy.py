"""The energy of meters over a grid, over gaps and when meters come and go."""

from __future__ import annotations

import numpy as np
import pytest

from apps.meters.physics.energy import LONGEST_BRIDGE_MS, combine, course, difference
from apps.meters.physics.grid import Totals
from tests.meters.physics.meters import BASE, HOUR, QUARTER, every, floats

NAN = float("nan")
EDGES = every(QUARTER, 5)
ALWAYS = np.ones(4, np.bool_)
UNKNOWN = Totals(np.full(5, NAN), np.zeros(5, np.int64))


def register(*values: float, runs: tuple[int, ...] = (0, 0, 0, 0, 0)) -> Totals:
    return Totals(floats(*values), np.array(runs))


def rows(found) -> list[tuple[int, int, float, bool]]:
    """Ends and lengths in quarters."""
    ends, lengths = ((found.ends - BASE) // QUARTER).tolist(), (found.lengths // QUARTER).tolist()
    return list(zip(ends, lengths, found.energies.tolist(), found.bridged.tolist(), strict=True))


def test_intervals_that_all_know_are_added_one_by_one():
    load = course(floats(4, 4, 4, 4), UNKNOWN, ALWAYS)
    solar = course(floats(1, 2, NAN, 4), UNKNOWN, ALWAYS)
    assert rows(combine([load, solar], [1, -1], EDGES)) == [
        (1, 1, 3, False),
        (2, 1, 2, False),
        (4, 1, 0, False),
    ]


def test_a_gap_that_a_register_vouches_for_has_a_sum():
    load = course(floats(4, 4, 4, 4), UNKNOWN, ALWAYS)
    solar = course(floats(1, NAN, NAN, 4), register(10, 11, NAN, 17, 21), ALWAYS)
    assert rows(combine([load, solar], [1, -1], EDGES)) == [
        (1, 1, 3, False),
        (3, 2, 2, True),
        (4, 1, 0, False),
    ]


def test_two_gaps_beside_each_other_are_told_apart():
    load = course(floats(4, NAN, 4, 4), register(0, 4, 8, 12, 16), ALWAYS)
    solar = course(floats(1, 1, NAN, 4), register(0, 1, 2, 3, 7), ALWAYS)
    assert [row[:2] for row in rows(combine([load, solar], [1, -1], EDGES))] == [
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 1),
    ]


def test_a_step_that_nobody_decided_on_is_not_bridged():
    solar = course(floats(1, NAN, NAN, 4), register(10, 11, NAN, 17, 21, runs=(0, 0, 0, 1, 1)), ALWAYS)
    assert rows(combine([solar], [1], EDGES)) == [(1, 1, 1, False), (4, 1, 4, False)]


def test_a_gap_of_more_than_most_of_a_day_stays_one():
    count = LONGEST_BRIDGE_MS // HOUR + 2
    edges = every(HOUR, count + 1)
    parts = np.full(count, NAN)
    parts[-1] = 1
    long = course(
        parts, Totals(np.arange(count + 1.0), np.zeros(count + 1, np.int64)), np.ones(count, np.bool_)
    )
    assert combine([long], [1], edges).ends.tolist() == [edges[-1]]


def test_a_meter_that_does_not_count_yet_adds_nothing_and_is_not_missed():
    load = course(floats(4, 4, 4, 4), UNKNOWN, ALWAYS)
    battery = course(floats(NAN, NAN, 1, 1), UNKNOWN, np.array([False, False, True, True]))
    assert [row[2] for row in rows(combine([load, battery], [1, -1], EDGES))] == [4, 4, 3, 3]


def test_no_gap_is_bridged_over_the_day_a_meter_comes():
    battery = course(floats(NAN, NAN, NAN, 1), register(0, 1, 2, 3, 4), np.array([False, True, True, True]))
    assert rows(combine([battery], [1], EDGES))[0] == (1, 1, 0, False)


def test_import_less_export_is_known_where_both_are():
    both = difference(
        register(10, 20, NAN, 40, 50, runs=(0, 0, 0, 1, 1)), register(0, 1, 2, 3, 9, runs=(0, 0, 0, 0, 1))
    )
    assert both.values[:2].tolist() == [10, 19]
    assert np.isnan(both.values[2])
    assert both.runs.tolist() == [0, 0, 0, 1, 2]


@pytest.mark.parametrize("coefficients", [[1, 1], [1, -1]])
def test_powers_are_energies_over_their_lengths(coefficients):
    load = course(floats(4, NAN, NAN, 4), register(0, 4, NAN, 12, 16), ALWAYS)
    flat = course(floats(0, 0, 0, 0), UNKNOWN, ALWAYS)
    assert combine([load, flat], coefficients, EDGES).powers.tolist() == [16, 16, 16]
