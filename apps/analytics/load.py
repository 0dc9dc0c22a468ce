"""How much a formula would read over a range of time, known before any of it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Max, Min

from apps.analytics.formula import references
from apps.analytics.formula.evaluation import operands
from apps.analytics.formula.nodes import Call, Field, size
from apps.analytics.formula.periods import period
from apps.analytics.inputs import Bound
from apps.devices.models import Event
from apps.houses.models import House
from apps.readings import store
from apps.readings.models import Series
from apps.readings.samples import DAY
from apps.readings.sql import array, fetch

TOGETHER = 4_000_000
"""Readings that are aimed at to have in memory at once."""
MAX_LOADED = 30_000_000
"""Readings that may be, where a formula reaches so far that fewer are not enough."""
MAX_WORK = 5_000_000_000
"""Stamps times operations of one evaluation, a minute or so."""

# Compacted days alone: there are few others. Series on one clock have its stamps together.
_COUNTS = """
WITH held AS MATERIALIZED (
    SELECT source_id, day, series_id, clock_id, count FROM readings_segment
    WHERE source_id = ANY(%(sources)s::bigint[]) AND series_id = ANY(%(series)s::bigint[])
        AND day BETWEEN %(first)s::int AND %(last)s::int
), clocks AS (
    SELECT DISTINCT source_id, day, clock_id, count FROM held
), direct AS (
    SELECT DISTINCT source_id, day, clock_id, count FROM held
    WHERE series_id = ANY(%(direct)s::bigint[]) AND day BETWEEN %(first_whole)s::int AND %(last_whole)s::int
)
SELECT
    (SELECT coalesce(sum(count), 0)::bigint FROM clocks),
    (SELECT coalesce(sum(count), 0)::bigint FROM direct),
    (SELECT coalesce(max(total), 0)::bigint FROM (SELECT sum(count) AS total FROM held GROUP BY day) AS days)
"""


class TooMuchError(ValueError):
    """An evaluation would take too many points, readings or operations; the text tells how many."""


@dataclass(frozen=True)
class Load:
    """What evaluating a formula over a range takes.

    `points` is how many the answer has at most, `work` stamps times operations, `loaded` readings in memory
    at once when time is taken in parts of `length` ms. There is something within [start, end) ms alone.
    """

    points: int
    work: int
    loaded: int
    length: int
    start: int
    end: int

    def check(self, times: int = 1) -> None:
        """Raise TooMuchError for what would take too long, done so many `times`, or too much memory."""
        if (work := self.work * times) > MAX_WORK:
            raise TooMuchError(
                f"This would take {work} operations, {MAX_WORK} is the most. Shorten range or formula."
            )
        if self.loaded > MAX_LOADED:
            raise TooMuchError(
                f"This would hold about {self.loaded} readings at once, {MAX_LOADED} is the most."
                " Shorten the periods of avg."
            )

    def reaches(self, start: int, end: int) -> bool:
        """Whether there can be anything in [start, end) ms."""
        return start < self.end and end > self.start

    def parts(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """[start, end) ms, as far as there is anything, in parts."""
        start, end = max(start, self.start), min(end, self.end)
        return ((first, min(first + self.length, end)) for first in range(start, end, self.length))


def plan(bound: Bound, start: int, end: int) -> Load:
    """What evaluating `bound` in [start, end) ms takes. Three queries at most."""
    around = bound.reach.before + bound.reach.after
    direct, averages = _parts(bound)
    counts = _count(bound, direct, start, end)
    days = max(1, TOGETHER // max(counts.a_day, 1))
    length = max(min(days * DAY, end - start), min(around, end - start), 1)
    known = _extent(bound)
    # An average has one point for each bin, and not more than there are readings.
    bins = sum(min((end - start) // period(one) + 1, counts.stamps) for one in averages)
    return Load(
        points=counts.direct + bins,
        work=counts.stamps * size(bound.node),
        loaded=counts.a_day * -(-(length + around) // DAY),
        length=length,
        start=known[0] - bound.reach.after,
        end=known[1] + bound.reach.before,
    )


class _Counts(NamedTuple):
    """Different stamps of all series and of those outside averages, and the most readings of one UTC day."""

    stamps: int = 0
    direct: int = 0
    a_day: int = 0


def _parts(bound: Bound) -> tuple[list[Series], list[Call]]:
    """The series that stand outside averages, and the averages."""
    parts = list(operands(bound.node))
    direct = [bound.series[part] for part in parts if isinstance(part, Field)]
    return direct, [part for part in parts if isinstance(part, Call)]


def _count(bound: Bound, direct: list[Series], start: int, end: int) -> _Counts:
    """Of the compacted UTC days that [start, end) ms reaches; `direct` of those that lie in it."""
    if not bound.series:
        return _Counts()
    asked = {
        "sources": array(bound.source_ids),
        "series": array(one.pk for one in bound.series.values()),
        "first": (start - bound.reach.before) // DAY,
        "last": (end + bound.reach.after) // DAY,
        "direct": array(one.pk for one in direct),
        "first_whole": -(-start // DAY),
        "last_whole": end // DAY - 1,
    }
    ((stamps, own, a_day),) = fetch(_COUNTS, asked)
    return _Counts(stamps, own, a_day)


def _extent(bound: Bound) -> tuple[int, int]:
    """When there is anything at all that the formula reads: [start, end) ms."""
    known = [store.extent(bound.source_ids)] if bound.series else []
    if references(bound.node).events:
        known.append(_extent_of_events(bound.house))
    some = [(start, end) for start, end in known if start < end]
    return min((start for start, _ in some), default=0), max((end for _, end in some), default=0)


def _extent_of_events(house: House) -> tuple[int, int]:
    found = Event.objects.filter(house=house).aggregate(first=Min("timestamp"), last=Max("timestamp"))
    return (0, 0) if found["last"] is None else (found["first"], found["last"] + 1)
