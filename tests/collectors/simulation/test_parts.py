from datetime import UTC, datetime
from itertools import pairwise
from math import pi

import pytest

from collectors.simulation.chance import MINUTES, dice, smooth
from collectors.simulation.sky import Plant, clearness
from collectors.simulation.waves import Waves, waves

DAY = 20_717  # 21 September 2026


class TestChance:
    def test_it_belongs_to_its_key(self) -> None:
        assert dice(1, "a").random() == dice(1, "a").random()
        assert dice(1, "a").random() != dice(1, "b").random()
        assert dice(1, "a").random() != dice(2, "a").random()

    @pytest.mark.parametrize("cells", [1, 48, MINUTES])
    def test_curves_go_on_where_the_day_before_ended(self, cells: int) -> None:
        today, tomorrow = smooth(1, "x", DAY, cells), smooth(1, "x", DAY + 1, cells)
        assert len(today) == MINUTES + 1
        assert today[-1] == tomorrow[0]
        assert all(0 <= value <= 1 for value in today)

    def test_curves_are_smooth(self) -> None:
        assert max(abs(b - a) for a, b in pairwise(smooth(1, "x", DAY, 24))) < 1.5 / 60


class TestWaves:
    def test_the_integral_is_that_of_the_wave(self) -> None:
        wave = waves(1, "x", 5.0, (0.3, 7.0), (0.1, 31.0))
        total = sum(wave.at(n / 100 + 0.005) for n in range(5_000)) / 100
        assert wave.integrals([50.0])[0] == pytest.approx(total, rel=1e-7)

    def test_the_integral_begins_at_zero_and_over_a_period_is_the_mean(self) -> None:
        wave = Waves(2.0, ((1.0, 2 * pi / 10, 0.7),))
        assert wave.integrals([0.0, 10.0, 30.0]) == pytest.approx([0.0, 20.0, 60.0])


class TestSky:
    def noon(self, latitude: float, month: int) -> float:
        plant = Plant(latitude=latitude, longitude=0.0, peak_kw=5.0)
        return plant.clear_sky(datetime(2026, month, 21, 12, tzinfo=UTC).timestamp())

    def test_summer_is_brighter_than_winter_on_either_side_of_the_equator(self) -> None:
        assert self.noon(48, 6) > self.noon(48, 12) > 0.5
        assert self.noon(-33, 12) > self.noon(-33, 6) > 0.5

    def test_the_polar_night_is_dark(self) -> None:
        assert self.noon(75, 12) == 0

    def test_the_sun_is_highest_when_it_is_noon_by_longitude(self) -> None:
        plant = Plant(latitude=40.0, longitude=-105.0, peak_kw=5.0)
        start = datetime(2026, 6, 21, tzinfo=UTC).timestamp()
        best = max(range(1440), key=lambda minute: plant.clear_sky(start + 60 * minute))
        assert abs(best - 19 * 60) < 10

    def test_clouds_take_some_and_never_all(self) -> None:
        values = [value for day in range(DAY, DAY + 30) for value in clearness(1, day)]
        assert 0.14 < min(values) < 0.6
        assert 0.95 < max(values) <= 1.0
