from datetime import UTC, datetime
from itertools import pairwise

import pytest

from collectors import drivers
from collectors.drivers.sonnen import Driver
from collectors.drivers.sonnen.config import POWER, SOC
from collectors.simulation.egauge import egauge_history
from collectors.simulation.powerflex import powerflex_history
from collectors.simulation.sonnen import Simulator, battery, sonnen_history, status
from collectors.simulation.world import World

START = int(datetime(2026, 9, 21, tzinfo=UTC).timestamp() * 1000)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.fixture(scope="module")
def world() -> World:
    return World(7, START)


class TestHistory:
    def test_it_is_what_the_driver_would_have_delivered(self, world: World) -> None:
        history = sonnen_history(world, START + 19 * HOUR, START + 20 * HOUR, MINUTE)
        now = 0.0
        with Simulator(world, clock=lambda: now) as device:
            driver = Driver(drivers.parse_config("sonnen", device.config), clock=lambda: now)
            for n, stamp in enumerate(history.timestamps):
                now = stamp / 1000
                (reading,) = driver.read().readings
                assert reading.timestamp == stamp
                assert {
                    name: column[n] for name, column in history.fields.items()
                }.items() <= reading.values.items()

    def test_its_energy_is_the_worlds(self, world: World) -> None:
        watts = sonnen_history(world, START, START + DAY + 1, MINUTE).fields[POWER]
        energy = sum((a + b) / 2 for a, b in pairwise(watts)) / 60 / 1000
        assert energy == pytest.approx(world.energy(START + DAY).battery, abs=0.01)

    def test_a_fault_of_sign_would_show_between_the_devices(self, world: World) -> None:
        """Solar, load and grid from the meter, battery from the battery, car from its charger."""
        day = range(START, START + DAY + 1, HOUR)
        meter = egauge_history(world, START, START + DAY + 1, MINUTE)
        sonnen = sonnen_history(world, START, START + DAY + 1, MINUTE)
        charger = powerflex_history(world, START, START + DAY + 1, MINUTE)

        def measured(name: str, start: int) -> float:
            columns = zip(meter.timestamps, meter.fields[name], meter.fields["_length"], strict=True)
            return sum(kw * ms for t, kw, ms in columns if start < t <= start + HOUR) / HOUR

        def sampled(watts: list[float], start: int) -> float:
            n = (start - START) // MINUTE
            return sum((a + b) / 2 for a, b in pairwise(watts[n : n + 61])) / 60_000

        for start in day[:-1]:
            come_in = measured("A.Solar", start) + sampled(sonnen.fields[POWER], start)
            go_out = sampled(charger.fields["power"], start) - measured("A.Load", start)
            assert come_in - measured("A.GridPower", start) == pytest.approx(go_out, abs=0.01)


class TestBattery:
    def test_its_own_balance_holds(self, world: World) -> None:
        for hour in range(24):
            shown = status(world, START / 1000 + 3600 * hour)
            assert (
                shown["Production_W"] + shown["Pac_total_W"] == shown["Consumption_W"] + shown["GridFeedIn_W"]
            )

    def test_it_speaks_in_text_where_the_device_does(self, world: World) -> None:
        shown = battery(world, START / 1000 + 3600)["battery_status"]
        assert shown["relativestateofcharge_unit"] == "%"
        assert isinstance(shown["relativestateofcharge"], str)

    def test_it_charges_by_day_and_discharges_in_the_evening(self, world: World) -> None:
        history = sonnen_history(world, START, START + 2 * DAY, MINUTE)
        assert min(history.fields[POWER]) < -1_000
        assert max(history.fields[POWER]) > 500
        assert max(history.fields[SOC]) - min(history.fields[SOC]) > 30

    def test_the_cloud_lets_only_the_token_in(self, world: World) -> None:
        with Simulator(world, clock=lambda: START / 1000 + 3600) as device:
            wrong = {**device.config, "ip": "127.0.0.1:1", "token": "other"}
            with pytest.raises(drivers.DeviceError, match="HTTP 401"):
                Driver(drivers.parse_config("sonnen", wrong)).read()

    def test_the_cloud_takes_no_commands(self, world: World) -> None:
        with Simulator(world, clock=lambda: START / 1000 + 3600) as device:
            away = {**device.config, "ip": "127.0.0.1:1"}
            with pytest.raises(drivers.DeviceError):
                Driver(drivers.parse_config("sonnen", away)).act({"action": "set_mode", "mode": "manual"})
            assert device.mode == 8
