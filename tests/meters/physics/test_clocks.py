"""How far two clocks are apart, by the clouds that both meters saw."""

from __future__ import annotations

import numpy as np
import pytest

from apps.meters.physics.clocks import offset
from apps.readings.samples import Samples
from tests.meters.physics.meters import BASE, MINUTE, every


def clouds(stamps: np.ndarray, seed: int = 3) -> np.ndarray:
    """Power under passing clouds: steps at random instants."""
    rng = np.random.default_rng(seed)
    changes = np.sort(rng.uniform(BASE - 3_600_000, BASE + 7 * 3_600_000, 120))
    levels = rng.uniform(10, 80, 121)
    return levels[np.searchsorted(changes, stamps)]


@pytest.mark.parametrize("ahead", [-180_000, 0, 95_000])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_offset_is_found_whichever_way_the_meter_looks(ahead, sign):
    first = every(MINUTE, 300)
    second = every(MINUTE, 300) + 20_000
    found = offset(Samples(first, clouds(first)), Samples(second, 100 + sign * clouds(second - ahead)))
    assert found is not None
    assert found.milliseconds == pytest.approx(ahead, abs=20_000)
    assert found.correlation * sign > 0.5


def test_two_meters_that_saw_nothing_in_common_tell_nothing():
    stamps = every(MINUTE, 300)
    assert offset(Samples(stamps, clouds(stamps)), Samples(stamps, clouds(stamps, seed=8))) is None


def test_a_few_readings_tell_nothing():
    stamps = every(MINUTE, 30)
    assert offset(Samples(stamps, clouds(stamps)), Samples(stamps, clouds(stamps))) is None


def test_a_steady_power_tells_nothing():
    stamps = every(MINUTE, 300)
    assert offset(Samples(stamps, np.full(300, 5.0)), Samples(stamps, np.full(300, 7.0))) is None
