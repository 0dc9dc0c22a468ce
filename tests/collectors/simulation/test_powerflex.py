from datetime import UTC, datetime
from itertools import pairwise

import pytest

from collectors import drivers
from collectors.drivers.powerflex import Driver
from collectors.simulation.powerflex import Simulator, charges, powerflex_history
from collectors.simulation.world import World

START = int(datetime(2026, 9, 21, tzinfo=UTC).timestamp() * 1000)
MINUTE, DAY = 60_000, 86_400_000


@pytest.fixture(scope="module")
def world() -> World:
    return World(7, START)


class TestHistory:
    def test_it_is_what_the_driver_would_have_delivered(self, world: World) -> None:
        visit = next(v for v in world.visits(START + DAY, START + 4 * DAY))
        now = visit.departure + 600
        start = (now - 7_000) // 60 * 60 * 1000
        history = powerflex_history(world, start, now * 1000, MINUTE)
        with Simulator(world, clock=lambda: now) as station:
            config = drivers.parse_config("powerflex", station.config)
            result = Driver(config, clock=lambda: now).read()
        read = {reading.timestamp: reading.values for reading in result.readings}
        assert len(history.timestamps) > 100
        for n, stamp in enumerate(history.timestamps):
            values = {name: value for name, value in read[stamp].items() if name != "charging_state"}
            assert values == {name: column[n] for name, column in history.fields.items()}

    def test_its_events_are_those_of_the_rows(self, world: World) -> None:
        (visit, *_) = world.visits(START + DAY, START + 4 * DAY)
        now = visit.arrival - 60
        told = []
        with Simulator(world, clock=lambda: now) as station:
            driver = Driver(drivers.parse_config("powerflex", station.config), clock=lambda: now)
            while now < visit.departure + 60:
                told += driver.read().events
                now += 600
            told += driver.read().events
        start, end = (visit.arrival - 60) * 1000, now * 1000
        assert told == powerflex_history(world, start, end, MINUTE).events
        assert [event.type for event in told] == ["EV_START_CHARGING", "EV_END_CHARGING"]

    def test_a_sessions_energy_is_the_cars(self, world: World) -> None:
        history = powerflex_history(world, START, START + 7 * DAY, MINUTE)
        total = sum(event.data.get("energy", 0) for event in history.events) / 1e6
        assert len(history.events) >= 6
        assert total == pytest.approx(world.energy(START + 7 * DAY).ev, abs=1e-3)

    def test_its_power_is_that_which_the_meter_sees(self, world: World) -> None:
        history = powerflex_history(world, START, START + 2 * DAY, MINUTE)
        for stamp, watts in zip(history.timestamps, history.fields["power"], strict=True):
            assert watts / 1000 == pytest.approx(world.at(stamp).ev, abs=0.001)


class TestStation:
    def test_a_visit_goes_through_all_states(self, world: World) -> None:
        (visit, *_) = world.visits(START + DAY, START + 4 * DAY)
        rows = charges(world, range(visit.arrival - 60, visit.departure + 60, 4))
        states = [row.charging_state for row in rows]
        changes = [after for before, after in pairwise(["", *states]) if before != after]
        assert changes == ["UNPLUGGED", "PLUGGED", "CHARGING", "NOT_CHARGING", "UNPLUGGED"]
        plugged_in = [row for row in rows if row.charging_state != "UNPLUGGED"]
        assert all(b.energy_delivered >= a.energy_delivered for a, b in pairwise(plugged_in))

    @pytest.mark.parametrize("change", [{"password": "wrong"}, {"username": "somebody"}])
    def test_it_lets_nobody_else_in(self, world: World, change: dict[str, str]) -> None:
        with Simulator(world, clock=lambda: START / 1000 + 3600) as station:
            driver = Driver(drivers.parse_config("powerflex", {**station.config, **change}))
            with pytest.raises(drivers.DeviceError, match="refused"):
                driver.read()

    def test_its_tokens_end(self, world: World) -> None:
        now = START / 1000 + 3_600
        with Simulator(world, clock=lambda: now) as station:
            driver = Driver(drivers.parse_config("powerflex", station.config), clock=lambda: now)
            driver.read()
            now += 3_600
            driver.read()
            assert station.logins == 2
