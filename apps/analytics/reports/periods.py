"""The periods of reports, in the calendar of the house, and what each is compared with. Pure.

Instants are Unix milliseconds UTC; a period is [start, end). Days are whole local days, so that a bar means
the same whoever asks; what of a period lies ahead of `now` is left out of every sum and of its coverage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.translation import gettext_noop as _

from apps.readings import calendar
from apps.readings.calendar import DAY_MS, HOUR_MS

LONGEST_DAYS = 3_660
"""Of a period chosen by hand: ten years."""

MAX_BINS = 1_000
"""Of one trace: more than a screen has room for."""

_EARLIEST = 946_684_800_000  # the year 2000

TITLES = {
    "24h": _("Last 24 hours"),
    "7d": _("Last 7 days"),
    "month": _("This month"),
    "range": _("Any range"),
}

# How long each bin lasts at least, from the shortest.
_SHORTEST = {"15m": 15 * 60_000, "1h": HOUR_MS, "1d": 23 * HOUR_MS, "1w": 6 * DAY_MS, "1mo": 27 * DAY_MS}
# For periods of up to how many days each is the first choice.
_FIRST_CHOICE = {"1h": 2, "1d": 62, "1w": 366, "1mo": LONGEST_DAYS + 1}


class PeriodError(ValueError):
    """A period that cannot be shown; `field` names what is wrong with the question."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Period:
    """[start, end) ms under a name of TITLES; known up to `until`, which is `end` when it is over."""

    key: str
    start: int
    end: int
    until: int

    @property
    def days(self) -> float:
        """How many days it lasts, of 24 hours each."""
        return (self.end - self.start) / DAY_MS


def resolve(
    key: str,
    *,
    zone: str,
    now: int,
    at: int | None = None,
    first: date | None = None,
    last: date | None = None,
) -> Period:
    """The period named `key` as it was `at` (ms, `now` when None), known as far as `now` allows.

    A range goes from the local day `first` to `last`, both whole. Raises PeriodError.
    """
    if at is not None and not _EARLIEST <= at <= now:
        raise PeriodError("at", "A report is of a moment between the year 2000 and now.")
    if key == "range":
        start, end = _range(zone, now, first, last)
    elif key in _NAMED:
        start, end = _NAMED[key](zone, now if at is None else at)
    else:
        raise PeriodError("period", f"“{key}” is no period; use one of {', '.join(TITLES)}.")
    return Period(key, start, end, max(start, min(end, now)))


def before(period: Period, *, zone: str) -> Period:
    """What `period` is compared with: as much time, just before it, up to as far as `period` is known.

    A month is compared with the same days of the month before, days with as many days before.
    """
    start = _earlier(period, zone)
    until = min(start + period.until - period.start, period.start)
    return Period(period.key, start, period.start, until)


def offered(period: Period) -> list[str]:
    """The lengths of bins that a trace over `period` has room for, from the shortest."""
    lasting = period.end - period.start
    return [every for every, least in _SHORTEST.items() if 2 <= lasting // least + 1 <= MAX_BINS] or ["1d"]


def first_choice(period: Period) -> str:
    """The length of bins that shows `period` best."""
    fitting = (every for every, days in _FIRST_CHOICE.items() if period.days <= days)
    return next(fitting, "1mo")


def _last_day(zone: str, now: int) -> tuple[int, int]:
    """The hour that runs and the 23 before it."""
    end = int(calendar.edges(zone, "1h", now, now + 1)[-1])
    return int(calendar.edges(zone, "1h", end - 24 * HOUR_MS, end)[0]), end


def _last_week(zone: str, now: int) -> tuple[int, int]:
    today = calendar.local_date(zone, now)
    return _days(zone, today - timedelta(days=6), today)


def _this_month(zone: str, now: int) -> tuple[int, int]:
    today = calendar.local_date(zone, now)
    return _days(zone, today.replace(day=1), today)


_NAMED: dict[str, Callable[[str, int], tuple[int, int]]] = {
    "24h": _last_day,
    "7d": _last_week,
    "month": _this_month,
}


def _range(zone: str, now: int, first: date | None, last: date | None) -> tuple[int, int]:
    if first is None or last is None:
        raise PeriodError("from" if first is None else "to", "Choose the first and the last day.")
    if last < first:
        raise PeriodError("to", f"The last day, {last}, lies before the first, {first}.")
    if first > calendar.local_date(zone, now):
        raise PeriodError("from", f"{first} lies ahead; there is nothing to report yet.")
    if first.year < 2000 or last.year > 2199:
        raise PeriodError("from", "Readings are kept of the years 2000 to 2199.")
    if (last - first).days >= LONGEST_DAYS:
        raise PeriodError("to", f"A report covers {LONGEST_DAYS} days at most.")
    return _days(zone, first, last)


def _days(zone: str, first: date, last: date) -> tuple[int, int]:
    return calendar.day_bounds(zone, first)[0], calendar.day_bounds(zone, last)[1]


def _earlier(period: Period, zone: str) -> int:
    """Where the period before `period` begins."""
    if period.key == "24h":
        return period.start - (period.end - period.start)
    first = calendar.local_date(zone, period.start)
    if period.key == "month":
        return calendar.day_bounds(zone, (first - timedelta(days=1)).replace(day=1))[0]
    days = (calendar.local_date(zone, period.end) - first).days
    return calendar.day_bounds(zone, first - timedelta(days=days))[0]
