"""What a day comes to."""

from __future__ import annotations

import numpy as np
import pytest

from apps.meters.physics.balance import Role, Target
from apps.meters.physics.summary import field_of, marks, summarise
from tests.meters.physics.meters import BASE, HOUR, QUARTER, every, meter, samples, work_out

GRID = every(QUARTER, 6, BASE - QUARTER)


def solar_kw(stamps: np.ndarray) -> np.ndarray:
    """130 kW in the first half hour, 80 kW in the second."""
    return np.where(stamps <= BASE + HOUR // 2, 130.0, 80.0)


def test_energies_and_shares_of_a_derived_utility_meter():
    load = meter("load", GRID, demand=100.0, power=100.0, reactive_power=32.868)
    solar = meter("solar", GRID, demand=samples(GRID, solar_kw), power=100.0, reactive_power=0.0)
    found = summarise(Target.UTILITY, work_out("utility", load, solar).fields)
    assert (found.hours, found.production, found.consumption) == (1, 105, 100)
    assert (found.imported, found.exported) == (10, 15)
    assert found.self_consumption == pytest.approx(90 / 105)
    assert found.self_sufficiency == pytest.approx(90 / 100)
    assert found.power_factor == pytest.approx(25 / np.hypot(25, 32.868))
    assert found.residual is None


def test_a_residual_is_a_part_of_the_load():
    inputs = [
        meter("solar", GRID, power=80.0),
        meter("utility", GRID, power=25.0),
        meter("load", GRID, power=100.0),
    ]
    found = summarise(Target.RESIDUAL, work_out("residual", *inputs).fields)
    assert (found.residual, found.residual_percent) == (5, 5)
    assert found.imported == 25


def test_shares_compare_what_is_known_at_the_same_time():
    load = meter("load", GRID, demand=100.0)
    solar = meter("solar", GRID[:4], demand=130.0)
    found = summarise(Target.UTILITY, work_out("utility", load, solar).fields)
    assert found.consumption == 100
    assert found.production == 65
    assert found.self_consumption == pytest.approx(100 / 130)
    assert found.self_sufficiency == 1


def test_of_nothing_nothing_is_known():
    found = summarise(Target.UTILITY, {})
    assert found.hours == 0
    assert {value for name, value in vars(found).items() if name != "hours"} == {None}


def test_a_battery_that_exports_more_than_the_sun_gives_leaves_no_negative_share():
    inputs = [
        meter("load", GRID, demand=1.0),
        meter("solar", GRID, demand=10.0),
        meter("battery", GRID, demand=50.0),
    ]
    found = summarise(Target.UTILITY, work_out("utility", *inputs).fields)
    assert found.self_consumption == 0


def test_what_cannot_be_is_counted():
    inputs = [meter("utility", GRID, power=-90.0), meter("solar", GRID, power=80.0)]
    found = marks(work_out("load", *inputs).fields)
    assert (found.intervals, found.negative_load, found.negative_solar) == (4, 4, 0)


def test_the_derived_meters_own_power_is_not_named_after_its_role():
    assert field_of(Target.UTILITY, Role.UTILITY) == "power"
    assert field_of(Target.UTILITY, Role.SOLAR) == "solar_power"
    assert field_of(Target.RESIDUAL, Role.UTILITY, "reactive_power") == "utility_reactive_power"
