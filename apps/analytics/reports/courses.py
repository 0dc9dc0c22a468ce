"""What a report asks of an item, and sums over the answers. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from apps.analytics.reports.periods import Period

Array = NDArray[np.float64]

FULL = 0.95
"""From this coverage on a bin counts as whole: a missed reading is no gap."""

LEAST = 0.01
"""kWh of which a part is worth telling."""

ON_ITS_WAY = 300_000
"""ms that readings may take to be here: an interval of five minutes ends later than it began."""


@dataclass(frozen=True, eq=False)
class Course:
    """An item over bins: `starts` (n,) ms, `values` (n,) NaN where missing, `coverage` (n,) 0 to 1."""

    starts: NDArray[np.int64]
    values: Array
    coverage: Array


class Ask(Protocol):
    """How a report learns about the items of a house; None where there is no such item."""

    def course(self, item: str, *, every: str, start: int, end: int, aggregate: str) -> Course | None:
        """The item in bins of the house's calendar that cover [start, end) ms."""

    def whole(self, item: str, *, start: int, end: int, aggregate: str) -> float | None:
        """One number over [start, end) ms; None too where nothing is known there."""

    def peak(self, item: str, *, start: int, end: int) -> tuple[int, float] | None:
        """The largest value within [start, end) ms, no more than a few hours, and when (ms)."""


def total(values: Array) -> float | None:
    """The sum of what is known, None where nothing is: of bars, exactly what they add up to."""
    known = values[~np.isnan(values)]
    return math.fsum(known.tolist()) if known.size else None


def running(course: Course, period: Period) -> Array:
    """Coverage (n,) of the part of each bin that has passed, NaN where none has.

    What the running bin lacks of its last minutes is on its way, and no gap.
    """
    ends = np.append(course.starts[1:], period.end)
    lasting = (ends - course.starts).astype(np.float64)
    passed = np.clip(period.until - course.starts, 0, lasting)
    measured = course.coverage * lasting
    near = (passed < lasting) & (passed - measured <= ON_ITS_WAY)
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = np.where(near, 1.0, np.minimum(measured / passed, 1.0))
    return np.where(passed > 0, parts, np.nan)


def covered(course: Course, period: Period) -> float | None:
    """Which part of the period, as far as it has passed, readings vouch for; None before it begins."""
    lasting = np.diff(course.starts, append=period.end)
    if period.until <= period.start:
        return None
    return min(1.0, math.fsum((course.coverage * lasting).tolist()) / (period.until - period.start))


def share(whole: Sequence[tuple[Course, int]], lost: Course) -> float | None:
    """1 − Σ lost ÷ Σ ±whole over the bins in which all are fully covered; None where that says nothing.

    Nothing is clipped: more lost than there was shows that two meters disagree.
    """
    known = np.all([one.coverage >= FULL for one in (lost, *(course for course, _ in whole))], axis=0)
    base = math.fsum(sign * value for course, sign in whole for value in course.values[known].tolist())
    return 1 - math.fsum(lost.values[known].tolist()) / base if base > LEAST else None
