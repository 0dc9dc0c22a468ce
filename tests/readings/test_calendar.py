"""Bins of the house's calendar: named awkward days, properties over all zones, and a slow oracle."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from time import process_time
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.readings import calendar
from apps.readings.calendar import DAY_MS, HOUR_MS, MINUTE_MS, day_bounds, edges, local_date, start_of_today

ZONES = st.sampled_from(sorted(zoneinfo.available_timezones()))
# 1990 to 2037: what houses can have, and every oddity of recent calendars.
INSTANTS = st.integers(631_152_000_000, 2_114_380_800_000)
DAYS = st.dates(date(1990, 1, 1), date(2036, 12, 31))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def texts(zone: str, bounds: np.ndarray) -> list[str]:
    tz = ZoneInfo(zone)
    return [f"{datetime.fromtimestamp(int(bound) / 1000, tz):%d %H:%M %z}" for bound in bounds]


def hours(zone: str, day: date) -> np.ndarray:
    return edges(zone, "1h", *day_bounds(zone, day))


class TestNamedDays:
    @pytest.mark.parametrize(
        ("zone", "day", "lengths"),
        [
            ("Europe/Brussels", date(2025, 3, 30), {HOUR_MS: 23}),
            ("Europe/Brussels", date(2025, 10, 26), {HOUR_MS: 25}),
            ("Europe/Brussels", date(2025, 6, 1), {HOUR_MS: 24}),
            ("Asia/Kathmandu", date(2025, 6, 1), {HOUR_MS: 24}),
            ("Australia/Lord_Howe", date(2025, 10, 5), {HOUR_MS: 23, HOUR_MS // 2: 1}),
            ("Australia/Lord_Howe", date(2025, 4, 6), {HOUR_MS: 24, HOUR_MS // 2: 1}),
            ("Asia/Beirut", date(2025, 3, 30), {HOUR_MS: 23}),
            ("America/Sao_Paulo", date(2018, 11, 4), {HOUR_MS: 23}),
            ("America/Havana", date(2025, 3, 9), {HOUR_MS: 23}),
            ("America/Havana", date(2025, 11, 2), {HOUR_MS: 25}),
            ("Africa/Monrovia", date(1972, 1, 7), {HOUR_MS: 23, 15 * MINUTE_MS + 30_000: 1}),
            ("Pacific/Apia", date(2011, 12, 29), {HOUR_MS: 24}),
            ("Pacific/Apia", date(2011, 12, 31), {HOUR_MS: 24}),
        ],
    )
    def test_a_day_has_its_hours(self, zone, day, lengths):
        found, counts = np.unique(np.diff(hours(zone, day)), return_counts=True)
        assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == lengths

    def test_kathmandu_days_begin_at_a_quarter_past_the_utc_hour(self):
        assert day_bounds("Asia/Kathmandu", date(2025, 6, 1))[0] == ms("2025-05-31T18:15Z")

    def test_lord_howe_moves_by_half_an_hour(self):
        zone = "Australia/Lord_Howe"
        assert texts(zone, hours(zone, date(2025, 10, 5)))[:5] == [
            "05 00:00 +1030",
            "05 01:00 +1030",
            "05 02:30 +1100",
            "05 03:00 +1100",
            "05 04:00 +1100",
        ]
        assert texts(zone, hours(zone, date(2025, 4, 6)))[:5] == [
            "06 00:00 +1100",
            "06 01:00 +1100",
            "06 01:30 +1030",
            "06 02:00 +1030",
            "06 03:00 +1030",
        ]

    @pytest.mark.parametrize(
        ("zone", "day", "begins"),
        [
            ("Asia/Beirut", date(2025, 3, 30), "2025-03-29T22:00Z"),  # no midnight
            ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00Z"),  # no midnight
            ("America/Havana", date(2025, 3, 9), "2025-03-09T05:00Z"),  # no midnight
            ("America/Havana", date(2025, 11, 2), "2025-11-02T04:00Z"),  # midnight twice: the first
            ("Atlantic/Azores", date(2025, 10, 26), "2025-10-26T00:00Z"),  # midnight twice: the first
        ],
    )
    def test_a_day_begins_where_midnight_is_missing_or_double(self, zone, day, begins):
        assert day_bounds(zone, day)[0] == ms(begins)
        assert local_date(zone, ms(begins)) == day
        assert local_date(zone, ms(begins) - 1) == day - timedelta(days=1)

    def test_the_day_apia_left_out_has_no_length_and_makes_no_bin(self):
        begin, end = day_bounds("Pacific/Apia", date(2011, 12, 30))
        assert begin == end == ms("2011-12-30T10:00Z")
        bounds = edges("Pacific/Apia", "1d", begin - 1, begin + 1)
        assert bounds.tolist() == [begin - DAY_MS, begin, begin + DAY_MS]
        assert local_date("Pacific/Apia", begin - 1) == date(2011, 12, 29)
        assert local_date("Pacific/Apia", begin) == date(2011, 12, 31)

    def test_a_clock_set_back_over_midnight_stays_in_the_new_day(self):
        # At 00:01 on 7 November 2010 Saint John's showed 23:01 of the 6th again.
        begin, end = day_bounds("America/St_Johns", date(2010, 11, 7))
        assert end - begin == 25 * HOUR_MS
        assert local_date("America/St_Johns", begin + 30 * MINUTE_MS) == date(2010, 11, 7)
        assert np.diff(hours("America/St_Johns", date(2010, 11, 7)))[:2].tolist() == [
            MINUTE_MS,
            59 * MINUTE_MS,
        ]


class TestPeriods:
    def test_weeks_begin_on_monday(self):
        bounds = edges("Europe/Brussels", "1w", ms("2025-10-22T12:00Z"), ms("2025-10-27T12:00Z"))
        assert bounds.tolist() == [
            ms("2025-10-20T00:00+02:00"),
            ms("2025-10-27T00:00+01:00"),
            ms("2025-11-03T00:00+01:00"),
        ]

    def test_months_begin_on_the_first_across_a_year(self):
        bounds = edges("UTC", "1mo", ms("2024-12-31T23:59:59Z"), ms("2025-02-01T00:00Z"))
        assert bounds.tolist() == [ms("2024-12-01T00:00Z"), ms("2025-01-01T00:00Z"), ms("2025-02-01T00:00Z")]

    def test_a_range_that_ends_at_an_edge_needs_no_further_bin(self):
        begin, end = ms("2025-06-01T00:00Z"), ms("2025-06-02T00:00Z")
        assert [edges("UTC", every, begin, end).size - 1 for every in calendar.EVERY] == [
            288,
            96,
            24,
            1,
            1,
            1,
        ]

    def test_quarters_of_a_45_minute_zone_are_quarters_of_its_hours(self):
        bounds = edges("Asia/Kathmandu", "15m", ms("2025-06-01T00:01Z"), ms("2025-06-01T00:29Z"))
        assert texts("Asia/Kathmandu", bounds) == ["01 05:45 +0545", "01 06:00 +0545", "01 06:15 +0545"]

    def test_today_begins_at_local_midnight(self):
        assert start_of_today("Europe/Brussels", datetime(2025, 6, 1, 23, tzinfo=UTC)) == ms(
            "2025-06-02T00:00+02:00"
        )


class TestRefusals:
    @pytest.mark.parametrize("zone", ["", "Mars/Olympus", "Europe", "../etc/passwd", "Bad\0zone"])
    def test_an_unknown_zone_is_named(self, zone):
        with pytest.raises(ValueError, match="time zone"):
            edges(zone, "1h", 0, HOUR_MS)

    @pytest.mark.parametrize("every", ["", "2h", "1H", "1y"])
    def test_an_unknown_length_is_named_with_those_that_exist(self, every):
        with pytest.raises(ValueError, match="5m, 15m, 1h, 1d, 1w, 1mo"):
            edges("UTC", every, 0, HOUR_MS)

    @pytest.mark.parametrize("end", [0, -1])
    def test_an_empty_range_has_no_bins(self, end):
        with pytest.raises(ValueError, match="not after its start"):
            edges("UTC", "1h", 0, end)


class TestEveryZone:
    @settings(max_examples=150, deadline=None)
    @given(ZONES, st.sampled_from(calendar.EVERY), INSTANTS, st.integers(1, 40 * DAY_MS))
    def test_bins_increase_and_cover_the_range_tightly(self, zone, every, start, length):
        bounds = edges(zone, every, start, start + length)
        assert (np.diff(bounds) > 0).all()
        assert bounds[0] <= start < bounds[1]
        assert bounds[-2] < start + length <= bounds[-1]

    @settings(max_examples=150, deadline=None)
    @given(ZONES, DAYS)
    def test_a_day_is_whole_hours_parts_and_its_minutes_divide_them(self, zone, day):
        begin, end = day_bounds(zone, day)
        if begin == end:
            return
        parts = [edges(zone, every, begin, end) for every in ("1h", "15m", "5m")]
        assert all((part[0], part[-1]) == (begin, end) for part in parts)
        assert all(np.isin(coarse, fine).all() for coarse, fine in pairwise(parts))

    @settings(max_examples=100, deadline=None)
    @given(ZONES, DAYS)
    def test_weeks_and_months_are_whole_days(self, zone, day):
        start = day_bounds(zone, day)[0]
        # One less than usual where the zone left a day out.
        for every, least, most in (("1w", 6, 7), ("1mo", 27, 31)):
            begin, end = edges(zone, every, start, start + 1)[:2]
            days = edges(zone, "1d", int(begin), int(end))
            assert (days[0], days[-1]) == (begin, end)
            assert least <= days.size - 1 <= most

    @settings(max_examples=150, deadline=None)
    @given(ZONES, INSTANTS)
    def test_the_local_date_is_the_day_whose_bounds_hold_the_instant(self, zone, instant):
        begin, end = day_bounds(zone, local_date(zone, instant))
        assert begin <= instant < end

    @settings(max_examples=40, deadline=None)
    @given(ZONES, st.sampled_from(["5m", "15m", "1h"]), INSTANTS, st.booleans())
    def test_bins_equal_those_of_walking_minute_by_minute(self, zone, every, start, near_a_change):
        if near_a_change:
            start = last_change_before(zone, start) - 3 * HOUR_MS
        end = start + 6 * HOUR_MS
        assert edges(zone, every, start, end).tolist() == walked(zone, calendar.CLOCK[every], start, end)


def last_change_before(zone: str, instant: int) -> int:
    """The zone's last change of offset before `instant`, or `instant` for a zone that never changed."""
    changes = [change for change, _ in calendar._changes(ZoneInfo(zone), 7305, instant // DAY_MS)]
    return changes[-1] if changes else instant


def walked(zone: str, step: int, start: int, end: int) -> list[int]:
    """Bounds found the slow way: look at the local clock every half minute (offsets have none odder)."""
    tz, half = ZoneInfo(zone), 30_000
    first, last = (start - step) // half * half, end + step + half
    found = []
    for instant in range(first, last, half):
        local = datetime.fromtimestamp(instant / 1000, tz)
        before = datetime.fromtimestamp((instant - half) / 1000, tz)
        since_midnight = (local.hour * 60 + local.minute) * MINUTE_MS + local.second * 1000
        if since_midnight % step == 0 or local.utcoffset() != before.utcoffset():
            found.append(instant)
    lower = max(bound for bound in found if bound <= start)
    upper = min(bound for bound in found if bound >= end)
    return [bound for bound in found if lower <= bound <= upper]


@pytest.mark.parametrize(("every", "bins"), [("1h", 87_672), ("1d", 3_653)])
def test_ten_years_take_a_fraction_of_a_second(every, bins):
    calendar._changes.cache_clear()
    began = process_time()
    bounds = edges("Europe/Brussels", every, ms("2015-01-01T00:00+01:00"), ms("2025-01-01T00:00+01:00"))
    assert process_time() - began < 0.3
    assert bounds.size - 1 == bins
