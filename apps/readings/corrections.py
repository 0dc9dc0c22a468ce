"""Changing what is stored already: a derived day as a whole, or a withdrawal of measured readings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

import numpy as np
from django.db import transaction

from apps.readings import days, locks, marks
from apps.readings import latest as newest_values
from apps.readings.codec import Tombstone, encode_tombstone
from apps.readings.latest import Newest
from apps.readings.models import Series, Source
from apps.readings.query import read
from apps.readings.samples import DAY, EMPTY, Samples, increasing
from apps.readings.sql import fetch, run

# Days without data need no mark: what arrives there later stands.
_WITHDRAW = """
INSERT INTO readings_tail (source_id, day, received_at, payload)
SELECT %(source)s::bigint, day, %(at)s::timestamptz, %(payload)s::bytea FROM (
    SELECT day FROM readings_segment
    WHERE source_id = %(source)s::bigint AND day BETWEEN %(first)s::int AND %(last)s::int
        AND series_id = ANY(%(series)s::bigint[])
    UNION
    SELECT day FROM readings_tail
    WHERE source_id = %(source)s::bigint AND day BETWEEN %(first)s::int AND %(last)s::int
) AS held
ORDER BY day
"""

_LAST_DAY = """
SELECT max(day) FROM (
    SELECT max(day) AS day FROM readings_segment
    WHERE source_id = %(source)s::bigint AND day < %(before)s::int AND series_id = ANY(%(series)s::bigint[])
    UNION ALL
    SELECT max(day) FROM readings_tail WHERE source_id = %(source)s::bigint AND day < %(before)s::int
) AS held
"""


@transaction.atomic
def replace_day(*, source_id: int, day: int, samples: Mapping[int, Samples]) -> bool:
    """Make a derived source hold exactly `samples` (by series id) on a UTC day; whether that changed it.

    Other series of the source are empty on that day afterwards. Unchanged days write nothing. A day that is
    sealed as a whole stays as it is. Waits for the source's lock; `latest` follows, and a changed day is
    marked to be rolled up. Raises ValueError for stamps outside the day or out of order.
    """
    for own in samples.values():
        _check(own, day)
    locks.hold(source_id)
    if _sealed(source_id, day):
        return False
    stored = days.load(source_id, day)
    contents = dict.fromkeys(stored.segments, EMPTY) | dict(samples)
    changed = days.write(stored, contents)
    days.drop_tail(stored)
    if changed:
        marks.changed(source_id, [day])
        _follow(source_id, {number: contents[number] for number in changed}, day)
    return bool(changed or stored.tail)


@transaction.atomic
def withdraw(*, source_id: int, series_ids: Collection[int], start: int, end: int, at: datetime) -> int:
    """Take back what arrived so far of some series in [start, end) ms; later arrivals stand.

    `latest` falls back to what remains. Returns on how many UTC days something may have been held.
    """
    if not series_ids or end <= start:
        return 0
    newest = newest_values.lock(source_id)
    marked = _mark(source_id, series_ids, start, end, at)
    gone = {
        field: number
        for field, number in _fields(source_id, series_ids).items()
        if field in newest and start <= newest[field][0] < end
    }
    if gone:
        _fall_back(source_id, newest, gone)
    return marked


def _check(samples: Samples, day: int) -> None:
    if len(samples) and not (
        increasing(samples.stamps) and samples.stamps[0] // DAY == day == samples.stamps[-1] // DAY
    ):
        raise ValueError(f"The stamps do not increase within UTC day {day}.")
    if np.isnan(samples.values).any():
        raise ValueError("A missing value has no stamp.")


def _sealed(source_id: int, day: int) -> bool:
    return Source.objects.filter(pk=source_id, sealed_before__gte=(day + 1) * DAY).exists()


def _mark(source_id: int, series_ids: Collection[int], start: int, end: int, at: datetime) -> int:
    numbers = sorted(series_ids)
    return run(
        _WITHDRAW,
        {
            "source": source_id,
            "series": numbers,
            "first": start // DAY,
            "last": (end - 1) // DAY,
            "at": at,
            "payload": encode_tombstone(Tombstone(tuple(numbers), start, end)),
        },
    )


def _fields(source_id: int, series_ids: Iterable[int]) -> dict[str, int]:
    own = Series.objects.filter(source_id=source_id, pk__in=series_ids).order_by()
    return dict(own.values_list("field", "pk"))


def _follow(source_id: int, changed: Mapping[int, Samples], day: int) -> None:
    """Let `latest` follow a replaced day, unless there is something newer."""
    newest = newest_values.lock(source_id)
    end = (day + 1) * DAY
    series = {
        field: number
        for field, number in _fields(source_id, changed).items()
        if field not in newest or newest[field][0] < end
    }
    ends = {field: _last(changed[number]) for field, number in series.items() if len(changed[number])}
    _fall_back(source_id, newest | ends, {field: series[field] for field in series.keys() - ends.keys()})


def _fall_back(source_id: int, newest: Newest, gone: Mapping[str, int]) -> None:
    """Store `newest` with the fields whose newest reading is `gone` set to what remains of them."""
    remaining = _remaining(source_id, set(gone.values()))
    kept = {field: entry for field, entry in newest.items() if field not in gone}
    found = {field: remaining[number] for field, number in gone.items() if number in remaining}
    newest_values.put(source_id, kept | found)


def _remaining(source_id: int, wanted: set[int]) -> dict[int, tuple[int, float]]:
    """The newest sample of each series, found day by day backwards."""
    found: dict[int, tuple[int, float]] = {}
    before = np.iinfo(np.int32).max
    while wanted and (day := _last_day(source_id, wanted, before)) is not None:
        held = read(wanted, start=day * DAY, end=(day + 1) * DAY)
        found |= {number: _last(samples) for number, samples in held.items() if len(samples)}
        wanted = wanted - found.keys()
        before = day
    return found


def _last_day(source_id: int, series: Collection[int], before: int) -> int | None:
    rows = fetch(_LAST_DAY, {"source": source_id, "series": list(series), "before": int(before)})
    day: int | None = rows[0][0]
    return day


def _last(samples: Samples) -> tuple[int, float]:
    return int(samples.stamps[-1]), float(samples.values[-1])
