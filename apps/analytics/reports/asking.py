"""What a report asks, answered from the items of a house.

What is kept of an item is read from its rollups as far as it is up to date, and the rest is worked out by its
formula; both give the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from apps.analytics import definitions
from apps.analytics.evaluation import evaluate
from apps.analytics.formula import FormulaError
from apps.analytics.inputs import Bound
from apps.analytics.kept import kept_until
from apps.analytics.models import AnalyticsItem
from apps.analytics.reports.courses import Array, Course
from apps.houses.models import House
from apps.readings import bins, calendar
from apps.readings.models import Series
from apps.readings.names import VALUE
from apps.readings.samples import Stamps

_NOTHING = Course(np.empty(0, np.int64), np.empty(0), np.empty(0))


@dataclass(frozen=True, eq=False)
class _Known:
    """An item that means something: its formula, and its kept results as far as they count (ms)."""

    bound: Bound
    kept: Series | None
    until: int


class HouseAsk:
    """The items of `house` as of `now` (ms). One whose formula means nothing any more counts as none."""

    def __init__(self, house: House, now: int) -> None:
        self._house, self._now = house, now
        self._known: dict[str, _Known | None] = {}

    def course(self, item: str, *, every: str, start: int, end: int, aggregate: str) -> Course | None:
        """The item in bins of the house's calendar that cover [start, end) ms."""
        known = self._find(item)
        if known is None:
            return None
        edges = calendar.edges(self._house.time_zone, every, start, end)
        cut = int(np.searchsorted(edges, known.until, "right")) - 1 if every in bins.STORED else 0
        kept = self._kept(known, edges[: cut + 1], every, aggregate) if cut > 0 else _NOTHING
        fresh = _fresh(known, edges[max(cut, 0) :], every, aggregate)
        return _joined(kept, fresh)

    def whole(self, item: str, *, start: int, end: int, aggregate: str) -> float | None:
        """One number over [start, end) ms; None where nothing is known."""
        known = self._find(item)
        if known is None or end <= start:
            return None
        if aggregate != "integral":
            return evaluate(known.bound, start=start, end=end, aggregate=aggregate).value
        return self._integral(item, known, start, end)

    def peak(self, item: str, *, start: int, end: int) -> tuple[int, float] | None:
        """The largest value within [start, end) ms, and when."""
        known = self._find(item)
        answer = None if known is None else evaluate(known.bound, start=start, end=end)
        if answer is None or answer.stamps is None or answer.values is None or np.isnan(answer.values).all():
            return None
        place = int(np.nanargmax(answer.values))
        return int(answer.stamps[place]), float(answer.values[place])

    def _integral(self, item: str, known: _Known, start: int, end: int) -> float | None:
        """Whole days as the item has them, and by its formula the piece of a day that is left."""
        rest, parts = start, list[float]()
        if start == self._midnight(start) < self._midnight(end - 1):
            rest = self._midnight(end - 1)
            days = self.course(item, every="1d", start=start, end=rest, aggregate="integral")
            parts += [] if days is None else days.values[~np.isnan(days.values)].tolist()
        last = evaluate(known.bound, start=rest, end=end, aggregate="integral").value
        return math.fsum([*parts, last or 0.0]) if parts or last is not None else None

    def _midnight(self, instant: int) -> int:
        """Where the local day of `instant` begins."""
        zone = self._house.time_zone
        return calendar.day_bounds(zone, calendar.local_date(zone, instant))[0]

    def _kept(self, known: _Known, edges: Stamps, every: str, aggregate: str) -> Course:
        assert known.kept is not None  # noqa: S101  else nothing of it counts
        start, end = int(edges[0]), int(edges[-1])
        zone = self._house.time_zone
        found = bins.binned([known.kept], zone=zone, every=every, start=start, end=end)[known.kept.pk]
        return _course(found.edges[:-1], getattr(found, aggregate), found.coverage)

    @cached_property
    def _items(self) -> dict[str, AnalyticsItem]:
        found = AnalyticsItem.objects.filter(house=self._house).select_related("house", "source")
        return {item.name: item for item in found}

    def _find(self, name: str) -> _Known | None:
        if name not in self._known:
            self._known[name] = self._bind(name)
        return self._known[name]

    def _bind(self, name: str) -> _Known | None:
        if name not in self._items:
            return None
        item = self._items[name]
        try:
            bound = definitions.define(item).bound
        except FormulaError:
            return None
        series = Series.objects.filter(source=item.source_id, field=VALUE).first() if item.source_id else None
        return _Known(bound, series, kept_until(item, now=self._now) if series else 0)


def _fresh(known: _Known, edges: Stamps, every: str, aggregate: str) -> Course:
    if edges.size < 2:
        return _NOTHING
    start, end = int(edges[0]), int(edges[-1])
    answer = evaluate(known.bound, start=start, end=end, every=every, aggregate=aggregate)
    if answer.stamps is None or answer.values is None:
        return _NOTHING
    covered = np.zeros(answer.stamps.size) if answer.coverage is None else answer.coverage
    return _course(answer.stamps, answer.values, covered)


def _course(starts: Stamps, values: Array, coverage: Array) -> Course:
    """A bin of which nothing is known has no energy, rather than none at all."""
    return Course(starts, np.where(coverage > 0, values, np.nan), coverage)


def _joined(earlier: Course, later: Course) -> Course:
    if not earlier.starts.size:
        return later
    return Course(
        np.concatenate((earlier.starts, later.starts)),
        np.concatenate((earlier.values, later.values)),
        np.concatenate((earlier.coverage, later.coverage)),
    )
