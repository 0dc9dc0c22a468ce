"""Which local days rollups are kept for, and where their hours are: the house's calendar from the seal on.

Sealed days stay as they are even when the house's zone changes. The first day after them begins at the seal,
so that no time is counted twice or lost; where the new zone would give it a sealed day's date, it is joined
to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from apps.readings import calendar
from apps.readings.samples import Stamps


@dataclass(frozen=True, eq=False)
class Days:
    """Local `dates` (n), the `bounds` (n + 1,) between them and the `hours` (m + 1,) between these, in ms."""

    dates: list[date]
    bounds: Stamps
    hours: Stamps


@dataclass(frozen=True)
class LocalDays:
    """The calendar of `zone` from `sealed` (ms) on, where rollups up to `sealed_date` end."""

    zone: str
    sealed: int | None = None
    sealed_date: date | None = None

    def covering(self, start: int, end: int) -> Days:
        """The days that hold some of [start, end) after the seal, whole, of which there is some."""
        if self.sealed is None:
            dates, bounds = calendar.local_days(self.zone, start, end)
        else:
            dates, bounds = self._after_seal(self.sealed, max(start, self.sealed), end)
        hours = calendar.edges(self.zone, "1h", int(bounds[0]), int(bounds[-1]))
        hours[0] = bounds[0]  # a seal may lie within an hour of another zone
        return Days(dates, bounds, hours)

    def start_of_day(self, instant: int) -> int:
        """Where the day that holds `instant` begins."""
        return int(self.covering(instant, instant + 1).bounds[0])

    def _after_seal(self, sealed: int, start: int, end: int) -> tuple[list[date], Stamps]:
        first = calendar.local_date(self.zone, sealed)
        midnight = calendar.day_bounds(self.zone, first)[1]
        joined = self.sealed_date is not None and first <= self.sealed_date
        if joined and start < calendar.day_bounds(self.zone, calendar.local_date(self.zone, midnight))[1]:
            start, end = sealed, max(end, midnight + 1)
        dates, bounds = calendar.local_days(self.zone, start, end)
        if joined and start == sealed:
            dates, bounds = dates[1:], np.delete(bounds, 1)
        bounds[0] = max(int(bounds[0]), sealed)
        return dates, bounds
