"""A month in a house: 20 fields of four devices, each device on a clock of its own. Pure.

The values are made up, but not kind to a compressor: powers are noise around a load of many steps, at the
resolution meters have, voltages come in mV, and every device stamps its readings a little off the beat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEP = 10_000  # ms between readings
JITTER = 200  # ms, either way
GAPS = 0.005  # the part of all readings that is missing
GAP_LENGTH = 6  # readings, on average
DAY = 86_400_000
UPLOAD = 600_000  # ms of an upload

Stamps = NDArray[np.int64]
Values = NDArray[np.float64]
Shape = Callable[[Values, np.random.Generator], Values]


@dataclass(frozen=True)
class Feed:
    """What one device delivered: `stamps` (n,) in ms, increasing, and `values` (fields, n)."""

    source: str
    fields: tuple[str, ...]
    stamps: Stamps
    values: Values

    def between(self, start: int, end: int) -> Feed:
        """Its readings in [start, end)."""
        first, last = np.searchsorted(self.stamps, (start, end)).tolist()
        return Feed(self.source, self.fields, self.stamps[first:last], self.values[:, first:last])

    @property
    def readings(self) -> int:
        return int(self.values.size)


def month(*, start: int, days: int, seed: int = 7) -> list[Feed]:
    """Four feeds from `start` (ms, a UTC midnight) over so many days."""
    return [
        _feed(source, shapes, start, days, np.random.default_rng([seed, number]))
        for number, (source, shapes) in enumerate(DEVICES.items())
    ]


def uploads(feeds: list[Feed], *, every: int = UPLOAD) -> Iterator[list[Feed]]:
    """The same readings cut as an agent sends them: what fell into each `every` ms."""
    start = min(int(feed.stamps[0]) for feed in feeds) // every * every
    end = max(int(feed.stamps[-1]) for feed in feeds) + 1
    for begin in range(start, end, every):
        yield [part for feed in feeds if (part := feed.between(begin, begin + every)).readings]


def _feed(source: str, shapes: dict[str, Shape], start: int, days: int, chance: np.random.Generator) -> Feed:
    count = days * DAY // STEP
    phase = int(chance.integers(JITTER, STEP - JITTER))
    beat = start + phase + STEP * np.arange(count, dtype=np.int64)
    stamps = beat + chance.integers(-JITTER, JITTER + 1, count)
    present = _present(count, chance)
    hours = (stamps - start) / 3_600_000
    values = np.array([shape(hours, chance)[present] for shape in shapes.values()])
    return Feed(source, tuple(shapes), stamps[present], values)


def _present(count: int, chance: np.random.Generator) -> NDArray[np.bool_]:
    present = np.ones(count, bool)
    for begin in chance.integers(0, count, int(count * GAPS / GAP_LENGTH)).tolist():
        present[begin : begin + int(chance.integers(1, 2 * GAP_LENGTH))] = False
    return present


def _drift(count: int, size: float, memory: int, chance: np.random.Generator) -> Values:
    """A slow walk around zero, of deviation `size`: noise averaged over `memory` samples."""
    sums = np.cumsum(chance.normal(0, 1, count + memory))
    walk: Values = (sums[memory:] - sums[:-memory]) * (size / np.sqrt(memory))
    return walk


def _steps(count: int, chance: np.random.Generator) -> Values:
    """Appliances that go on and off every few minutes, in W."""
    switches = np.sort(chance.integers(0, count, max(count // 40, 1)))
    levels = chance.choice(
        [0, 60, 120, 400, 900, 2000], len(switches) + 1, p=[0.4, 0.2, 0.2, 0.1, 0.06, 0.04]
    )
    steps: Values = levels[np.searchsorted(switches, np.arange(count), side="right")].astype(np.float64)
    return steps


def _power(mean: float, noise: float, digits: int) -> Shape:
    """A load in W, with so many digits after the point."""

    def shape(hours: Values, chance: np.random.Generator) -> Values:
        evening = 1 + 0.5 * np.sin((hours - 14) * np.pi / 12)
        load = mean * evening + _steps(len(hours), chance) + _drift(len(hours), mean / 4, 90, chance)
        return np.round(load + chance.normal(0, noise, len(hours)), digits)

    return shape


def _voltage(mean: float, slow: float, noise: float) -> Shape:
    """In V, to the mV."""

    def shape(hours: Values, chance: np.random.Generator) -> Values:
        around = _drift(len(hours), slow, 360, chance) + chance.normal(0, noise, len(hours))
        return np.round(mean + around, 3)

    return shape


def _sun(hours: Values, chance: np.random.Generator) -> Values:
    """Solar power in W: nothing at night, clouds by day."""
    height: Values = np.clip(np.sin((hours % 24 - 6) * np.pi / 12), 0, None)
    clouds = np.clip(0.7 + _drift(len(hours), 0.3, 60, chance), 0.05, 1)
    noise = chance.normal(1, 0.004, len(hours))
    return np.round(6000 * height * clouds * noise)


def _charging(hours: Values, chance: np.random.Generator) -> Values:
    """A car that is charged for four hours each night, in W."""
    power = np.where((hours % 24 >= 1) & (hours % 24 < 5), 7360 + chance.normal(0, 8, len(hours)), 0)
    return np.round(power).astype(np.float64)


def _charge(hours: Values, chance: np.random.Generator) -> Values:
    """State of charge in whole %."""
    return np.round(50 + 40 * np.sin((hours - 9) * np.pi / 12) + _drift(len(hours), 3, 2000, chance))


def _counter(watts: float, scale: float) -> Shape:
    """An energy register that grows by the load, in steps of `scale` Wh."""

    def shape(hours: Values, chance: np.random.Generator) -> Values:
        load = np.abs(watts * (1 + _drift(len(hours), 0.5, 90, chance)))
        return np.round(1e6 + np.cumsum(load) * STEP / 3_600_000 / scale) * scale

    return shape


def _temperature(mean: float) -> Shape:
    """In °C, to a tenth."""
    return lambda hours, chance: np.round(
        mean + _drift(len(hours), 3, 1500, chance) + chance.normal(0, 0.05, len(hours)), 1
    )


def _frequency(hours: Values, chance: np.random.Generator) -> Values:
    """In Hz, to a hundredth."""
    return np.round(50 + _drift(len(hours), 0.02, 12, chance), 2)


def _current(hours: Values, chance: np.random.Generator) -> Values:
    """Of the battery in A, to a hundredth."""
    return np.round(_drift(len(hours), 12, 200, chance) + chance.normal(0, 0.1, len(hours)), 2)


DEVICES: dict[str, dict[str, Shape]] = {
    "meter": {
        "P1": _power(300, 3, 1),
        "P2": _power(180, 3, 1),
        "P3": _power(90, 3, 1),
        "U1": _voltage(231, 1.2, 0.03),
        "U2": _voltage(230, 1.2, 0.03),
        "U3": _voltage(232, 1.2, 0.03),
    },
    "battery": {
        "Pac_W": _power(500, 8, 0),
        "grid_W": _power(400, 3, 1),
        "load_W": _power(350, 5, 0),
        "solar_W": _sun,
        "U_dc": _voltage(52, 0.4, 0.004),
        "I_dc": _current,
        "soc": _charge,
        "charged_Wh": _counter(900, 1),
        "discharged_Wh": _counter(700, 1),
        "frequency": _frequency,
        "temperature": _temperature(24),
    },
    "charger": {"power_W": _charging},
    "heat": {"energy_kWh": _counter(2500, 10), "flow": _temperature(38)},
}
