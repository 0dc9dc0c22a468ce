"""The merge agrees with a dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.readings.arrivals import after, settle, touched
from apps.readings.codec import Arrival, Tombstone
from apps.readings.samples import EMPTY, Samples, find, merge
from tests.readings.building import NAN, as_dict, samples

readings = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1.0, 2.0, -0.0, 0.0, NAN])), max_size=20)


def part(entries: list[tuple[int, float]]) -> Samples:
    return Samples(
        np.array([stamp for stamp, _ in entries], np.int64),
        np.array([value for _, value in entries], np.float64),
    )


def arrival(series: list[int], stamps: list[int], *rows: list[float]) -> Arrival:
    values = np.array(rows, np.float64).reshape(len(series), len(stamps))
    return Arrival(np.array(series, np.int64), np.array(stamps, np.int64), values)


@given(st.lists(readings, max_size=6))
def test_parts_merge_as_a_dictionary_updates(parts: list[list[tuple[int, float]]]) -> None:
    known: dict[int, float] = {}
    for entries in parts:
        known |= {stamp: value for stamp, value in entries if value == value}
    merged = merge([part(entries) for entries in parts])
    assert as_dict(merged) == known
    assert merged.stamps.tolist() == sorted(known)


@given(st.lists(st.one_of(readings, st.tuples(st.integers(0, 30), st.integers(0, 31))), max_size=8))
def test_withdrawals_remove_what_arrived_before_them(
    steps: list[list[tuple[int, float]] | tuple[int, int]],
) -> None:
    known = {5: 50.0, 6: 60.0}
    arrivals: list[Arrival | Tombstone] = []
    for step in steps:
        if isinstance(step, tuple):
            arrivals.append(Tombstone((1,), *step))
            known = {stamp: value for stamp, value in known.items() if not step[0] <= stamp < step[1]}
        else:
            arrivals.append(arrival([1], [stamp for stamp, _ in step], [value for _, value in step]))
            known |= {stamp: value for stamp, value in step if value == value}
    settled = settle({1: samples({5: 50.0, 6: 60.0})}, arrivals, [1])
    assert as_dict(settled[1]) == known


def test_only_the_series_asked_for_are_settled() -> None:
    arrivals = [arrival([1, 2], [5], [1.0], [2.0]), Tombstone((3,), 0, 9)]
    assert touched(arrivals) == {1, 2, 3}
    assert list(settle({}, arrivals, [2])) == [2]


def test_a_floor_drops_readings_counts_them_and_limits_withdrawals() -> None:
    kept, dropped = after(10, [arrival([1, 2], [9, 10], [1.0, 2.0], [NAN, 4.0]), Tombstone((1,), 0, 20)])
    assert dropped == 1
    first, second = kept
    assert isinstance(first, Arrival)
    assert (first.stamps.tolist(), first.values.tolist()) == ([10], [[2.0], [4.0]])
    assert second == Tombstone((1,), 10, 20)


def test_equality_is_of_bits() -> None:
    assert samples({1: 0.0}).equals(samples({1: 0.0}))
    assert not samples({1: 0.0}).equals(samples({1: -0.0}))
    assert not samples({1: 0.0}).equals(samples({2: 0.0}))
    assert not samples({1: 0.0}).equals(EMPTY)


def test_equal_vectors_are_found() -> None:
    vectors = [np.array([1, 2]), np.array([1, 2, 3])]
    assert find(np.array([1, 2, 3]), vectors) == 1
    assert find(np.array([3]), vectors) is None
