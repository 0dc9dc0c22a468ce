"""The voltage and frequency of a bus, from what its meters say."""

from __future__ import annotations

import numpy as np
import pytest

from apps.meters.physics.voltage import first, of_bus
from apps.readings.quality import Quality

NAN = float("nan")


def bus(*volts: float) -> tuple[float, int]:
    value, flags = of_bus(np.array(volts, np.float64)[:, None])
    return float(value[0]), int(flags[0])


def test_two_that_agree_give_their_mean():
    assert bus(280.9, 280.7) == (pytest.approx(280.8), 0)


def test_the_only_one_is_taken_and_marked():
    assert bus(NAN, 280.7) == (280.7, Quality.V_SINGLE)
    assert bus(231.0) == (231.0, Quality.V_SINGLE)


def test_a_meter_that_says_zero_says_nothing():
    assert bus(0.0, 280.7) == (280.7, Quality.V_SINGLE)


def test_more_than_three_per_cent_apart_the_reference_meter_is_right():
    assert bus(280.0, 270.0) == (280.0, Quality.V_MISMATCH)
    assert bus(270.0, 280.0) == (270.0, Quality.V_MISMATCH)


def test_just_below_three_per_cent_is_agreement():
    assert bus(100.0, 102.9) == (pytest.approx(101.45), 0)


@pytest.mark.parametrize("pair", [(277.0, 120.0), (208.0, 480.0), (480.0, 240.0), (230.0, 398.4)])
def test_like_two_sides_of_a_transformer_they_are_not_one_bus(pair):
    value, flags = bus(*pair)
    assert np.isnan(value)
    assert flags == Quality.OTHER_BUS


def test_none_gives_none():
    value, flags = bus(NAN, NAN)
    assert np.isnan(value)
    assert flags == 0


def test_each_instant_stands_for_itself():
    value, flags = of_bus(np.array([[230.0, NAN, 230.0], [232.0, 231.0, 110.0]]))
    assert value.tolist() == [231.0, 231.0, 230.0]
    assert flags.tolist() == [0, Quality.V_SINGLE, Quality.V_MISMATCH]


def test_frequency_is_that_of_the_first_that_tells():
    assert first(np.array([[50.01, NAN], [49.9, 49.99]])).tolist() == [50.01, 49.99]
    assert np.isnan(first(np.empty((0, 2)))).all()
