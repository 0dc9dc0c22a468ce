"""Making a report: cards, bars that add up to the total, and what is not known. Pure but for what it asks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext_noop as _

from apps.analytics.reports import courses, kinds, periods, words
from apps.analytics.reports.courses import Array, Ask, Course
from apps.analytics.reports.kinds import Bar, Kind
from apps.analytics.reports.periods import Period

_FINE_SHARE_DAYS = 100
"""Shares are summed over hours in periods up to so many days, over days in longer ones."""


@dataclass(frozen=True)
class Card:
    """One figure: what it is, how it reads, and `note`, the small print under it."""

    title: str
    value: str
    unit: str = ""
    change: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class Trace:
    """An item's energy per bin (kWh, NaN = missing), the coverage of what has passed of it, and their sum."""

    bar: Bar
    values: Array
    coverage: Array
    total: float | None
    covered: float | None


@dataclass(frozen=True, eq=False)
class Line:
    """The line beside the bars: `values` (n,) in `unit`; `column` is its name in a CSV."""

    name: str
    unit: str
    column: str
    values: Array


@dataclass(frozen=True, eq=False)
class Report:
    """A kind of report over a period. Bins are named in the house's zone; `level` is per cent or None."""

    kind: Kind
    period: Period
    every: str
    zone: str
    starts: list[int]
    traces: list[Trace]
    level: Array | None
    cards: list[Card]
    missing: list[str]
    """Items that the house lacks and this report wants."""

    @property
    def empty(self) -> bool:
        """Whether nothing at all is known."""
        return all(trace.total is None for trace in self.traces)

    @property
    def coverage(self) -> Array:
        """Of each bin, the least coverage of its traces; NaN for bins ahead."""
        least: Array = np.min([trace.coverage for trace in self.traces], axis=0)
        return least

    @property
    def line(self) -> Line | None:
        """The state of charge, or what the bars add up to as time goes on; bins ahead have none."""
        if self.level is not None:
            return Line("State of charge", "%", "soc_percent", self.level)
        if len(self.traces) > 1:
            return None
        sums = np.where(np.isnan(self.coverage), np.nan, np.nancumsum(self.traces[0].values))
        return Line("Running total", "kWh", "running_total_kWh", sums)


def make(kind: Kind, period: Period, every: str, *, zone: str, ask: Ask) -> Report | None:
    """The report; None where the house has none of its items."""
    found = {bar: _energy(ask, bar.item, period, every) for bar in kind.bars}
    traces = [_trace(bar, course, period) for bar, course in found.items() if course is not None]
    if not traces:
        return None
    starts = next(course.starts for course in found.values() if course is not None)
    level = _level(ask, kind, period, every)
    lacking = [bar.item for bar, course in found.items() if course is None]
    return Report(
        kind=kind,
        period=period,
        every=every,
        zone=zone,
        starts=starts.tolist(),
        traces=traces,
        level=None if level is None else level.values,
        cards=[card for card in _cards(kind, period, every, zone, ask, traces, level) if card is not None],
        missing=lacking + ([kind.level] if kind.level and level is None else []),
    )


def _energy(ask: Ask, item: str, period: Period, every: str) -> Course | None:
    return ask.course(item, every=every, start=period.start, end=period.end, aggregate="integral")


def _level(ask: Ask, kind: Kind, period: Period, every: str) -> Course | None:
    if not kind.level:
        return None
    return ask.course(kind.level, every=every, start=period.start, end=period.end, aggregate="mean")


def _trace(bar: Bar, course: Course, period: Period) -> Trace:
    return Trace(
        bar,
        course.values,
        courses.running(course, period),
        courses.total(course.values),
        courses.covered(course, period),
    )


def _cards(
    kind: Kind,
    period: Period,
    every: str,
    zone: str,
    ask: Ask,
    traces: list[Trace],
    level: Course | None,
) -> list[Card | None]:
    cards: list[Card | None] = [_total(trace, period, zone, ask) for trace in traces]
    cards += [_peak(trace, period, every, zone, ask) for trace in traces if trace.bar.peak]
    cards += [_level_card(level)] if level is not None else []
    cards += [*_sessions(period, ask)] if kind.sessions else []
    cards += [_share(kind.share, period, ask)] if kind.share else []
    return [*cards, _coverage(traces)]


def _total(trace: Trace, period: Period, zone: str, ask: Ask) -> Card:
    earlier = periods.before(period, zone=zone)
    before = ask.whole(trace.bar.item, start=earlier.start, end=earlier.until, aggregate="integral")
    note = f"{words.amount(before)} kWh {_LAST[period.key]}" if before is not None else ""
    return Card(trace.bar.energy, words.amount(trace.total), "kWh", words.change(trace.total, before), note)


_LAST = {
    "24h": "in the 24 hours before",
    "7d": "in as much time before",
    "month": "by then last month",
    "range": "in as many days before",
}


def _peak(trace: Trace, period: Period, every: str, zone: str, ask: Ask) -> Card:
    found = _find_peak(trace.bar.item, period, every, ask)
    if found is None:
        return Card(_("Peak"), words.NOTHING, "kW")
    stamp, value = found
    return Card(_("Peak"), words.amount(value), "kW", note=words.moment(stamp, zone))


def _find_peak(item: str, period: Period, every: str, ask: Ask) -> tuple[int, float] | None:
    """Narrows the bin with the largest value down to an hour, and looks at the readings of that one alone."""
    start, end = period.start, period.end
    for step in dict.fromkeys((every, "1h")):
        course = ask.course(item, every=step, start=start, end=end, aggregate="max")
        if course is None or np.isnan(course.values).all():
            return None
        place = int(np.nanargmax(course.values))
        bounds = [*course.starts.tolist(), end]
        start, end = max(start, bounds[place]), bounds[place + 1]
    return ask.peak(item, start=start, end=end)


def _level_card(level: Course) -> Card:
    known = level.values[~np.isnan(level.values)]
    if not known.size:
        return Card(_("State of charge"), words.NOTHING)
    mean = math.fsum(known.tolist()) / known.size
    note = f"between {known.min():.0f} and {known.max():.0f} %, means of bins"
    return Card(_("State of charge"), f"{mean:.0f} %", note=note)


def _sessions(period: Period, ask: Ask) -> list[Card]:
    count = ask.whole(kinds.SESSION_COUNT, start=period.start, end=period.end, aggregate="count")
    lasting = ask.whole(kinds.SESSION_DURATION, start=period.start, end=period.end, aggregate="mean")
    return [
        Card(_("Charging sessions"), words.NOTHING if count is None else f"{count:.0f}", note="begun"),
        Card(_("Mean duration"), words.duration(lasting), note="of sessions that ended"),
    ]


def _share(share: kinds.Share, period: Period, ask: Ask) -> Card | None:
    """Nothing where the house does not measure what it takes."""
    every = "1h" if period.days <= _FINE_SHARE_DAYS else "1d"
    found = {item: _energy(ask, item, period, every) for item, _ in (*share.whole, *share.storage)}
    lost = found.get(share.lost) or _energy(ask, share.lost, period, every)
    if lost is None or any(found[item] is None for item, _ in share.whole):
        return None
    whole = [(one, sign) for item, sign in (*share.whole, *share.storage) if (one := found[item]) is not None]
    return Card(share.title, words.per_cent(courses.share(whole, lost)), note=share.says)


def _coverage(traces: list[Trace]) -> Card:
    known = [trace.covered for trace in traces if trace.covered is not None]
    least = min(known, default=None)
    note = (
        "of the time was measured" if least is None or least >= courses.FULL else "measured; gaps add nothing"
    )
    return Card(_("Coverage"), words.per_cent(least), note=note)
