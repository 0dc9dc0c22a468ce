"""What the days around it know of a UTC day of one series, and who reads it when that changes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from apps.readings.counters import Advanced
from apps.readings.samples import DAY, Samples

LONGEST_FIRST_MS = 366 * DAY
"""How far the very first interval of a series may reach back."""

COUNTER, INTERVAL, STEP = "counter", "interval", "step"


class Crossing(NamedTuple):
    """A counter's advance by `increase` from an earlier day into this one, both ends in ms."""

    begin: int
    end: int
    increase: float


@dataclass(frozen=True)
class Border:
    """The first and last sample of a day, and of counters the state at its end and the advance into it.

    `first_length` (ms) is an interval's recorded length at its first stamp, None where there is none.
    """

    first_stamp: int
    first_value: float
    last_stamp: int
    last_value: float
    first_length: float | None = None
    state: dict[str, Any] | None = None
    crossing: Crossing | None = None


def border(
    samples: Samples, *, first_length: float | None = None, advanced: Advanced | None = None
) -> Border:
    """The border of a day's samples, of which there is at least one."""
    stamps, values = samples.stamps, samples.values
    return Border(
        first_stamp=int(stamps[0]),
        first_value=float(values[0]),
        last_stamp=int(stamps[-1]),
        last_value=float(values[-1]),
        first_length=first_length,
        state=None if advanced is None else advanced.state.to_json(),
        crossing=None if advanced is None else _crossing(advanced, int(stamps[0]) // DAY * DAY),
    )


def _crossing(advanced: Advanced, begin_of_day: int) -> Crossing | None:
    own = advanced.advances
    if not len(own) or own.begins[0] >= begin_of_day:
        return None
    return Crossing(int(own.begins[0]), int(own.ends[0]), float(own.increases[0]))


def told_later(kind: str, old: Border | None, new: Border | None, later: Border, max_gap: int) -> bool:
    """Whether the next day with data, whose border is `later`, may come out otherwise."""
    if kind == COUNTER:
        return (old and old.state) != (new and new.state)
    ends = [one.last_stamp for one in (old, new) if one]
    return _last(old) != _last(new) and _first_reached(kind, later, max_gap) <= max(ends, default=0)


def told_earlier(kind: str, earlier: Border, old: Border | None, new: Border | None, max_gap: int) -> bool:
    """Whether the day with data before, with border `earlier`, or the gap after it may come out otherwise."""
    if _first(old) == _first(new):
        return False
    return any(
        one.first_stamp - earlier.last_stamp <= max_gap or _reaches_back(kind, one)
        for one in (old, new)
        if one
    )


def reaches(kind: str, earlier: Border, later: Border, max_gap: int) -> bool:
    """Whether the time between two neighbouring days with data may be shaped by both."""
    return (
        kind == COUNTER
        or _first_reached(kind, later, max_gap) <= earlier.last_stamp
        or _reaches_back(kind, later)
    )


def covered_before(border: Border) -> int:
    """How far (ms) before its first stamp a series' first day is known: an interval covers its length."""
    return min(round(border.first_length or 0), LONGEST_FIRST_MS)


def _first_reached(kind: str, border: Border, max_gap: int) -> int:
    """The earliest stamp (ms) of a last reading that shapes a day with this border."""
    if kind == INTERVAL:
        return border.first_stamp - max(max_gap, round(border.first_length or 0))
    if kind == STEP:  # which holds into the day wherever the next reading is; local days begin earlier
        return border.first_stamp // DAY * DAY - DAY - max_gap
    return border.first_stamp - max_gap


def _reaches_back(kind: str, border: Border) -> bool:
    """Whether a first interval covers time of earlier days, however far away their last reading is."""
    begin = border.first_stamp - (border.first_length or 0)
    return kind == INTERVAL and begin < border.first_stamp // DAY * DAY


def crossed_from(old: Border | None, new: Border | None) -> int | None:
    """The first UTC day an advance into a day goes over, before or after it changed; None if it did not."""
    if (old and old.crossing) == (new and new.crossing):
        return None
    begins = [one.crossing.begin for one in (old, new) if one and one.crossing]
    return min(begins) // DAY if begins else None


def _first(border: Border | None) -> tuple[float | None, ...]:
    return () if border is None else (border.first_stamp, border.first_value, border.first_length)


def _last(border: Border | None) -> tuple[float, ...]:
    return () if border is None else (border.last_stamp, border.last_value)
