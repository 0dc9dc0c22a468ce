"""One physical house: sun, weather, load, car, battery and grid, the same for every device that watches it.

Physics runs in steps of a minute, with straight lines in between; a quick ripple on the load, which the grid
takes up, makes values move from one second to the next. Lines and ripple have exact integrals, so a meter's
register is the integral of the power that a glance at the world shows. At every instant

    solar + battery + grid = load + ev

in kW, with battery positive when discharging and grid positive when importing. Sun, load and car depend on
seed and date alone; the battery carries its charge on from ``start``.
"""

from __future__ import annotations  # array[float] is no expression before Python 3.12

import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collectors.simulation import habits, sky
from collectors.simulation.waves import waves

DAY_S = 86_400
STEP_S = 60
KEPT_DAYS = 32


class State(NamedTuple):
    """The house at one instant: kW in the house's convention, SoC in %, V and Hz."""

    solar: float
    load: float
    ev: float
    battery: float
    grid: float
    soc: float
    l1_voltage: float
    l2_voltage: float
    frequency: float


class Energy(NamedTuple):
    """Integrals since the world's first UTC midnight: kWh in the house's convention, V·h and Hz·h."""

    solar: float
    load: float
    ev: float
    battery: float
    grid: float
    l1_voltage: float
    l2_voltage: float
    frequency: float


@dataclass(frozen=True, slots=True)
class House:
    """What is built in: kW, kWh, degrees north and east; the mains' V and Hz."""

    zone: str = "America/Los_Angeles"
    latitude: float = 37.4
    longitude: float = -122.2
    solar_kw: float = 6.0
    battery_kwh: float = 13.5
    battery_kw: float = 5.0
    ev_kw: float = 7.2
    volts: float = 120.0
    hertz: float = 60.0


class Carry(NamedTuple):
    """What one day hands to the next: SoC in %, battery power in kW, and the integrals so far in kW·s."""

    soc: float
    battery: float
    totals: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Day:
    """A UTC day at its 1441 minutes: powers (solar, load, ev, battery) in kW, their integrals in kW·s."""

    powers: tuple[array[float], array[float], array[float], array[float]]
    totals: tuple[array[float], array[float], array[float], array[float]]
    soc_at_start: float

    def power(self, column: int, second: float) -> float:
        """A power in kW at a second of the day, on the line between two minutes."""
        k, rest = divmod(second, STEP_S)
        before, after = self.powers[column][int(k)], self.powers[column][int(k) + 1]
        return before + (after - before) * rest / STEP_S

    def integrals(self, column: int, places: Sequence[tuple[int, float]]) -> list[float]:
        """Integrals in kW·s at (minute, seconds into it)."""
        power, total = self.powers[column], self.totals[column]
        return [total[k] + r * (power[k] + (power[k + 1] - power[k]) * r / (2 * STEP_S)) for k, r in places]


SOLAR, LOAD, EV, BATTERY = range(4)


@dataclass
class World:
    """A house from the UTC day of ``start`` (Unix ms) on; all times asked for are Unix ms, none earlier.

    Safe to be asked from several threads. The first question costs about 10 ms per day since the start.
    """

    seed: int
    start: int
    house: House = field(default_factory=House)

    def __post_init__(self) -> None:
        self._first = self.start // 1000 // DAY_S
        self._carries = [Carry(30.0, 0.0, (0.0, 0.0, 0.0, 0.0))]
        self._days: OrderedDict[int, Day] = OrderedDict()
        self._lock = threading.Lock()
        volts, hertz = self.house.volts, self.house.hertz
        swell = [(0.008 * volts, 43_200.0), (0.004 * volts, 1_130.0), (0.0015 * volts, 37.0)]
        self._ripple = waves(self.seed, "ripple", 0.0, (0.05, 23.0), (0.03, 61.0), (0.02, 191.0))
        self._l1 = waves(self.seed, "l1", volts, *swell)
        self._l2 = waves(self.seed, "l2", volts, *swell)
        self._hertz = waves(self.seed, "hertz", hertz, (0.012, 420.0), (0.006, 47.0))

    def at(self, t: int) -> State:
        """The house at ``t``. Raises ValueError before the world's first day."""
        day, second = self._place(t)
        solar, load, ev, battery = (day.power(column, second) for column in range(4))
        since = self._since(t)
        load += self._ripple.at(since)
        return State(
            solar=solar,
            load=load,
            ev=ev,
            battery=battery,
            grid=load + ev - solar - battery,
            soc=self._soc(day, second),
            l1_voltage=self._l1.at(since),
            l2_voltage=self._l2.at(since),
            frequency=self._hertz.at(since),
        )

    def energy(self, t: int) -> Energy:
        """The integrals up to ``t`` of everything that ``at`` shows."""
        columns = self.integrals([t])
        return Energy(*(column[0] / 3600 for column in columns))

    def integrals(self, ts: Sequence[int]) -> list[list[float]]:
        """Columns as in Energy but in kW·s, V·s and Hz·s, at ascending times. For many times at once."""
        columns: list[list[float]] = [[], [], [], []]
        for number, group in groupby(ts, key=lambda t: t // 1000 // DAY_S):
            day, midnight = self._day(number), number * DAY_S
            places = [(int(s // STEP_S), s % STEP_S) for s in (t / 1000 - midnight for t in group)]
            for column in range(4):
                columns[column] += day.integrals(column, places)
        since = [self._since(t) for t in ts]
        solar, plain_load, ev, battery = columns
        load = [a + b for a, b in zip(plain_load, self._ripple.integrals(since), strict=True)]
        grid = [c + e - s - b for c, e, s, b in zip(load, ev, solar, battery, strict=True)]
        mains = [wave.integrals(since) for wave in (self._l1, self._l2, self._hertz)]
        return [solar, load, ev, battery, grid, *mains]

    def visits(self, start: int, end: int) -> list[habits.Visit]:
        """The car's visits that reach into [start, end), both in ms; in order."""
        zone = ZoneInfo(self.house.zone)
        days = range(start // 1000 // DAY_S, end // 1000 // DAY_S + 1)
        found = {
            visit.arrival: visit
            for day in days
            for visit in habits.visits(self.seed, zone, self.house.ev_kw, day)
        }
        reaching = (v for v in found.values() if v.arrival * 1000 < end and v.departure * 1000 > start)
        return sorted(reaching, key=lambda visit: visit.arrival)

    def _since(self, t: int) -> float:
        return t / 1000 - self._first * DAY_S

    def _place(self, t: int) -> tuple[Day, float]:
        number = t // 1000 // DAY_S
        return self._day(number), t / 1000 - number * DAY_S

    def _soc(self, day: Day, second: float) -> float:
        (used,) = day.integrals(BATTERY, [(int(second // STEP_S), second % STEP_S)])
        return day.soc_at_start - _percent(used - day.totals[BATTERY][0], self.house)

    def _day(self, number: int) -> Day:
        """A day by its number from 1970, kept for a while; days are run through in order, once."""
        if number < self._first:
            raise ValueError("The world begins later.")
        with self._lock:
            if number not in self._days:
                for missing in range(self._first + len(self._carries) - 1, number):
                    self._run(missing)
                self._run(number)
            self._days.move_to_end(number)
            return self._days[number]

    def _run(self, number: int) -> None:
        index = number - self._first
        day, carry = simulate(self.house, self.seed, number, self._carries[index])
        if index + 1 == len(self._carries):
            self._carries.append(carry)
        self._days[number] = day
        while len(self._days) > KEPT_DAYS:
            self._days.popitem(last=False)


def simulate(house: House, seed: int, number: int, carry: Carry) -> tuple[Day, Carry]:
    """Run one UTC day from what the day before left, and say what it leaves."""
    zone = ZoneInfo(house.zone)
    plant = sky.Plant(house.latitude, house.longitude, house.solar_kw)
    solar = sky.solar(plant, seed, number)
    load = habits.load(seed, zone, number)
    ev = habits.ev(seed, zone, house.ev_kw, number)
    battery, soc = _battery(house, carry, solar, load, ev)
    powers = (array("d", solar), array("d", load), array("d", ev), array("d", battery))
    totals = tuple(_totals(power, first) for power, first in zip(powers, carry.totals, strict=True))
    day = Day(powers, (totals[0], totals[1], totals[2], totals[3]), carry.soc)
    ends = (totals[0][-1], totals[1][-1], totals[2][-1], totals[3][-1])
    return day, Carry(soc, battery[-1], ends)


def _totals(power: array[float], first: float) -> array[float]:
    """Running integrals in kW·s of straight lines between minutes."""
    totals, total, before = array("d", [first]), first, power[0]
    for after in power[1:]:
        total += (before + after) * (STEP_S / 2)
        totals.append(total)
        before = after
    return totals


def _percent(kws: float, house: House) -> float:
    return kws / 36 / house.battery_kwh


def _battery(
    house: House, carry: Carry, solar: Sequence[float], load: Sequence[float], ev: Sequence[float]
) -> tuple[list[float], float]:
    """Self-consumption: charge from surplus, discharge into the household's load, never into the car.

    Power at each minute (kW, + = discharging), and the SoC in % at the end. Since power runs in straight
    lines, half a step's energy is already spent when a minute begins; ``room`` is what is left of it.
    """
    half = _percent(STEP_S / 2, house)
    lowest, highest, most = 5.0, 100.0, house.battery_kw
    soc, power = carry.soc, carry.battery
    powers = [power]
    for s, c, e in zip(solar[1:], load[1:], ev[1:], strict=True):
        need = c - s
        wanted = min(need, most) if need > 0 else max(min(need + e, 0.0), -most)
        room = soc - power * half
        after = max(min(wanted, (room - lowest) / (2 * half)), (room - highest) / (2 * half))
        soc = room - after * half
        power = after
        powers.append(power)
    return powers, soc
