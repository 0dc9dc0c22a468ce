"""Meters for the tests of the derived meter: their readings by field, at stamps of any kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from apps.meters.physics.balance import Role, Target
from apps.meters.physics.derivation import Derived, Input, Recipe, Rule, at, derive
from apps.meters.physics.grid import Rhythm, edges, step_of
from apps.meters.physics.power import PfConvention
from apps.readings.samples import Samples

MINUTE = 60_000
QUARTER = 15 * MINUTE
HOUR = 60 * MINUTE
BASE = 1_735_689_600_000  # 2025-01-01

Course = Callable[[np.ndarray], np.ndarray] | float


def minutes(*values: float) -> np.ndarray:
    return BASE + np.array([round(value * MINUTE) for value in values], np.int64)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def every(step: int, count: int, start: int = BASE) -> np.ndarray:
    return start + step * np.arange(count, dtype=np.int64)


def samples(stamps: np.ndarray, values: Course) -> Samples:
    numbers = values(stamps) if callable(values) else np.full(stamps.size, float(values))
    return Samples(stamps, np.asarray(numbers, np.float64))


def meter(
    role: Role | str,
    stamps: np.ndarray,
    interval: int = QUARTER,
    *,
    name: str = "",
    polarity: int = 1,
    convention: PfConvention = PfConvention.UNSIGNED,
    accuracy: float = 0.005,
    since: int | None = None,
    until: int | None = None,
    tolerance: int | None = None,
    decisions: Any = None,
    **columns: Course | Samples,
) -> Input:
    """A meter whose columns are numbers, functions of the stamps, or samples."""
    rule = Rule(Role(role), polarity, convention, accuracy, since, until)
    found = {
        field: values if isinstance(values, Samples) else samples(stamps, values)
        for field, values in columns.items()
    }
    return Input(name or str(role), rule, Rhythm.of(interval, tolerance), found, decisions=decisions or {})


def work_out(
    target: Target | str, *inputs: Input, start: int = BASE, end: int = BASE + HOUR, **recipe: Any
) -> Derived:
    """The target over [start, end] on the grid of the slowest input."""
    step = step_of([one.rhythm.interval for one in inputs])
    return derive(Recipe(Target(target), **recipe), inputs, edges(step, start + 1, end + 1))


def values(derived: Derived, field: str) -> list[float]:
    return derived.fields[field].values.tolist()


def ends(derived: Derived, field: str) -> list[float]:
    """When the field's intervals end, in minutes since BASE."""
    return ((derived.fields[field].stamps - BASE) / MINUTE).tolist()


def lengths(derived: Derived) -> np.ndarray:
    """How long (ms) each interval of the derived power is."""
    return at(derived.fields["power"].stamps, derived.fields["_length"])


def quality(derived: Derived, stamp: int) -> int:
    marked = derived.fields["_quality"]
    found = marked.values[marked.stamps == stamp]
    return int(found[0]) if found.size else 0


def growing(rate: float, start: float = 1000.0) -> Course:
    """A register that grows by `rate` kW from `start` kWh at BASE."""
    return lambda stamps: start + rate * (stamps - BASE) / HOUR
