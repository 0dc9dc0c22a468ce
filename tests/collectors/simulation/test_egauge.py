import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest

from collectors import drivers
from collectors.drivers.egauge import Driver
from collectors.simulation.egauge import REGISTERS, Simulator, egauge_history
from collectors.simulation.world import World

START = int(datetime(2026, 9, 21, tzinfo=UTC).timestamp() * 1000)
HOUR, DAY, STEP = 3_600_000, 86_400_000, 10_000


class Clock:
    """A wall clock that goes when told, or when somebody sleeps."""

    def __init__(self, ms: int) -> None:
        self.now = ms / 1000

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(scope="module")
def world() -> World:
    return World(7, START)


def polled(world: World, moments: list[int]) -> list[drivers.Reading]:
    """What the real driver delivers, polling the simulated meter at these moments."""
    clock = Clock(moments[0])
    with Simulator(world, clock=clock) as meter:
        config = drivers.parse_config("egauge", {**meter.config, "t_sample": 5})
        driver = Driver(config, clock=clock, monotonic=clock, sleep=clock.sleep)
        readings = []
        for moment in moments:
            clock.now = moment / 1000
            readings += driver.read().readings
        return readings


class TestHistory:
    def test_it_is_what_the_driver_would_have_delivered(self, world: World) -> None:
        first = START + 19 * HOUR
        gap = (first + 60_000, first + 600_000)
        history = egauge_history(world, first, first + 700_000, STEP, gaps=[gap])
        moments = [t for t in range(first, first + 700_000, STEP) if not gap[0] <= t < gap[1]]
        readings = polled(world, moments)
        assert [reading.timestamp for reading in readings] == history.timestamps
        for n, reading in enumerate(readings):
            assert dict(reading.values) == {name: column[n] for name, column in history.fields.items()}

    def test_a_short_gap_is_bridged_and_a_long_one_starts_anew(self, world: World) -> None:
        short = egauge_history(world, START, START + HOUR, 60_000, gaps=[(START + 600_000, START + 840_000)])
        long = egauge_history(world, START, START + HOUR, 60_000, gaps=[(START + 600_000, START + 1_800_000)])
        assert set(short.fields["_length"]) == {5_000, 55_000, 60_000, 300_000}
        assert long.fields["_length"].count(5_000) == 2

    def test_readings_give_back_the_energy_of_the_world(self, world: World) -> None:
        history = egauge_history(world, START, START + DAY + 1, STEP)
        energy = world.energy(START + DAY)
        for name, expected in (
            ("A.Solar", energy.solar),
            ("A.Load", -energy.load),
            ("A.GridPower", -energy.grid),
        ):
            pairs = zip(history.fields[name], history.fields["_length"], strict=True)
            assert sum(kw * ms for kw, ms in pairs) / HOUR == pytest.approx(expected, abs=1e-6)

    def test_a_fault_of_sign_would_show_in_the_balance(self, world: World) -> None:
        fields = egauge_history(world, START, START + DAY, STEP).fields
        for solar, battery, grid, load, ev in zip(
            *(fields[f"A.{name}"] for name in ("Solar", "Battery", "GridPower", "Load", "EV")), strict=True
        ):
            assert solar + battery - grid + load + ev == pytest.approx(0, abs=0.001)

    def test_two_weeks_at_ten_seconds_are_made_in_a_moment(self) -> None:
        begun = time.process_time()
        history = egauge_history(World(12, START), START, START + 14 * DAY, STEP)
        assert time.process_time() - begun < 3
        assert len(history.timestamps) == 14 * 8640
        assert all(len(column) == 14 * 8640 for column in history.fields.values())


class TestMeter:
    def test_it_answers_like_the_device(self, world: World) -> None:
        with (
            Simulator(world, clock=lambda: START / 1000 + 3600.7) as meter,
            urllib.request.urlopen(f"http://{meter.config['ip']}/cgi-bin/egauge?ins&tot") as answer,
        ):
            body = answer.read().decode()
        assert f"<ts>{START // 1000 + 3600}</ts>" in body
        assert all(f'n="{name}"><v>' in body for name in REGISTERS)
        assert '<r t="V" n="A.L1_Voltage">' in body

    def test_it_has_nothing_else(self, world: World) -> None:
        with (
            Simulator(world, clock=lambda: START / 1000 + 3600) as meter,
            pytest.raises(urllib.error.HTTPError, match="404"),
        ):
            urllib.request.urlopen(f"http://{meter.config['ip']}/")

    def test_cards_move_from_one_poll_to_the_next(self, world: World) -> None:
        moments = [START + 19 * HOUR + n * 5_000 for n in range(2, 14)]
        for name in ("A.Load", "A.GridPower", "A.Solar", "A.L1_Voltage"):
            seen = [reading.values[name] for reading in polled(world, moments)]
            assert len(set(seen)) == len(seen)
