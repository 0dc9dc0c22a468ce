"""Items of a made-up house: a value for each hour, from which reports ask whatever they want to know."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from apps.analytics.reports.courses import Array, Course
from apps.readings import calendar

HOUR = 3_600_000
ZONE = "Europe/Brussels"


class Answers:
    """`powers` holds for each item its mean power (kW) of every hour from `start` (ms) on, NaN = a gap.

    The peak of an hour is 10 % above its mean, at its half. Bins in `every` are sums over whole hours.
    """

    def __init__(
        self, start: int, powers: Mapping[str, Sequence[float]], counts: Mapping[str, float] | None = None
    ):
        self.start = start
        self.powers = {item: np.array(values, np.float64) for item, values in powers.items()}
        self.counts = counts or {}

    def course(self, item: str, *, every: str, start: int, end: int, aggregate: str) -> Course | None:
        if item not in self.powers:
            return None
        edges = calendar.edges(ZONE, every, start, end)
        parts = [self._hours(item, int(low), int(high)) for low, high in itertools.pairwise(edges)]
        known = [part[~np.isnan(part)] for part in parts]
        reduce = {"integral": np.sum, "mean": np.mean, "max": lambda part: 1.1 * part.max()}[aggregate]
        values = np.array([reduce(part) if part.size else np.nan for part in known])
        lasting = np.diff(edges) / HOUR
        return Course(edges[:-1], values, np.array([part.size for part in known]) / lasting)

    def whole(self, item: str, *, start: int, end: int, aggregate: str) -> float | None:
        if item in self.counts:
            return self.counts[item]
        known = self._hours(item, start, end) if item in self.powers else np.empty(0)
        known = known[~np.isnan(known)]
        return float(known.sum()) if known.size else None

    def peak(self, item: str, *, start: int, end: int) -> tuple[int, float] | None:
        hours = self._hours(item, start, end)
        if np.isnan(hours).all():
            return None
        place = int(np.nanargmax(hours))
        return start + place * HOUR + HOUR // 2, 1.1 * float(hours[place])

    def _hours(self, item: str, start: int, end: int) -> Array:
        first, last = (start - self.start) // HOUR, -(-(end - self.start) // HOUR)
        return self.powers[item][max(0, first) : max(0, last)]
