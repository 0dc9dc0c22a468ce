"""What a report asks, answered from the items of a house."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from apps.analytics import kept
from apps.analytics.definitions import Formulas
from apps.analytics.evaluation import evaluate
from apps.analytics.formula import FormulaError, expand
from apps.analytics.inputs import Bound, bind
from apps.analytics.models import AnalyticsItem
from apps.analytics.reports.courses import Course
from apps.houses.models import House
from apps.readings import calendar


@dataclass(frozen=True, eq=False)
class _Known:
    """An item that means something, and what it means."""

    item: AnalyticsItem
    bound: Bound


class HouseAsk:
    """The items of `house` as of `now` (ms). One whose formula means nothing any more counts as none."""

    def __init__(self, house: House, now: int) -> None:
        self._house, self._now = house, now
        self._known: dict[str, _Known | None] = {}

    def bound(self, item: str) -> Bound | None:
        """What the item's formula means; None where there is no such item, or it means nothing."""
        known = self._find(item)
        return None if known is None else known.bound

    def course(self, item: str, *, every: str, start: int, end: int, aggregate: str) -> Course | None:
        """The item in bins of the house's calendar that cover [start, end) ms."""
        known = self._find(item)
        if known is None:
            return None
        answer = kept.binned(
            known.item,
            known.bound,
            start=start,
            end=end,
            every=every,
            aggregate=aggregate,
            now=self._now,
        )
        if answer.stamps is None or answer.values is None or answer.coverage is None:
            return None
        return Course(answer.stamps, answer.values, answer.coverage)

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

    @cached_property
    def _items(self) -> dict[str, AnalyticsItem]:
        found = AnalyticsItem.objects.filter(house=self._house).select_related("house", "source")
        return {item.name: item for item in found}

    @cached_property
    def _formulas(self) -> Formulas:
        return Formulas({name: item.formula for name, item in self._items.items()})

    def _find(self, name: str) -> _Known | None:
        if name not in self._known:
            self._known[name] = self._bind(name)
        return self._known[name]

    def _bind(self, name: str) -> _Known | None:
        if name not in self._items:
            return None
        try:
            node = expand(self._formulas[name], self._formulas)
            return _Known(self._items[name], bind(self._house, node))
        except FormulaError:
            return None
