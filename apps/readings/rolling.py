"""Rolling up: the marked days of a source become rollups of its house's local days, in one transaction.

What is written is a function of what is stored (see `window`), so it does not matter how often, in which
order or by how many workers days are rolled up: once nothing is marked, the rows are the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from django.db import transaction

from apps.readings import damage, integration, locks, marks, quarantine, rollup_rows, window
from apps.readings.borders import Border, covered_before, crossed_from, told_earlier, told_later
from apps.readings.codec import CorruptPayload
from apps.readings.local_days import Days, LocalDays
from apps.readings.models import Kind, Series, Source
from apps.readings.rollup_rows import Key, Row
from apps.readings.rollups import columns
from apps.readings.samples import DAY
from apps.readings.sql import fetch, run
from apps.readings.window import Window

logger = logging.getLogger(__name__)

MOST_DAYS = 31
MOST_READINGS = 4_000_000
"""How much one transaction takes on: about 64 MB of readings in memory."""

# Days that are to be computed first are not yet worth rolling up; those known to be damaged come last.
_MARKED = """
SELECT work.day, work.seq, work.damaged, coalesce(sum(segment.count), 0)::bigint
FROM (
    SELECT marked.day, seq, damage.day IS NOT NULL AS damaged FROM readings_invalidation AS marked
    LEFT JOIN readings_damage AS damage
        ON damage.source_id = marked.source_id AND damage.day = marked.day AND damage.step = 'roll'
    WHERE marked.source_id = %(source)s::bigint AND recompute IS NULL
    ORDER BY damaged, marked.day LIMIT %(most)s::int
) AS work
LEFT JOIN readings_segment AS segment ON segment.source_id = %(source)s::bigint AND segment.day = work.day
GROUP BY work.day, work.seq, work.damaged ORDER BY work.damaged, work.day
"""

_DONE = """
DELETE FROM readings_invalidation AS work USING unnest(%(days)b::int[], %(seqs)b::bigint[]) AS done (day, seq)
WHERE work.source_id = %(source)s::bigint AND work.day = done.day AND work.seq = done.seq
    AND work.recompute IS NULL
"""

_BORDERED = """
SELECT DISTINCT day FROM readings_boundary
WHERE source_id = %(source)s::bigint AND series_id = %(series)s::bigint
    AND day BETWEEN %(first)s::int AND %(last)s::int
"""

_SEALED_DATE = """
SELECT max(day) FROM readings_rollup
WHERE source_id = %(source)s::bigint AND starts[1] < %(sealed)s::bigint
"""


@dataclass(frozen=True)
class Rolled:
    """The house's calendar for a source, and where its readings begin."""

    source_id: int
    calendar: LocalDays
    sealed: int  # ms; 0 where nothing is sealed

    @property
    def sealed_day(self) -> int:
        """The first UTC day whose readings are not dropped."""
        return self.sealed // DAY


def roll(source_id: int) -> int:
    """Roll up the first marked days of a source; returns how many marks that did away with.

    0 when nothing is marked, or only what is damaged, or another worker has the source.
    """
    with transaction.atomic():
        if not locks.try_hold(source_id):
            return 0
        taken = _take(source_id)
        done = _rolled(calendar_of(source_id), sorted(taken)) if taken else []
        if done:
            run(_DONE, {"source": source_id, "days": done, "seqs": [taken[day] for day in done]})
    return len(done)


def _rolled(rolled: Rolled, marked: list[int]) -> list[int]:
    """Work out the marked days but those whose readings, or those beside them, are damaged; returns which."""
    try:
        with transaction.atomic():
            _roll(rolled, marked)
    except CorruptPayload as error:
        if len(marked) > 1:
            half = len(marked) // 2
            return _rolled(rolled, marked[:half]) + _rolled(rolled, marked[half:])
        logger.exception("Could not roll up day %s of source %s", marked[0], rolled.source_id)
        damage.note(rolled.source_id, marked[0], damage.Step.ROLL, error)
        return []
    return marked


def calendar_of(source_id: int) -> Rolled:
    """The calendar on record: the house's zone and the source's seal."""
    source = Source.objects.select_related("house").get(pk=source_id)
    sealed = source.sealed_before
    if sealed is None:
        return Rolled(source_id, LocalDays(source.house.time_zone), 0)
    ((last,),) = fetch(_SEALED_DATE, {"source": source_id, "sealed": sealed})
    return Rolled(source_id, LocalDays(source.house.time_zone, sealed, last), sealed)


def _take(source_id: int) -> dict[int, int]:
    """Marked days that follow each other, with the number of each mark, few enough to do at once."""
    taken: dict[int, int] = {}
    readings, kind = 0, False
    for day, seq, damaged, count in fetch(_MARKED, {"source": source_id, "most": MOST_DAYS}):
        readings += count
        if taken and (day - 1 not in taken or damaged != kind or readings > MOST_READINGS):
            break
        taken[day], kind = seq, damaged
    return taken


def _roll(rolled: Rolled, marked: Sequence[int]) -> None:
    """Work out the marked days; those before the seal stand for the first after it."""
    first, last = (max(day, rolled.sealed_day) for day in (marked[0], marked[-1]))
    touched = rolled.calendar.covering(first * DAY, (last + 1) * DAY)
    found = window.load(
        rolled.source_id,
        list(Series.objects.filter(source=rolled.source_id).order_by("pk")),
        min(first - 1, int(touched.bounds[0]) // DAY),
        max(last + 1, (int(touched.bounds[-1]) - 1) // DAY),
        sealed_day=rolled.sealed_day,
        tail=False,
    )
    _write_borders(rolled, found, first, last)
    _record_steps(found, range(first, last + 1))
    _write_rows(rolled, found, first, last, touched)


def _write_borders(rolled: Rolled, found: Window, first: int, last: int) -> None:
    """Store the borders of the days, and of the next one, whose first reading was looked at.

    Days outside that read what changed are marked.
    """
    changed = [
        (number, day, old, new)
        for number in found.series
        for day in range(first, last + 2)
        if (old := found.within.get(number, {}).get(day)) != (new := _border_of(found, number, day))
        and (new is not None or day <= last)
    ]
    put = [(number, day, new) for number, day, _, new in changed if new is not None]
    rollup_rows.put_borders(rolled.source_id, put)
    rollup_rows.drop_borders(
        rolled.source_id, [(number, day) for number, day, _, new in changed if new is None]
    )
    beside = {
        max(day, rolled.sealed_day)
        for number, day, old, new in changed
        for day in _readers(rolled.source_id, found, number, day, old, new)
    }
    marks.neighbours(rolled.source_id, beside - set(range(first, last + 1)))


def _record_steps(found: Window, days: range) -> None:
    """Let operators see the steps of counters that these days tell of, and no others."""
    counters = [number for number, one in found.series.items() if one.kind == Kind.COUNTER]
    known = quarantine.recorded(counters, days[0], days[-1]) if counters else {}
    for number in counters:
        for day in days:
            followed = found.days(number).get(day)
            steps = followed.advanced.steps if followed and followed.advanced else ()
            if list(steps) != known.get((number, day), []):
                quarantine.record(series_id=number, day=day, steps=steps)


def _border_of(found: Window, number: int, day: int) -> Border | None:
    followed = found.days(number).get(day)
    return None if followed is None else followed.border


def _readers(
    source_id: int, found: Window, number: int, day: int, old: Border | None, new: Border | None
) -> Iterator[int]:
    """The days beside `day` that may come out otherwise now that its border changed."""
    kind = found.series[number].kind
    max_gap = integration.max_gap(found.series[number].cadence)
    before, after = neighbours(found, number, day)
    if after and told_later(kind, old, new, after[1], max_gap):
        yield after[0]
    if kind == Kind.COUNTER:
        if (begin := crossed_from(old, new)) is not None:
            asked = {"source": source_id, "series": number, "first": begin, "last": day - 1}
            yield from (begin, *(one for (one,) in fetch(_BORDERED, asked)))
    elif before and told_earlier(kind, before[1], old, new, max_gap):
        yield before[0]


def neighbours(
    found: Window, number: int, day: int
) -> tuple[tuple[int, Border] | None, tuple[int, Border] | None]:
    """The nearest days with data before and after `day`, with their borders, if there are any."""
    days = found.days(number)
    earlier = [own for own in days if own < day]
    later = [own for own in days if own > day]
    before = (earlier[-1], days[earlier[-1]].border) if earlier else found.before.get(number)
    after = (later[0], days[later[0]].border) if later else found.after.get(number)
    return before, after


def _write_rows(rolled: Rolled, found: Window, first: int, last: int, touched: Days) -> None:
    new: dict[Key, Row] = {}
    ranges: dict[int, tuple[date, date]] = {}
    covering: dict[tuple[int, int], Days] = {(int(touched.bounds[0]), int(touched.bounds[-1])): touched}
    for number in found.series:
        before, _ = neighbours(found, number, first)
        _, after = neighbours(found, number, last)
        span = _span(rolled.calendar, found, number, first, last, touched)
        if span not in covering:
            covering[span] = rolled.calendar.covering(*span)
        days = covering[span]
        # Where nothing is before or after, nothing may be left there of what once was.
        ranges[number] = (
            days.dates[0] if before else date.min,
            days.dates[-1] if after else date.max,
        )
        if number in known_of(found):
            hours = columns(found.stream(number), days.hours)
            new |= {(number, day): row for day, row in rollup_rows.rows(days, hours)}
    old = rollup_rows.existing(rolled.source_id, ranges, sealed=rolled.sealed)
    rollup_rows.write(rolled.source_id, new, old)


def known_of(found: Window) -> set[int]:
    """The series of a window of which there is any reading in or around it."""
    return {number for number in found.series if len(found.samples[number])} | {*found.before, *found.after}


def _span(
    calendar: LocalDays, found: Window, number: int, first: int, last: int, touched: Days
) -> tuple[int, int]:
    """From where to where (ms) the days are responsible for the rollups of a series.

    That is their own local days and the gap after them, up to the local day of the next data; and before a
    series' very first reading, what that covers.
    """
    begin, end = int(touched.bounds[0]), int(touched.bounds[-1])
    before, _ = neighbours(found, number, first)
    _, after = neighbours(found, number, last)
    if after is not None:
        end = max(end, calendar.start_of_day(after[0] * DAY))
    else:
        end = max(end, _held_until(found, number))
    if before is None and (own := found.days(number)):
        known = next(iter(own.values())).border
        begin = min(begin, known.first_stamp - covered_before(known))
    return begin, end


def _held_until(found: Window, number: int) -> int:
    """Until when (ms) the last reading of a step holds."""
    one = found.series[number]
    if one.kind != Kind.STEP or number not in known_of(found):
        return 0
    days = found.days(number)
    newest = list(days.values())[-1].border if days else found.before[number][1]
    return newest.last_stamp + integration.max_gap(one.cadence)
