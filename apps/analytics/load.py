"""How much a formula would read over a range of time, known before any of it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
from apps.readings.sql import fetch

TOGETHER = 4_000_000
"""Readings that are aimed at to have in memory at once."""
MAX_LOADED = 30_000_000
"""Readings that may be, where a formula reaches so far that fewer are not enough."""
MAX_WORK = 5_000_000_000
"""Stamps times operations of one evaluation, a minute or so."""

# Compacted days alone: there are few others. Series on one clock have its stamps together.
_COUNTS = """
WITH held AS (
    SELECT source_id, day, clock_id, count FROM readings_segment
    WHERE source_id = ANY(%(sources)s::bigint[]) AND series_id = ANY(%(series)s::bigint[])
        AND day BETWEEN %(first)s::int AND %(last)s::int
)
SELECT
    (SELECT coalesce(sum(count), 0)::bigint FROM (SELECT DISTINCT * FROM held) AS clocks),
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
    """What evaluating `bound` in [start, end) ms takes. Four queries at most."""
    around = bound.reach.before + bound.reach.after
    first, last = start - bound.reach.before, end + bound.reach.after
    stamps, a_day = _counts(list(bound.series.values()), first // DAY, last // DAY)
    days = max(1, TOGETHER // max(a_day, 1))
    length = max(min(days * DAY, end - start), min(around, end - start), 1)
    known = _extent(bound)
    return Load(
        points=_points(bound, start, end, stamps),
        work=stamps * size(bound.node),
        loaded=a_day * -(-(length + around) // DAY),
        length=length,
        start=known[0] - bound.reach.after,
        end=known[1] + bound.reach.before,
    )


def _points(bound: Bound, start: int, end: int, stamps: int) -> int:
    """At most so many points the answer has: an average one for each bin, and not more than readings."""
    parts = list(operands(bound.node))
    averages = [part for part in parts if isinstance(part, Call)]
    direct = [bound.series[part] for part in parts if isinstance(part, Field)]
    whole_days = (-(-start // DAY), end // DAY - 1)
    own = _counts(direct, *whole_days)[0] if direct else 0
    return own + sum(min((end - start) // period(one) + 1, stamps) for one in averages)


def _counts(series: list[Series], first: int, last: int) -> tuple[int, int]:
    """Different stamps of `series` over compacted UTC days, and the most readings of one day."""
    asked = {
        "sources": list({one.source_id for one in series}),
        "series": [one.pk for one in series],
        "first": first,
        "last": last,
    }
    ((stamps, a_day),) = fetch(_COUNTS, asked)
    return stamps, a_day


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
