"""Reports from the hours of made-up items."""

from __future__ import annotations

import math
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from apps.analytics.reports import courses, periods
from apps.analytics.reports.courses import Course
from apps.analytics.reports.kinds import KINDS
from apps.analytics.reports.periods import Period
from apps.analytics.reports.report import Card, Report, make
from tests.analytics.reports.answers import HOUR, ZONE, Answers


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)


START = at("2026-11-01 00:00")
NOW = at("2026-11-08 00:00")
WEEK = periods.resolve("range", zone=ZONE, now=NOW, first=date(2026, 11, 4), last=date(2026, 11, 7))


def solar(days: int = 7) -> list[float]:
    """Each day 2 kW from 10 to 14 o'clock; 3 kW in the hour from 12 on the fifth day."""
    hours = [2.0 if 10 <= hour % 24 < 14 else 0.0 for hour in range(days * 24)]
    hours[4 * 24 + 12] = 3.0
    return hours


def report(kind: str, answers: Answers, period: Period = WEEK, every: str = "1d") -> Report:
    made = make(KINDS[kind], period, every, zone=ZONE, ask=answers)
    assert made is not None
    return made


def card(made: Report, title: str) -> Card:
    return next(one for one in made.cards if one.title == title)


def test_bars_add_up_to_the_total() -> None:
    made = report("solar", Answers(START, {"solar": solar()}))

    (trace,) = made.traces
    assert trace.values.tolist() == [8, 9, 8, 8]
    assert trace.total == math.fsum(trace.values) == 33
    assert card(made, "Generated").value == "33.0"


def test_a_total_is_compared_with_as_much_time_before() -> None:
    made = report("solar", Answers(START, {"solar": solar()}))

    # The four days before begin a day before anything was measured: three days of 8 kWh.
    assert card(made, "Generated").note == "24.0 kWh in as many days before"
    assert card(made, "Generated").change == "+38 %"


def test_the_running_total_ends_at_the_total() -> None:
    made = report("solar", Answers(START, {"solar": solar()}))

    assert made.line is not None
    assert made.line.values.tolist() == [8, 17, 25, 33]


def test_the_peak_is_told_with_its_time() -> None:
    made = report("solar", Answers(START, {"solar": solar()}))

    assert (card(made, "Peak").value, card(made, "Peak").note) == ("3.30", "Thu 5 Nov, 12:30")


def test_a_gap_is_missing_and_not_nothing() -> None:
    hours = solar()
    hours[5 * 24 : 6 * 24] = [math.nan] * 24

    made = report("solar", Answers(START, {"solar": hours}))

    assert np.isnan(made.traces[0].values).tolist() == [False, False, True, False]
    assert made.traces[0].total == 25
    assert card(made, "Coverage") == Card("Coverage", "75 %", note="measured; gaps add nothing")


def test_the_running_bin_counts_only_as_far_as_time_has_come() -> None:
    now = at("2026-11-07 12:00")
    period = periods.resolve("7d", zone=ZONE, now=now)

    made = report("solar", Answers(START, {"solar": solar(7)[: 6 * 24 + 12]}), period)

    assert made.coverage.tolist() == [1, 1, 1, 1, 1, 1, 1]
    assert card(made, "Coverage").value == "100 %"


def test_bins_ahead_are_neither_measured_nor_gaps() -> None:
    period = periods.resolve("24h", zone=ZONE, now=NOW - 1)
    ahead = Period("24h", period.start, period.end, period.start + 6 * HOUR)

    made = report("solar", Answers(START, {"solar": solar()}), ahead, "1h")

    assert np.isnan(made.coverage).sum() == 18
    assert made.line is not None
    assert np.isnan(made.line.values).sum() == 18


def test_self_consumption_is_what_was_not_exported() -> None:
    export = [value / 4 for value in solar()]

    made = report("solar", Answers(START, {"solar": solar(), "grid_export": export}))

    assert card(made, "Self-consumption").value == "75 %"


def test_a_share_counts_only_hours_in_which_both_are_known() -> None:
    export = [value / 4 for value in solar()]
    export[5 * 24 : 6 * 24] = [math.nan] * 24

    made = report("solar", Answers(START, {"solar": solar(), "grid_export": export}))

    assert card(made, "Self-consumption").value == "75 %"


def test_without_a_grid_meter_there_is_no_share() -> None:
    made = report("solar", Answers(START, {"solar": solar()}))

    assert [one.title for one in made.cards] == ["Generated", "Peak", "Coverage"]


def test_the_battery_shows_both_ways_and_its_charge() -> None:
    level = [float(hour % 24) for hour in range(7 * 24)]
    answers = Answers(START, {"battery_charging": solar(), "battery_discharging": [0.5] * 168, "soc": level})

    made = report("battery", answers)

    assert [one.title for one in made.cards] == ["Charged", "Discharged", "State of charge", "Coverage"]
    assert card(made, "Discharged").value == "48.0"
    assert card(made, "State of charge").value == "12 %"
    assert made.line is not None
    assert made.line.unit == "%"


def test_what_the_house_lacks_is_named() -> None:
    made = report("battery", Answers(START, {"battery_charging": solar()}))

    assert made.missing == ["battery_discharging", "soc"]


def test_the_ev_report_counts_sessions() -> None:
    counts = {"ev_event_count": 3.0, "ev_charge_duration": 5.5 * HOUR}

    made = report("ev", Answers(START, {"ev": solar()}, counts))

    assert card(made, "Charging sessions").value == "3"
    assert card(made, "Mean duration").value == "5 h 30 min"


def test_a_house_without_the_item_has_no_report() -> None:
    assert make(KINDS["ev"], WEEK, "1d", zone=ZONE, ask=Answers(START, {"solar": solar()})) is None


def test_a_period_in_which_nothing_was_measured_is_empty() -> None:
    made = report("load", Answers(START, {"load": [math.nan] * 168}))

    assert made.empty
    assert (card(made, "Consumed").value, card(made, "Peak").value) == ("–", "–")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_report_can_be_made(kind: str) -> None:
    items = ["solar", "load", "ev", "soc", "battery_charging", "battery_discharging"]

    assert not report(kind, Answers(START, dict.fromkeys(items, solar()))).missing


def test_the_last_minutes_of_the_running_bin_are_on_their_way() -> None:
    start = at("2026-11-07 11:00")
    period = Period("24h", start, start + 2 * HOUR, start + HOUR + 4 * 60_000)
    course = Course(np.array([start, start + HOUR]), np.array([1.0, np.nan]), np.array([0.9, 0.0]))

    assert courses.running(course, period).tolist() == [0.9, 1.0]


def test_self_sufficiency_counts_the_battery_and_whatever_was_used() -> None:
    """In each hour 2 kW come from the grid, 1 from the sun, of which 0.5 go out, and 0.5 into the battery."""
    flows = {"load": 1.0, "solar": 1.0, "grid_import": 2.0, "grid_export": 0.5, "battery_charging": 0.5}
    answers = Answers(START, {item: [power] * 168 for item, power in flows.items()})

    assert card(report("load", answers), "Self-sufficiency").value == "0 %"
