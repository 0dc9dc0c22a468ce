import itertools
import subprocess
import sys
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from collectors.simulation.world import House, State, World

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = int(datetime(2026, 9, 21, tzinfo=UTC).timestamp() * 1000)
ODD_MOMENTS = [START + 3 * DAY + n * (17 * MINUTE + 137) for n in range(120)]


@pytest.fixture(scope="module")
def world() -> World:
    return World(7, START)


def local_hour(t: int) -> int:
    return datetime.fromtimestamp(t / 1000, ZoneInfo("America/Los_Angeles")).hour


class TestAt:
    def test_what_comes_in_goes_out_at_every_instant(self, world: World) -> None:
        for t in ODD_MOMENTS:
            now = world.at(t)
            assert now.solar + now.battery + now.grid == pytest.approx(now.load + now.ev, abs=1e-12)

    def test_values_stay_where_they_physically_can(self, world: World) -> None:
        for t in range(START, START + 14 * DAY, 7 * MINUTE):
            now = world.at(t)
            assert 0 <= now.solar <= 6
            assert 0.05 < now.load < 12
            assert 0 <= now.ev <= 7.2
            assert abs(now.battery) <= 5.0 + 1e-9
            assert 5 - 1e-6 <= now.soc <= 100 + 1e-6
            assert 115 < now.l1_voltage < 125
            assert 115 < now.l2_voltage < 125
            assert 59.9 < now.frequency < 60.1

    def test_the_sun_shines_by_day_alone(self, world: World) -> None:
        for t in range(START, START + 3 * DAY, 30 * MINUTE):
            if local_hour(t) in {21, 22, 23, 0, 1, 2, 3, 4}:
                assert world.at(t).solar == 0
        noon = START + DAY + 20 * HOUR
        assert local_hour(noon) == 13
        assert world.at(noon).solar > 1

    def test_the_car_charges_in_the_evening_of_most_days(self, world: World) -> None:
        charging = [t for t in range(START, START + 14 * DAY, 10 * MINUTE) if world.at(t).ev > 1]
        assert {local_hour(t) for t in charging} <= {17, 18, 19, 20, 21, 22, 23, 0}
        assert 8 <= len({(t - 7 * HOUR) // DAY for t in charging}) <= 14

    def test_the_battery_charges_from_surplus_and_spares_the_car(self, world: World) -> None:
        for t in range(START, START + 7 * DAY, 5 * MINUTE):  # on whole minutes, where the steps are
            now, load = world.at(t), world.at(t).load + 0.11
            assert now.battery <= max(0.0, load - now.solar)
            assert now.battery >= min(0.0, load + now.ev - now.solar) - 0.22

    def test_something_moves_from_one_poll_to_the_next(self, world: World) -> None:
        for t in ODD_MOMENTS:
            assert abs(world.at(t).load - world.at(t + 5_000).load) > 1e-4

    def test_a_household_has_believable_days(self, world: World) -> None:
        days = [(world.energy(START + n * DAY), world.energy(START + (n + 1) * DAY)) for n in range(14)]
        assert all(10 < after.load - before.load < 30 for before, after in days)
        assert all(5 < after.solar - before.solar < 50 for before, after in days)

    def test_nothing_is_before_the_first_day(self, world: World) -> None:
        with pytest.raises(ValueError, match="begins later"):
            world.at(START - 1)


class TestVisits:
    def test_power_flows_into_the_car_while_it_is_there(self, world: World) -> None:
        visits = world.visits(START, START + 10 * DAY)
        assert len(visits) >= 5
        for t in range(START, START + 10 * DAY, 300_000):
            there = any(v.arrival * 1000 <= t < v.departure * 1000 for v in visits)
            assert there or world.at(t).ev == 0

    def test_they_follow_each_other(self, world: World) -> None:
        visits = world.visits(START, START + 10 * DAY)
        moments = [t for v in visits for t in (v.arrival, v.charging.start, v.charging.end, v.departure)]
        assert moments == sorted(set(moments))

    def test_one_is_found_from_any_moment_of_it_and_from_none_beside(self, world: World) -> None:
        (visit, *_) = world.visits(START, START + 5 * DAY)
        first, after = visit.arrival * 1000, visit.departure * 1000
        for t in (first, (first + after) // 2, after - 1):
            assert world.visits(t, t + 1) == [visit]
        assert world.visits(first - 1, first) == world.visits(after, after + 1) == []


class TestEnergy:
    @pytest.mark.parametrize("start", [START + 5 * HOUR + 250, START + 9 * DAY - 20 * MINUTE])
    def test_it_is_the_integral_of_what_is_seen(self, world: World, start: int) -> None:
        steps, width = 40_000, 100  # ms: across an hour and, the second time, across a UTC midnight
        sums = [0.0] * 8
        for n in range(steps):
            now = world.at(start + n * width + width // 2)
            seen = [now.solar, now.load, now.ev, now.battery, now.grid, now.l1_voltage, now.l2_voltage]
            for k, value in enumerate([*seen, now.frequency]):
                sums[k] += value * width / HOUR
        before, after = world.energy(start), world.energy(start + steps * width)
        assert [b - a for a, b in zip(before, after, strict=True)] == pytest.approx(sums, rel=1e-7, abs=1e-7)

    def test_the_balance_holds_for_energy(self, world: World) -> None:
        for t in ODD_MOMENTS:
            sums = world.energy(t)
            assert sums.solar + sums.battery + sums.grid == pytest.approx(sums.load + sums.ev, abs=1e-9)

    def test_the_state_of_charge_follows_the_battery(self, world: World) -> None:
        a, b = START + DAY + 12345, START + 2 * DAY + 54321
        used = world.energy(b).battery - world.energy(a).battery
        assert world.at(a).soc - world.at(b).soc == pytest.approx(100 * used / 13.5)

    def test_registers_never_run_back_where_power_does_not(self, world: World) -> None:
        columns = world.integrals(range(START, START + 2 * DAY, 10_000))
        for column in columns[:3]:
            assert all(after >= before for before, after in itertools.pairwise(column))


class TestTheSameForEverybody:
    def test_the_order_of_questions_does_not_matter(self) -> None:
        forwards, backwards = World(3, START), World(3, START)
        moments = [START + n * 13 * HOUR + 777 for n in range(20)]
        there = [(forwards.at(t), forwards.energy(t)) for t in moments]
        back = [(backwards.at(t), backwards.energy(t)) for t in reversed(moments)]
        assert there == list(reversed(back))

    def test_many_at_once_are_the_same_as_one_by_one(self, world: World) -> None:
        columns = world.integrals(ODD_MOMENTS)
        for n, t in enumerate(ODD_MOMENTS):
            assert [column[n] / 3600 for column in columns] == list(world.energy(t))

    def test_another_process_sees_the_same(self, world: World) -> None:
        moment = START + 5 * DAY + 4242
        code = f"from collectors.simulation.world import World; print(World(7, {START}).at({moment})[:])"
        seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert seen.stdout.strip() == repr(world.at(moment)[:])

    def test_sun_load_and_car_depend_on_seed_and_date_not_on_the_start(self, world: World) -> None:
        later, t = World(7, START + 4 * DAY), START + 5 * DAY + 20 * HOUR
        assert later.at(t).solar == world.at(t).solar
        assert later.at(t).ev == world.at(t).ev
        assert World(8, START).at(t).solar != world.at(t).solar


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Europe/Paris"])
def test_every_zone_has_a_life_also_where_clocks_change(zone: str) -> None:
    start = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp() * 1000)
    world = World(1, start, House(zone=zone, latitude=-30.0, longitude=159.0))
    states: list[State] = [world.at(t) for t in range(start, start + 35 * DAY, 6 * HOUR)]
    assert all(state.load > 0 for state in states)


def test_the_sun_is_high_at_noon_south_of_the_equator_too() -> None:
    start = int(datetime(2026, 12, 21, tzinfo=UTC).timestamp() * 1000)
    world = World(1, start, House(zone="Africa/Johannesburg", latitude=-26.0, longitude=28.0))
    sunny = [world.energy(start + n * DAY) for n in range(8)]
    assert sunny[-1].solar > 100


def test_questions_are_answered_at_once() -> None:
    world, now = World(11, START), START + 14 * DAY
    begun = time.process_time()
    world.at(now)
    first = time.process_time() - begun
    begun = time.process_time()
    world.at(now + 5_000)
    assert first < 0.5
    assert time.process_time() - begun < 0.05
