"""Powers, power factors and currents, against the worked figures of engineers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.meters.physics.power import (
    PfConvention,
    apparent,
    factor_size,
    floor_of,
    line_current,
    phase_current,
    power_factor,
    reactive,
    signed_sum,
    uncertainty,
)
from apps.readings.quality import Quality
from tests.meters.physics.meters import floats

NAN = float("nan")


def q(
    real: float,
    *,
    reported: float = NAN,
    apparent: float = NAN,
    factor: float = NAN,
    convention: PfConvention = PfConvention.UNSIGNED,
    polarity: int = 1,
    inverter: bool = False,
) -> tuple[float, int]:
    value, flags = reactive(
        real=floats(real),
        reported=floats(reported),
        apparent=floats(apparent),
        factor=floats(factor),
        convention=convention,
        polarity=polarity,
        inverter=inverter,
    )
    return float(value[0]), int(flags[0])


class TestSourceOfReactivePower:
    def test_what_the_meter_reports_comes_first_and_needs_no_mark(self):
        assert q(100, reported=32.868, apparent=999, factor=0.5) == (32.868, 0)

    def test_apparent_power_comes_second(self):
        value, flags = q(100, apparent=105.263, factor=0.5)
        assert value == pytest.approx(32.868, abs=0.001)
        assert flags == Quality.Q_FROM_S | Quality.Q_ASSUMED

    def test_power_factor_comes_last(self):
        value, flags = q(341.89, factor=0.95)
        assert value == pytest.approx(112.4, abs=0.05)
        assert flags == Quality.Q_ASSUMED

    @pytest.mark.parametrize(("factor", "expected"), [(0.945, 118.3), (0.955, 106.2)])
    def test_two_decimals_of_a_power_factor_leave_a_band(self, factor, expected):
        assert q(341.89, factor=factor)[0] == pytest.approx(expected, abs=0.1)

    def test_nothing_is_known_without_any(self):
        value, flags = q(100)
        assert np.isnan(value)
        assert flags == 0

    def test_a_damaged_apparent_power_is_passed_over_for_the_power_factor(self):
        value, flags = q(100, apparent=50, factor=0.95)
        assert value == pytest.approx(32.868, abs=0.001)
        assert flags == Quality.Q_ASSUMED

    def test_real_power_above_the_apparent_by_rounding_means_no_reactive_power(self):
        assert q(100.2, apparent=100.0) == (0, Quality.Q_FROM_S)

    def test_power_factor_zero_says_nothing_of_the_reactive_power(self):
        assert np.isnan(q(0, factor=0)[0])


class TestSignOfReactivePower:
    @pytest.mark.parametrize(
        ("real", "factor", "sign"),
        [(100, -0.95, 1), (-100, 0.95, 1), (-100, -0.95, -1), (100, 0.95, -1)],
        ids=["Q1 import lagging", "Q2 export leading", "Q3 export lagging", "Q4 import leading"],
    )
    def test_ieee_tells_the_quadrant(self, real, factor, sign):
        value, flags = q(real, factor=factor, convention=PfConvention.IEEE)
        assert value == pytest.approx(sign * 32.868, abs=0.001)
        assert flags == 0

    @pytest.mark.parametrize("convention", [PfConvention.UNSIGNED, PfConvention.IEC])
    def test_the_others_leave_it_to_an_assumption(self, convention):
        assert q(-100, factor=-0.95, convention=convention) == (
            pytest.approx(32.868, abs=0.001),
            Quality.Q_ASSUMED,
        )

    def test_per_cent_is_a_power_factor_times_a_hundred(self):
        assert q(100, factor=95, convention=PfConvention.PERCENT)[0] == pytest.approx(32.868, abs=0.001)

    def test_a_meter_turned_around_turns_reactive_power_with_the_real_one(self):
        assert q(-80, reported=-5, polarity=-1)[0] == 5
        assert q(-80, factor=-0.95, convention=PfConvention.IEEE, polarity=-1)[0] == pytest.approx(
            26.295, abs=0.001
        )

    def test_an_assumed_sign_is_that_of_the_bus_whatever_the_polarity(self):
        assert q(-100, factor=0.95, polarity=-1)[0] > 0

    @pytest.mark.parametrize("factor", [0.99, 1.0])
    def test_an_inverter_near_unity_is_taken_to_supply_none(self, factor):
        assert q(80, factor=factor, inverter=True)[0] == 0
        assert q(80, apparent=80 / factor, inverter=True)[0] == 0

    def test_an_inverter_far_from_unity_supplies_some(self):
        assert q(80, factor=0.9, inverter=True) == (pytest.approx(38.746, abs=0.001), Quality.Q_ASSUMED)


class TestSizeOfPowerFactor:
    @pytest.mark.parametrize("sentinel", [-100.0, 1.5, 32767.0])
    def test_a_sentinel_is_no_power_factor(self, sentinel):
        assert np.isnan(factor_size(floats(sentinel), PfConvention.UNSIGNED)[0])

    def test_rounding_above_one_is_one(self):
        assert factor_size(floats(1.004), PfConvention.IEC)[0] == 1

    def test_minus_a_hundred_is_one_in_per_cent(self):
        assert factor_size(floats(-100), PfConvention.PERCENT)[0] == 1


class TestWhatFollowsFromTheResult:
    @pytest.mark.parametrize(
        ("real", "kva", "factor"), [(20, 38.48, 0.520), (0, 32.87, 0.000), (-30, 44.50, -0.674)]
    )
    def test_the_worked_rows(self, real, kva, factor):
        size = apparent(floats(real), floats(32.868))
        assert size[0] == pytest.approx(kva, rel=5e-4)
        assert power_factor(floats(real), size, floor=floor_of(None))[0] == pytest.approx(factor, abs=0.0005)

    def test_below_the_floor_there_is_no_power_factor(self):
        assert np.isnan(power_factor(floats(0.03), floats(0.049), floor=floor_of(None))[0])
        assert np.isnan(power_factor(floats(1), floats(1.9), floor=floor_of(400))[0])

    def test_current_follows_from_apparent_power_and_voltage(self):
        assert line_current(floats(480.0), floats(480.0))[0] == pytest.approx(577.35, abs=0.01)
        assert phase_current(floats(2.3), floats(230.0))[0] == pytest.approx(10)

    def test_without_a_voltage_there_is_no_current(self):
        assert np.isnan(line_current(floats(10, 10), floats(0, NAN))).all()


class TestSums:
    def test_a_missing_input_makes_the_sum_missing(self):
        total = signed_sum(np.array([[100.0, 100.0], [80.0, NAN]]), floats(1, -1))
        assert total[0] == 20
        assert np.isnan(total[1])

    @pytest.mark.parametrize(
        ("first", "second", "sigma"), [(100, 98, 0.70), (100, 80, 0.64), (100, 20, 0.51)]
    )
    def test_the_difference_of_near_equals_is_uncertain(self, first, second, sigma):
        values = np.array([[first], [second]], np.float64)
        assert uncertainty(values, floats(0.005, 0.005))[0] == pytest.approx(sigma, abs=0.005)

    @given(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3))
    def test_the_residual_of_a_balanced_bus_is_nothing(self, powers):
        solar, battery, utility = powers
        load = solar + battery + utility
        total = signed_sum(np.array([[solar], [battery], [utility], [load]]), floats(1, 1, 1, -1))
        assert total[0] == pytest.approx(0, abs=1e-9)
