"""The missing meter, worked out: the tables that engineers check, and the data that real loggers send."""

from __future__ import annotations

import numpy as np
import pytest

from apps.meters.physics.balance import Target
from apps.meters.physics.derivation import Input, Recipe, derive
from apps.meters.physics.grid import edges
from apps.meters.physics.power import PfConvention, uncertainty
from apps.readings.counters import Decision
from apps.readings.integration import integrate
from apps.readings.quality import Quality
from apps.readings.samples import EMPTY, Samples
from tests.meters.physics.meters import (
    BASE,
    HOUR,
    MINUTE,
    QUARTER,
    ends,
    every,
    floats,
    growing,
    lengths,
    meter,
    minutes,
    quality,
    samples,
    values,
    work_out,
)

DAY = 24 * HOUR
GRID = every(QUARTER, 6, BASE - QUARTER)
Q = 32.868


class TestWorkedTable:
    """Load 100 kW at PF 0.95 lagging, solar at unity."""

    def utility(self, solar_kw: float, **how):
        load = meter("load", GRID, power=100.0, **(how or {"reactive_power": Q}))
        return work_out("utility", load, meter("solar", GRID, power=solar_kw, power_factor=1.0))

    @pytest.mark.parametrize(
        ("solar_kw", "real", "kva", "factor"),
        [(80, 20, 38.48, 0.520), (100, 0, 32.87, 0.000), (130, -30, 44.50, -0.674)],
    )
    def test_reported_reactive_power(self, solar_kw, real, kva, factor):
        found = self.utility(solar_kw)
        assert values(found, "power") == [real] * 4
        assert values(found, "reactive_power") == pytest.approx([32.87] * 4, rel=5e-4)
        assert values(found, "apparent_power") == pytest.approx([kva] * 4, rel=5e-4)
        assert values(found, "power_factor") == pytest.approx([factor] * 4, abs=5e-4)

    def test_apparent_power_gives_the_same_and_says_so(self):
        found = self.utility(80, apparent_power=100 / 0.95)
        assert values(found, "power_factor") == pytest.approx([0.520] * 4, abs=5e-4)
        assert quality(found, BASE + HOUR) == Quality.Q_FROM_S | Quality.Q_ASSUMED

    def test_power_factor_gives_the_same_and_says_so(self):
        found = self.utility(130, power_factor=0.95)
        assert values(found, "power_factor") == pytest.approx([-0.674] * 4, abs=5e-4)
        assert quality(found, BASE + HOUR) == Quality.Q_ASSUMED

    def test_the_load_from_solar_and_utility(self):
        utility = meter("utility", GRID, power=20.0, reactive_power=32.87)
        found = work_out("load", utility, meter("solar", GRID, power=80.0, power_factor=1.0))
        assert values(found, "power") == [100] * 4
        assert values(found, "power_factor") == pytest.approx([0.950] * 4, abs=5e-4)

    def test_the_solar_power_from_load_and_utility(self):
        utility = meter("utility", GRID, power=-30.0, reactive_power=Q)
        found = work_out("solar", utility, meter("load", GRID, power=100.0, reactive_power=Q))
        assert values(found, "power") == [130] * 4
        assert values(found, "power_factor") == [1] * 4

    def test_three_meters_leave_a_residual(self):
        found = work_out(
            "residual",
            meter("solar", GRID, power=80.0),
            meter("utility", GRID, power=21.0),
            meter("load", GRID, power=100.0),
        )
        assert values(found, "power") == [1] * 4
        assert "power_factor" not in found.fields

    def test_several_meters_of_a_role_over_several_loggers(self):
        found = work_out(
            "utility",
            meter("load", GRID, power=100.0),
            meter("solar", GRID, power=30.0, name="roof"),
            meter("solar", GRID, power=50.0, name="carport"),
            meter("battery", GRID, power=5.0),
        )
        assert values(found, "power") == [15] * 4
        assert values(found, "solar_power") == [80] * 4

    def test_a_signed_sum_of_anything(self):
        found = work_out(
            "sum",
            *[meter("plus", GRID, power=10.0, name=f"{n}") for n in range(5)],
            meter("minus", GRID, power=8.0),
        )
        assert values(found, "power") == [42] * 4

    def test_without_solar_the_utility_is_the_load(self):
        assert values(work_out("utility", meter("load", GRID, power=100.0)), "power") == [100] * 4


class TestPolarity:
    def test_a_reversed_meter_is_turned_with_its_reactive_power(self):
        found = work_out(
            "utility",
            meter("load", GRID, power=100.0, reactive_power=Q),
            meter("solar", GRID, power=-80.0, reactive_power=-5.0, polarity=-1),
        )
        assert values(found, "power") == [20] * 4
        assert values(found, "reactive_power") == pytest.approx([Q - 5] * 4)
        assert values(found, "solar_power") == [80] * 4

    def test_registers_of_both_directions_are_turned_as_well(self):
        solar = meter(
            "solar", GRID, polarity=-1, energy_import=growing(1.0), energy_export=growing(81.0), power=-80.0
        )
        assert values(
            work_out("utility", meter("load", GRID, power=100.0), solar), "solar_power"
        ) == pytest.approx([80] * 4)

    def test_it_may_change_on_a_date(self):
        turned = BASE + 30 * MINUTE
        kw = samples(GRID, lambda stamps: np.where(stamps > turned, 80.0, -80.0))
        found = work_out(
            "utility",
            meter("load", GRID, power=100.0),
            meter("solar", GRID, power=kw, polarity=-1, until=turned),
            meter("solar", GRID, power=kw, since=turned),
        )
        assert values(found, "power") == [20] * 4


class TestEnergy:
    def test_registers_beat_means_and_means_beat_instants(self):
        register = meter("load", GRID, energy=growing(100.0), demand=50.0, power=25.0)
        mean = meter("load", GRID, demand=50.0, power=25.0)
        assert values(work_out("utility", register), "power") == pytest.approx([100] * 4)
        assert values(work_out("utility", mean), "power") == [50] * 4

    def test_a_register_of_one_direction_is_half_the_truth_of_the_utility(self):
        found = work_out(
            "load",
            meter("utility", GRID, energy_import=growing(5.0), power=-30.0),
            meter("solar", GRID, power=130.0),
        )
        assert values(found, "power") == [100] * 4

    def test_energy_adds_up_whatever_the_registers_began_with(self):
        found = work_out(
            "utility",
            meter("load", GRID, energy=growing(100.0, start=8_992_943)),
            meter("solar", GRID, energy=growing(80.0, start=12)),
        )
        assert sum(values(found, "power")) / 4 == pytest.approx(20)

    def test_over_a_reset_the_energy_is_right_and_marked(self):
        stamps = every(QUARTER, 18, BASE - QUARTER)
        new = stamps >= BASE + 75 * MINUTE
        register = np.where(
            new, 20 + 80 * (stamps - BASE - 75 * MINUTE) / HOUR, 1000 + 80 * (stamps - BASE) / HOUR
        )
        solar = meter("solar", stamps, energy=samples(stamps, lambda _: register))
        found = work_out("utility", meter("load", stamps, energy=growing(100.0)), solar, end=BASE + 4 * HOUR)
        integral, covered = integrate(
            "interval",
            found.fields["power"].stamps,
            found.fields["power"].values,
            np.array([BASE, BASE + 4 * HOUR]),
            max_gap=QUARTER,
            lengths=lengths(found),
        )
        assert covered[0] == 4 * HOUR
        assert integral[0] == pytest.approx(80)
        bridged = found.fields["_quality"]
        assert set(bridged.values.tolist()) == {Quality.BRIDGED}

    def test_a_step_that_nobody_decided_on_is_a_gap_until_somebody_does(self):
        stamps = every(QUARTER, 18, BASE - QUARTER)
        replaced = BASE + 75 * MINUTE
        register = np.where(stamps >= replaced, 500.0, 1000.0) + 80 * (stamps - BASE) / HOUR
        load = meter("load", stamps, energy=growing(100.0))

        def known(decisions):
            solar = meter("solar", stamps, energy=samples(stamps, lambda _: register), decisions=decisions)
            return ends(work_out("utility", load, solar, end=BASE + 4 * HOUR), "power")

        everything = [15.0 * n for n in range(1, 17)]
        assert known(None) == [end for end in everything if end != 75]
        assert known({"energy": {replaced: Decision.ACCEPT}}) == everything

    def test_a_gap_of_comms_is_bridged_by_the_registers(self):
        stamps = np.delete(every(QUARTER, 10, BASE - QUARTER), [3, 4, 5, 6])
        load = meter("load", every(QUARTER, 10, BASE - QUARTER), energy=growing(100.0), reactive_power=Q)
        solar = meter("solar", stamps, energy=growing(80.0), reactive_power=0.0)
        found = work_out("utility", load, solar, end=BASE + 2 * HOUR)
        assert ends(found, "power") == [15, 90, 105, 120]
        assert values(found, "power") == pytest.approx([20] * 4)
        assert 90 not in ends(found, "reactive_power")
        assert quality(found, BASE + 90 * MINUTE) == Quality.BRIDGED


class TestTime:
    def test_stamps_jittered_as_on_a_real_logger(self):
        """Nominal 5 minutes, gaps 153 to 701 s with a median of 373 s; neighbours 18 to 122 s apart."""
        rng = np.random.default_rng(5)
        gaps = np.concatenate((rng.uniform(153, 701, 280), np.full(40, 373.0)))
        rng.shuffle(gaps)
        first = (BASE - HOUR + 1000 * np.cumsum(gaps)).astype(np.int64)
        second = first + rng.integers(18_000, 122_000, first.size)

        def cloudy(stamps):  # kWh of 40 ± 30 kW with a period of 47 minutes
            hours, period = (stamps - BASE) / HOUR, 47 / 60
            return 40 * hours + 30 * period / (2 * np.pi) * (1 - np.cos(2 * np.pi * hours / period)) + 700

        load = meter("load", second, 5 * MINUTE, energy=growing(100.0))
        solar = meter("solar", first, 5 * MINUTE, energy=cloudy)
        found = work_out("utility", load, solar, end=BASE + 12 * HOUR)
        stamps = found.fields["power"].stamps
        spans = lengths(found).astype(np.int64)
        truth = 100 - (cloudy(stamps) - cloudy(stamps - spans)) * HOUR / spans
        whole = spans == 5 * MINUTE
        # Slower than its nominal 5 minutes, it cannot tell which of two intervals had the cloud: a tenth of
        # the swing is lost from interval to interval, and nothing from the energy.
        assert np.abs(np.array(values(found, "power")) - truth)[whole].mean() < 3.5
        assert np.dot(values(found, "power"), spans) / HOUR == pytest.approx(
            np.dot(truth, spans) / HOUR, rel=0.002
        )
        assert spans.sum() > 0.97 * 12 * HOUR

    def test_exact_stamps_of_two_devices_hardly_ever_meet_and_that_does_not_matter(self):
        load = meter("load", GRID + 18_000, energy=growing(100.0))
        solar = meter("solar", GRID - 122_000, energy=growing(80.0))
        assert values(work_out("utility", load, solar), "power")[:3] == pytest.approx([20] * 3)

    def test_a_minute_meter_against_a_quarter_hour_meter(self):
        fast = every(MINUTE, 76, BASE - QUARTER)
        swinging = samples(fast, lambda stamps: 80 + 40 * np.sin(2 * np.pi * (stamps - BASE) / QUARTER))
        found = work_out(
            "utility", meter("load", GRID, power=100.0), meter("solar", fast, MINUTE, power=swinging)
        )
        assert ends(found, "power") == [15, 30, 45, 60]
        assert values(found, "power") == pytest.approx([20] * 4)

    def test_a_grid_may_be_forced(self):
        found = derive(
            Recipe(Target.UTILITY), [meter("load", GRID, power=100.0)], edges(HOUR, BASE + 1, BASE + HOUR + 1)
        )
        assert values(found, "power") == [100]

    def test_a_logger_26_hours_late_leaves_nothing_until_it_comes(self):
        stamps = every(QUARTER, 98, BASE - QUARTER)
        load = meter("load", stamps, energy=growing(100.0))

        def derived(arrived):
            solar = meter("solar", arrived, energy=growing(80.0)) if arrived.size else meter("solar", arrived)
            return work_out("utility", load, solar, end=BASE + DAY)

        assert not len(derived(stamps[:0]).fields["power"])
        assert ends(derived(stamps[:9]), "power") == [15 * n for n in range(1, 8)]
        assert values(derived(stamps), "power") == pytest.approx([20] * 96)

    def test_instants_across_a_cloud_edge_are_lines_and_say_so(self):
        off = GRID + 5 * MINUTE
        found = work_out(
            "utility",
            meter("load", GRID, power=100.0),
            meter("solar", off, power=lambda t: (t - BASE) / MINUTE),
        )
        assert values(found, "power")[:3] == pytest.approx([85, 70, 55])
        assert quality(found, BASE + QUARTER) == Quality.INST_INTERP

    def test_the_second_run_gives_the_same_bits(self):
        inputs = [
            meter("load", GRID, energy=growing(100.1)),
            meter("solar", GRID + 7_000, energy=growing(33.3)),
        ]
        first, second = (work_out("utility", *inputs) for _ in range(2))
        assert first.fields.keys() == second.fields.keys()
        assert all(own.equals(second.fields[name]) for name, own in first.fields.items())

    def test_a_day_depends_on_nothing_before_the_day_before_it(self):
        stamps = every(QUARTER, 3 * 96 + 8, BASE - 2 * DAY)

        def day(begin):
            own = stamps[stamps >= begin]
            return work_out("utility", meter("load", own, energy=growing(100.1)), start=BASE, end=BASE + DAY)

        whole, short = day(BASE - 2 * DAY), day(BASE - DAY)
        assert values(whole, "power") == pytest.approx(values(short, "power"), rel=1e-12)
        assert ends(whole, "power") == ends(short, "power")


class TestMissing:
    def test_no_value_where_an_input_is_missing(self):
        stamps = GRID[GRID != BASE + 30 * MINUTE]
        found = work_out("utility", meter("load", GRID, demand=100.0), meter("solar", stamps, demand=80.0))
        assert ends(found, "power") == [15, 45, 60]
        assert ends(found, "load_power") == [15, 30, 45, 60]
        assert ends(found, "solar_power") == [15, 45, 60]

    def test_nothing_is_held_and_nothing_is_zero_when_a_meter_stops(self):
        found = work_out("utility", meter("load", GRID, demand=100.0), meter("solar", GRID[:4], demand=80.0))
        assert ends(found, "power") == [15, 30]

    def test_a_role_without_a_meter_yet_gives_nothing(self):
        solar = meter("solar", GRID, demand=80.0, since=BASE + 30 * MINUTE)
        found = work_out("utility", meter("load", GRID, demand=100.0), solar)
        assert ends(found, "power") == [45, 60]

    def test_a_battery_that_comes_later_is_not_missed_before(self):
        battery = meter("battery", GRID, demand=10.0, since=BASE + 30 * MINUTE)
        found = work_out(
            "utility", meter("load", GRID, demand=100.0), meter("solar", GRID, demand=80.0), battery
        )
        assert values(found, "power") == [20, 20, 10, 10]

    def test_inputs_without_any_readings_give_nothing(self):
        found = work_out("utility", meter("load", GRID[:0]), meter("solar", GRID[:0]))
        assert not any(len(own) for own in found.fields.values())

    def test_real_power_without_reactive_power_has_no_power_factor(self):
        found = work_out(
            "utility", meter("load", GRID, power=100.0), meter("solar", GRID, power=80.0, reactive_power=0.0)
        )
        assert len(found.fields["power"]) == 4
        assert not len(found.fields["power_factor"])
        assert not len(found.fields["apparent_power"])


class TestImpossible:
    def test_a_load_below_zero_stands_and_is_marked(self):
        found = work_out("load", meter("utility", GRID, power=-90.0), meter("solar", GRID, power=80.0))
        assert values(found, "power") == [-10] * 4
        assert quality(found, BASE + HOUR) == Quality.NEG_LOAD

    def test_solar_power_at_night_may_be_what_inverters_draw(self):
        found = work_out("solar", meter("utility", GRID, power=100.05), meter("load", GRID, power=100.0))
        assert values(found, "power") == pytest.approx([-0.05] * 4)
        assert quality(found, BASE + HOUR) == 0

    def test_solar_power_below_that_is_marked(self):
        found = work_out("utility", meter("load", GRID, power=100.0), meter("solar", GRID, power=-80.0))
        assert values(found, "power") == [180] * 4
        assert quality(found, BASE + HOUR) == Quality.NEG_SOLAR


class TestCopies:
    def inputs(self, load_volts: float, solar_volts: float) -> list[Input]:
        return [
            meter("load", GRID, power=480.0, reactive_power=0.0, voltage_ll=load_volts, frequency=60.01),
            meter("solar", GRID, power=0.0, reactive_power=0.0, voltage_ll=solar_volts, frequency=59.99),
        ]

    def test_voltage_is_that_of_the_bus_and_current_follows(self):
        found = work_out("utility", *self.inputs(480.2, 479.8))
        assert values(found, "voltage_ll") == pytest.approx([480] * 4)
        assert values(found, "current") == pytest.approx([577.35] * 4, abs=0.01)
        assert values(found, "frequency") == [60.01] * 4

    def test_the_utility_meter_is_the_reference(self):
        solar = meter("solar", GRID, power=0.0, voltage_a=270.0, frequency=59.99)
        utility = meter("utility", GRID, power=1.0, voltage_a=280.0, frequency=60.0)
        found = work_out("load", solar, utility)
        assert values(found, "voltage_a") == [280] * 4
        assert values(found, "frequency") == [60] * 4
        assert quality(found, BASE + HOUR) == Quality.V_MISMATCH

    def test_behind_a_transformer_power_stands_and_voltage_does_not(self):
        found = work_out("utility", *self.inputs(480.0, 208.0))
        assert values(found, "power") == [480] * 4
        assert not len(found.fields["voltage_ll"])
        assert quality(found, BASE + HOUR) == Quality.OTHER_BUS

    def test_voltage_between_phases_is_worked_out_of_that_to_neutral_for_the_current(self):
        load = meter("load", GRID, power=480.0, reactive_power=0.0, voltage_ln=277.13)
        found = work_out("utility", load)
        assert values(found, "current") == pytest.approx([577.35] * 4, abs=0.05)

    def test_phases_add_up_only_where_they_are_known_to_match(self):
        columns = {
            f"{name}_{phase}": value
            for name, value in (("power", 10.0), ("reactive_power", 0.0), ("voltage", 230.0))
            for phase in "abc"
        }
        inputs = [
            meter("load", GRID, power=30.0, **columns),
            meter("solar", GRID, power=-30.0, polarity=-1, **columns | {"power_a": -4.0}),
        ]
        assert "power_a" not in work_out("utility", *inputs).fields
        found = work_out("utility", *inputs, phases=True)
        assert values(found, "power_a") == [6] * 4
        assert values(found, "power_b") == [20] * 4
        assert values(found, "current_a") == pytest.approx([6000 / 230] * 4)


def test_the_uncertainty_is_that_of_the_meters_that_were_used():
    found = work_out("utility", meter("load", GRID, power=100.0), meter("solar", GRID, power=98.0))
    sigma = uncertainty(np.array([one.real for one in found.inputs]), floats(0.005, 0.005))
    assert sigma == pytest.approx([0.7] * 4, abs=0.001)


def test_a_power_factor_in_per_cent_with_a_sentinel_gives_no_reactive_power():
    load = meter("load", GRID, power=100.0, power_factor=-327.0, convention=PfConvention.PERCENT)
    assert not len(work_out("utility", load).fields["reactive_power"])


def test_rows_of_a_meter_that_reports_reactive_power_now_and_then_are_told_apart():
    reported = Samples(minutes(15, 30), floats(5.0, 5.0))
    load = meter("load", GRID, power=100.0, power_factor=0.95, reactive_power=reported)
    found = work_out("utility", load)
    assert values(found, "reactive_power") == pytest.approx([5, 5, Q, Q], abs=0.001)
    assert quality(found, BASE + 30 * MINUTE) == 0
    assert quality(found, BASE + HOUR) == Quality.Q_ASSUMED


def test_an_unused_column_is_empty():
    assert meter("load", GRID).samples("power") is EMPTY
