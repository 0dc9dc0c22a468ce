"""Chance that is the same for everybody: it depends on a seed and a date, never on who asks first."""

import random
from functools import lru_cache
from itertools import pairwise

MINUTES = 1440


def dice(*key: object) -> random.Random:
    """Random numbers that belong to ``key``; the same in every process and on every machine."""
    return random.Random(":".join(map(str, key)))  # noqa: S311 - weather, not keys


def smooth(seed: int, what: str, day: int, cells: int) -> list[float]:
    """A smooth curve in 0…1 at the 1441 minutes of a UTC day, through ``cells`` random values a day.

    The last minute is the next day's first. ``day`` counts from 1970; ``cells`` divides 1440.
    """
    minutes = MINUTES // cells
    ramp = [(u := m / minutes) * u * (3 - 2 * u) for m in range(minutes)]
    knots = [*_knots(seed, what, day, cells), _knots(seed, what, day + 1, cells)[0]]
    return [a + (b - a) * s for a, b in pairwise(knots) for s in ramp] + [knots[-1]]


@lru_cache(maxsize=64)
def _knots(seed: int, what: str, day: int, cells: int) -> tuple[float, ...]:
    chance = dice(seed, what, day)
    return tuple(chance.random() for _ in range(cells))
