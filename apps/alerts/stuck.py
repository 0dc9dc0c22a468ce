"""Values that do not move while others of their source do. Pure; stamps in Unix ms.

Only powers and voltages are looked at: a state of charge rests at 100, a setting rests for years. Zero is no
fault either: it is what the sun gives at night.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

QUANTITIES = ("power", "voltage")
HOUR = 3_600_000
TOO_LONG = 12 * HOUR
"""Longer than an inverter at its limit, a car at its charger or the standby of a night."""
MOVED_WITHIN = HOUR
FEWEST_LOOKS = 24
"""What uploads once a day is seen once a day, and may well be the same at that hour."""


class Held(NamedTuple):
    """A value, since when it is the same, when it was seen last, and how often."""

    value: float
    since: int
    seen: int
    looks: int


def look(held: Mapping[str, Held], values: Mapping[str, tuple[int, float]]) -> dict[str, Held]:
    """What is known after a look at the newest (stamp, value) of each field; a known stamp says nothing."""
    return {field: _after(held.get(field), *newest) for field, newest in values.items()}


def _after(held: Held | None, stamp: int, value: float) -> Held:
    if held is None or value != held.value:
        return Held(value, stamp, stamp, 1)
    return held if stamp <= held.seen else Held(value, held.since, stamp, held.looks + 1)


def stuck(held: Mapping[str, Held]) -> list[str]:
    """The fields that stand still at a value that is not zero while another field moves."""
    return [name for name, own in held.items() if _is_stuck(own) and _others_move(held, name)]


def _is_stuck(own: Held) -> bool:
    return own.value != 0 and own.seen - own.since >= TOO_LONG and own.looks >= FEWEST_LOOKS


def _others_move(held: Mapping[str, Held], name: str) -> bool:
    return any(other.since >= held[name].seen - MOVED_WITHIN for key, other in held.items() if key != name)
