"""A house's calendar: where its minutes, hours, days, weeks and months begin and end.

Instants are Unix milliseconds UTC. A bin is [edge, next edge). Nothing here knows of the database.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

# Bins that follow the clock on the wall, by their length, and bins that follow the calendar beside it.
CLOCK = {"5m": 5 * MINUTE_MS, "15m": 15 * MINUTE_MS, "1h": HOUR_MS}
CALENDAR = ("1d", "1w", "1mo")
EVERY = (*CLOCK, *CALENDAR)


def edges(zone: str, every: str, start: int, end: int) -> NDArray[np.int64]:
    """The bounds of the bins that cover [start, end), in the calendar of `zone`.

    `every` is one of EVERY. The answer (n + 1,) increases strictly; the first bin holds `start`, the last one
    the instant before `end`. Minute and hour bins lie between round local times and changes of the zone's
    offset, so that no bin holds a change; days begin at the first local midnight, or where a zone skips
    midnight at the instant it does so; weeks begin on Monday.

    Raises ValueError for an unknown zone or `every`, and where `end` is not after `start`.
    """
    if end <= start:
        raise ValueError(f"The range ends at {end}, which is not after its start, {start}.")
    if every in CLOCK:
        return _clock_edges(_zone(zone), CLOCK[every], start, end)
    if every in CALENDAR:
        return _calendar_edges(_zone(zone), every, start, end)
    raise ValueError(f"“{every}” is not a bin length; use one of {', '.join(EVERY)}.")


def day_bounds(zone: str, day: date) -> tuple[int, int]:
    """Where the local `day` begins and ends; both are the same for a day the zone left out."""
    tz = _zone(zone)
    return _midnight(tz, day), _midnight(tz, day + timedelta(days=1))


def local_date(zone: str, instant: int) -> date:
    """The local day that holds `instant`: the one whose `day_bounds` do."""
    return _date(_zone(zone), instant)


def local_days(zone: str, start: int, end: int) -> tuple[list[date], NDArray[np.int64]]:
    """The local days that hold some of [start, end) and their bounds, one more. ValueError as for `edges`."""
    bounds = edges(zone, "1d", start, end)
    return [local_date(zone, instant) for instant in bounds[:-1].tolist()], bounds


def start_of_today(zone: str, now: datetime) -> int:
    """Where the local day that holds the aware time `now` begins."""
    return day_bounds(zone, local_date(zone, round(now.timestamp() * 1000)))[0]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"“{name}” is not an IANA time zone.") from error


def _clock_edges(tz: ZoneInfo, step: int, start: int, end: int) -> NDArray[np.int64]:
    """Instants whose local time is a multiple of `step`, and those at which the offset changes."""
    # Neighbouring edges are at most a step apart, so this reaches the one before and the one after.
    runs = itertools.pairwise(_offset_runs(tz, start - step, end + step))
    parts = [_round_times(offset, step, begin, until) for (begin, offset), (until, _) in runs]
    return _covering(np.concatenate(parts), start, end)


def _round_times(offset: int, step: int, begin: int, until: int) -> NDArray[np.int64]:
    """`begin`, then the instants in (begin, until) whose local time is a multiple of `step`."""
    first = begin + step - (begin + offset) % step
    return np.concatenate(([begin], np.arange(first, until, step, dtype=np.int64)))


def _calendar_edges(tz: ZoneInfo, every: str, start: int, end: int) -> NDArray[np.int64]:
    first, last = _date(tz, start), _date(tz, end)
    if every == "1mo":
        days = _months(first, last)
    elif every == "1w":
        days = _days(first - timedelta(days=first.weekday()), last + timedelta(days=7), 7)
    else:
        days = _days(first, last + timedelta(days=1), 1)
    bounds = np.fromiter((_midnight(tz, day) for day in days), np.int64)
    # A day the zone left out (Apia, 30 December 2011) has no length and makes no bin.
    return _covering(bounds[np.diff(bounds, prepend=bounds[0] - 1) > 0], start, end)


def _days(first: date, last: date, step: int) -> Iterator[date]:
    return (first + timedelta(days=passed) for passed in range(0, (last - first).days + 1, step))


def _months(first: date, last: date) -> Iterator[date]:
    """The first of each month, from that of `first` to the one after that of `last`."""
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month + 1)
    return (date(number // 12, number % 12 + 1, 1) for number in numbers)


def _covering(bounds: NDArray[np.int64], start: int, end: int) -> NDArray[np.int64]:
    """The fewest neighbouring bounds that cover [start, end)."""
    first = np.searchsorted(bounds, start, "right") - 1
    return bounds[first : np.searchsorted(bounds, end, "left") + 1]


def _midnight(tz: ZoneInfo, day: date) -> int:
    """Where a local day begins: fold 0 is the first midnight of two, or the jump where there is none."""
    return int(datetime.combine(day, time(), tz).timestamp()) * 1000


def _date(tz: ZoneInfo, instant: int) -> date:
    day = datetime.fromtimestamp(instant // 1000, tz).date()
    # A clock set back over midnight shows the old date again, within the new day.
    while instant >= _midnight(tz, day + timedelta(days=1)):
        day += timedelta(days=1)
    while instant < _midnight(tz, day):
        day -= timedelta(days=1)
    return day


def _offset_runs(tz: ZoneInfo, start: int, end: int) -> list[tuple[int, int]]:
    """Where each run of one UTC offset (ms) begins within [start, end), and `end` as the last entry."""
    runs = [(start, _offset(tz, start // 1000))]
    for change, offset in _changes(tz, start // DAY_MS, -(-end // DAY_MS)):
        if change <= start:
            runs[0] = (start, offset)
        elif change < end:
            runs.append((change, offset))
    return [*runs, (end, runs[-1][1])]


@lru_cache(maxsize=256)
def _changes(tz: ZoneInfo, first_day: int, last_day: int) -> tuple[tuple[int, int], ...]:
    """Instants (ms) at which the UTC offset changes between two UTC days, with the new offset.

    zoneinfo tells no transitions, so each day's ends are compared; no zone has changed twice within a day.
    """
    days = range(first_day * 86_400, last_day * 86_400 + 1, 86_400)
    offsets = [_offset(tz, second) for second in days]
    return tuple(
        (_change(tz, day) * 1000, after)
        for day, (before, after) in zip(days, itertools.pairwise(offsets), strict=False)
        if before != after
    )


def _change(tz: ZoneInfo, low: int) -> int:
    """The second at which the offset changes within the day that begins at second `low`."""
    before, high = _offset(tz, low), low + 86_400
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(tz, middle) == before else (low, middle)
    return high


def _offset(tz: ZoneInfo, second: int) -> int:
    """What local time is ahead of UTC, in ms."""
    ahead = datetime.fromtimestamp(second, tz).utcoffset() or timedelta()
    return round(ahead.total_seconds()) * 1000
