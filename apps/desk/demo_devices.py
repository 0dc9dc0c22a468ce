"""The devices of the demo house: how each is configured, simulated, and what it would have delivered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from collectors.simulation import egauge, powerflex, sonnen
from collectors.simulation.history import History
from collectors.simulation.world import World

Gap = tuple[int, int]
"""[from, to) in ms in which the house's network was down."""


class Past(Protocol):
    """Readings from `start` to before `end`; all times in ms."""

    def __call__(self, world: World, start: int, end: int, step: int, gap: Gap) -> History: ...


@dataclass(frozen=True)
class Appliance:
    """A device of the demo; its kind is its name. `step` is the pace of its history in ms."""

    kind: str
    label: str
    interval_s: int
    step: int
    settings: Callable[[int], dict[str, Any]]
    past: Past


def _meter(port: int) -> dict[str, Any]:
    """The battery and the charger measure themselves, so the meter's registers of them have no role."""
    silent = ("A.Battery", "A.EV")
    keys = [{"name": name, "role": None} if name in silent else name for name in egauge.REGISTERS]
    return {"ip": f"127.0.0.1:{port}", "keys": keys, "t_sample": 2}


def _meter_past(world: World, start: int, end: int, step: int, gap: Gap) -> History:
    return egauge.egauge_history(world, start, end, step, gaps=[gap])


def _battery_past(world: World, start: int, end: int, step: int, gap: Gap) -> History:
    return sonnen.sonnen_history(world, start, end, step, gaps=[gap])


def _charger_past(world: World, start: int, end: int, step: int, gap: Gap) -> History:
    """Without a gap: the vendor keeps the rows, and the driver fetches them afterwards."""
    return powerflex.powerflex_history(world, start, end, step)


APPLIANCES = [
    Appliance("egauge", "Main panel", 5, 10_000, _meter, _meter_past),
    Appliance("powerflex", "EV charger", 10, 60_000, powerflex.settings, _charger_past),
    Appliance("sonnen", "Battery", 5, 60_000, sonnen.settings, _battery_past),
]
