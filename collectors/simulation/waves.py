"""Sums of sines: quick movement whose integral is known in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from collectors.simulation.chance import dice


@dataclass(frozen=True, slots=True)
class Waves:
    """``mean`` plus sines, each (amplitude, angular speed in rad/s, phase in rad)."""

    mean: float
    sines: tuple[tuple[float, float, float], ...]

    def at(self, t: float) -> float:
        """The value at second ``t``."""
        return self.mean + sum(a * sin(w * t + p) for a, w, p in self.sines)

    def integrals(self, ts: Sequence[float]) -> list[float]:
        """The exact integrals from second 0 to each of ``ts``."""
        total = [self.mean * t for t in ts]
        for a, w, p in self.sines:
            scale, first = a / w, cos(p)
            total = [s + scale * (first - cos(w * t + p)) for s, t in zip(total, ts, strict=True)]
        return total


def waves(seed: int, what: str, mean: float, *parts: tuple[float, float]) -> Waves:
    """Waves of (amplitude, period in s) whose phases belong to the seed."""
    chance = dice(seed, "waves", what)
    return Waves(mean, tuple((a, 2 * pi / period, 2 * pi * chance.random()) for a, period in parts))
