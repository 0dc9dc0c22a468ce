"""Periods of reports in the house's calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from apps.analytics.reports import periods
from apps.analytics.reports.periods import Period, PeriodError

BRUSSELS = "Europe/Brussels"
HOUR, DAY = 3_600_000, 86_400_000


def at(text: str, zone: str = BRUSSELS) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


NOW = at("2026-11-24 08:20")


def test_the_last_24_hours_are_the_running_hour_and_23_before() -> None:
    assert periods.resolve("24h", zone=BRUSSELS, now=NOW) == Period(
        "24h", at("2026-11-23 09:00"), at("2026-11-24 09:00"), NOW
    )


def test_hours_of_a_zone_at_half_past_begin_at_its_own_round_times() -> None:
    period = periods.resolve("24h", zone="Asia/Kolkata", now=NOW)

    assert datetime.fromtimestamp(period.start / 1000, UTC).minute == 30
    assert period.end - period.start == DAY


def test_the_last_seven_days_are_whole_local_days() -> None:
    period = periods.resolve("7d", zone=BRUSSELS, now=NOW)

    assert (period.start, period.end) == (at("2026-11-18 00:00"), at("2026-11-25 00:00"))


def test_a_week_with_the_change_to_summer_time_is_an_hour_short() -> None:
    period = periods.resolve("7d", zone=BRUSSELS, now=at("2026-03-31 12:00"))

    assert period.end - period.start == 7 * DAY - HOUR


def test_this_month_begins_on_its_first_and_ends_today() -> None:
    period = periods.resolve("month", zone=BRUSSELS, now=NOW)

    assert (period.start, period.end) == (at("2026-11-01 00:00"), at("2026-11-25 00:00"))


def test_a_range_holds_its_first_and_its_last_day() -> None:
    period = periods.resolve(
        "range", zone=BRUSSELS, now=NOW, first=date(2026, 10, 1), last=date(2026, 10, 31)
    )

    assert period == Period("range", at("2026-10-01 00:00"), at("2026-11-01 00:00"), at("2026-11-01 00:00"))


@pytest.mark.parametrize(
    ("first", "last", "field", "says"),
    [
        (None, date(2026, 1, 1), "from", "Choose the first and the last day."),
        (date(2026, 1, 1), None, "to", "Choose the first and the last day."),
        (date(2026, 1, 2), date(2026, 1, 1), "to", "lies before the first"),
        (date(2027, 1, 2), date(2027, 1, 3), "from", "lies ahead"),
        (date(1999, 1, 1), date(2000, 1, 3), "from", "2000 to 2199"),
        (date(2001, 1, 1), date(2026, 1, 3), "to", "3660 days at most"),
    ],
)
def test_a_range_that_cannot_be_shown_says_why(
    first: date | None, last: date | None, field: str, says: str
) -> None:
    with pytest.raises(PeriodError, match=says) as raised:
        periods.resolve("range", zone=BRUSSELS, now=NOW, first=first, last=last)
    assert raised.value.field == field


def test_an_unknown_period_is_named() -> None:
    with pytest.raises(PeriodError, match="“8d” is no period"):
        periods.resolve("8d", zone=BRUSSELS, now=NOW)


def test_a_month_is_compared_with_the_same_days_of_the_month_before() -> None:
    month = periods.resolve("month", zone=BRUSSELS, now=NOW)

    before = periods.before(month, zone=BRUSSELS)

    assert before.start == at("2026-10-01 00:00")
    assert before.until == at("2026-10-24 08:20")


def test_a_long_month_is_compared_with_no_more_than_the_whole_shorter_one() -> None:
    month = periods.resolve("month", zone=BRUSSELS, now=at("2026-03-31 12:00"))

    before = periods.before(month, zone=BRUSSELS)

    assert (before.start, before.until) == (at("2026-02-01 00:00"), at("2026-03-01 00:00"))


def test_days_are_compared_with_as_many_days_before() -> None:
    week = periods.resolve("7d", zone=BRUSSELS, now=NOW)

    before = periods.before(week, zone=BRUSSELS)

    assert (before.start, before.end) == (at("2026-11-11 00:00"), week.start)
    assert before.until - before.start == NOW - week.start


def test_hours_are_compared_with_the_24_before() -> None:
    day = periods.resolve("24h", zone=BRUSSELS, now=NOW)

    assert periods.before(day, zone=BRUSSELS).start == at("2026-11-22 09:00")


@pytest.mark.parametrize(
    ("first", "last", "every", "shortest"),
    [
        (date(2026, 11, 24), date(2026, 11, 24), "1h", "15m"),
        (date(2026, 11, 1), date(2026, 11, 24), "1d", "1h"),
        (date(2026, 1, 1), date(2026, 6, 30), "1w", "1d"),
        (date(2017, 1, 1), date(2026, 11, 24), "1mo", "1w"),
    ],
)
def test_bins_fit_the_length_and_never_exceed_a_thousand(
    first: date, last: date, every: str, shortest: str
) -> None:
    period = periods.resolve("range", zone=BRUSSELS, now=NOW, first=first, last=last)

    assert periods.first_choice(period) == every
    assert periods.offered(period)[0] == shortest
    assert every in periods.offered(period)
