"""Means over bins from the real store: every kind, the running bin, reach, and memory-sized chunks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from pytest_django import DjangoAssertNumQueries

from apps.houses.models import House
from apps.readings import bins, calendar, store, window
from apps.readings.bins import binned_means, columns
from apps.readings.calendar import DAY_MS, HOUR_MS, MINUTE_MS
from apps.readings.models import Series, Source
from apps.readings.series import FieldSpec, declare
from apps.readings.store import Block, Upload

BASE = 1_748_736_000_000  # 2025-06-01 00:00 UTC, in Brussels 02:00
NOW = datetime(2025, 6, 2, tzinfo=UTC)

Make = Callable[..., Series]


@pytest.fixture
def source(house_a: House) -> Source:
    return Source.objects.create(house=house_a, name="egauge")


@pytest.fixture
def make(source: Source) -> Make:
    """A factory of series of one source with a spec and (minute, value) readings."""

    def made(name: str = "P", readings: Any = (), **spec: Any) -> Series:
        declare(source=source, fields=[FieldSpec(name, **{"unit": "kW", **spec})])
        put(source, name, readings)
        return Series.objects.get(source=source, field=name)

    return made


def put(source: Source, name: str, readings: Any) -> None:
    minutes, values = zip(*readings, strict=True) if readings else ((), ())
    stamps = np.array([BASE + round(minute * MINUTE_MS) for minute in minutes], np.int64)
    block = Block((name,), stamps, np.array([values], np.float64))
    store.append([Upload(source.pk, (block,))], received_at=NOW)


def means(
    series: Series, every: str = "5m", minutes: tuple[float, float] = (0, 10), zone: str = "UTC"
) -> Any:
    start, end = (BASE + round(minute * MINUTE_MS) for minute in minutes)
    return binned_means([series], zone=zone, every=every, start=start, end=end)[series.pk]


class TestKinds:
    def test_a_gauge_is_a_line_between_readings(self, make):
        answer = means(make(readings=[(0, 0), (5, 10), (10, 10)]))
        assert answer.starts.tolist() == [BASE, BASE + 5 * MINUTE_MS]
        assert answer.values.tolist() == pytest.approx([5, 10])
        assert answer.coverage.tolist() == [1, 1]

    def test_a_step_holds(self, make):
        assert means(make(kind="step", readings=[(0, 2), (4, 7)])).values.tolist() == pytest.approx([3, 7])

    def test_an_interval_covers_the_length_recorded_with_it(self, make):
        power = make(kind="interval", readings=[(5, 4), (10, 8)])
        make("_length", [(5, 5 * MINUTE_MS), (10, 2 * MINUTE_MS)], unit="ms")
        answer = means(power)
        assert answer.values.tolist() == [4, 8]
        assert answer.coverage.tolist() == [1, 0.4]

    def test_an_interval_without_a_length_reaches_back_to_the_reading_before(self, make):
        answer = means(make(kind="interval", readings=[(0, 1), (5, 4), (10, 8)]))
        assert answer.values.tolist() == [4, 8]

    def test_recorded_lengths_say_nothing_of_gauges(self, make):
        power = make(readings=[(0, 4), (5, 4)])
        make("_length", [(0, 1000), (5, 1000)], unit="ms")
        assert means(power).coverage.tolist() == [1, 0]

    def test_a_counter_has_no_mean(self, make):
        with pytest.raises(ValueError, match="register"):
            means(make(kind="counter", unit="kWh"))


class TestMissing:
    def test_a_bin_without_readings_is_missing_and_uncovered(self, make):
        answer = means(make(readings=[(0, 4), (5, 4)]), minutes=(0, 15))
        assert np.array_equal(answer.values, [4, np.nan, np.nan], equal_nan=True)
        assert answer.coverage.tolist() == [1, 0, 0]

    def test_a_series_without_readings_is_missing_all_over(self, make):
        answer = means(make())
        assert np.isnan(answer.values).all()
        assert answer.coverage.tolist() == [0, 0]

    def test_the_declared_cadence_says_how_far_lines_reach(self, make):
        readings = [(0, 4), (15, 4), (30, 4)]
        assert means(make("slow", readings, cadence=900), minutes=(0, 30)).coverage.tolist() == [1] * 6
        assert means(make("quick", readings, cadence=60), minutes=(0, 30)).coverage.tolist() == [0] * 6

    def test_no_series_are_no_answer(self, db):
        assert binned_means([], zone="UTC", every="1h", start=BASE, end=BASE + HOUR_MS) == {}


class TestRange:
    def test_readings_around_the_range_shape_its_ends(self, make):
        answer = means(make(readings=[(-2, 0), (2, 4), (8, 4), (12, 0)], cadence=120))
        assert answer.coverage.tolist() == [1, 1]
        assert answer.values.tolist() == pytest.approx([(6 + 12) / 5, (12 + 6) / 5])

    def test_an_interval_that_ends_after_the_range_reaches_in(self, make):
        power = make(kind="interval", readings=[(60, 4)])
        make("_length", [(60, HOUR_MS)], unit="ms")
        assert means(power).values.tolist() == [4, 4]

    def test_bins_are_whole_whatever_part_of_them_is_asked_for(self, make):
        power = make(readings=[(minute, minute) for minute in range(0, 61, 5)])
        assert means(power, "1h", (29, 31)).values.tolist() == means(power, "1h", (0, 60)).values.tolist()

    def test_the_running_bin_is_known_as_far_as_readings_go(self, make):
        answer = means(make(readings=[(0, 2), (3, 2)]), "1h", (0, 4))
        assert (answer.values[0], answer.coverage[0]) == (2, 0.05)

    def test_days_follow_the_house(self, make):
        power = make(readings=[(-180, 1), (-121, 1), (-120, 3), (-60, 3)], cadence=3600)
        answer = means(power, "1d", (-180, 0), "Europe/Brussels")
        assert answer.starts.tolist() == [BASE - 26 * HOUR_MS, BASE - 2 * HOUR_MS]
        assert answer.values.tolist() == pytest.approx([(59 + 2) / 60, 3])

    @pytest.mark.parametrize(
        ("zone", "every", "end"), [("No/Where", "1h", 1), ("UTC", "1y", 1), ("UTC", "1h", 0)]
    )
    def test_a_bad_range_is_refused(self, zone, every, end, make):
        with pytest.raises(ValueError, match=r"“|range"):
            binned_means([make()], zone=zone, every=every, start=BASE, end=BASE + end)

    def test_compaction_changes_no_answer(self, make, source):
        power = make(readings=[(minute, minute % 7) for minute in range(60)])
        before = means(power, "5m", (0, 60))
        store.compact(source.pk, BASE // DAY_MS)
        after = means(power, "5m", (0, 60))
        assert np.array_equal(before.values, after.values, equal_nan=True)


class TestManySeries:
    def test_each_series_keeps_its_own_kind_and_cadence(self, make):
        line = make("line", [(0, 0), (5, 10), (10, 10)])
        hold = make("hold", [(0, 2), (4, 7)], kind="step")
        both = binned_means([line, hold], zone="UTC", every="5m", start=BASE, end=BASE + 10 * MINUTE_MS)
        assert both[line.pk].values.tolist() == means(line).values.tolist()
        assert both[hold.pk].values.tolist() == means(hold).values.tolist()

    def test_many_series_take_as_many_statements_as_one(
        self, make: Make, django_assert_num_queries: DjangoAssertNumQueries
    ):
        series = [make(f"f{number}", [(0, number), (5, number)]) for number in range(8)]
        with django_assert_num_queries(3):  # what is up to date, the readings, and the days around them
            found = binned_means(series, zone="UTC", every="5m", start=BASE, end=BASE + 5 * MINUTE_MS)
        assert [found[one.pk].values[0] for one in series] == pytest.approx(range(8))


class TestChunks:
    @pytest.fixture(autouse=True)
    def _one_day_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bins, "SERIES_DAYS", 1)

    def test_a_range_read_in_parts_equals_one_read_whole(self, make, monkeypatch):
        rng = np.random.default_rng(3)
        power = make(readings=[(minute, rng.normal()) for minute in range(0, 4 * 1440, 4)])
        parts = means(power, "1h", (0, 4 * 1440), "Asia/Kathmandu")
        monkeypatch.setattr(bins, "SERIES_DAYS", 100)
        whole = means(power, "1h", (0, 4 * 1440), "Asia/Kathmandu")
        assert np.array_equal(parts.values, whole.values, equal_nan=True)
        assert np.array_equal(parts.coverage, whole.coverage)

    def test_centuries_cost_no_more_than_what_is_stored(
        self, make: Make, django_assert_num_queries: DjangoAssertNumQueries
    ):
        power = make(readings=[(0, 3), (5, 3)])
        with django_assert_num_queries(8):  # what is up to date, where readings are, and 2 for each part
            found = binned_means([power], zone="UTC", every="1d", start=0, end=4 * BASE)[power.pk]
        assert found.starts[~np.isnan(found.values)].tolist() == [BASE]
        assert found.coverage.sum() * 1440 == pytest.approx(5)

    @pytest.mark.parametrize("kind", ["gauge", "step", "interval"])
    def test_no_reading_is_left_out_at_the_ends_of_what_is_stored(self, make, monkeypatch, kind):
        minutes = [(-1, 3), (1, 3), (1439, 5), (1441, 5)]
        power = make(kind, minutes, kind=kind)
        parts = means(power, "5m", (-3 * 1440, 3 * 1440))
        monkeypatch.setattr(bins, "SERIES_DAYS", 100)
        whole = means(power, "5m", (-3 * 1440, 3 * 1440))
        assert np.array_equal(parts.values, whole.values, equal_nan=True)

    def test_series_are_read_in_groups_when_their_bins_are_long(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(bins, "SERIES_DAYS", 62)
        most: list[int] = []
        read = window.read
        monkeypatch.setattr(
            window, "read", lambda ids, **range_: most.append(len(ids)) or read(ids, **range_)
        )
        series = [make(f"f{number}", [(0, number), (5, number)]) for number in range(5)]
        found = binned_means(series, zone="UTC", every="1mo", start=BASE, end=BASE + 1)
        assert [found[one.pk].values[0] for one in series] == pytest.approx(range(5))
        assert max(most) == 2

    def test_bins_longer_than_a_part_are_read_one_by_one(self, make):
        power = make(readings=[(0, 3), (5, 3)])
        answer = means(power, "1mo", (-1440, 1))
        assert np.array_equal(answer.values, [np.nan, 3], equal_nan=True)


def test_hours_add_up_to_their_day_on_the_days_the_clock_changes(make, source):
    for day in (date(2025, 3, 30), date(2025, 10, 26)):
        begin, end = calendar.day_bounds("Europe/Brussels", day)
        stamps = np.arange(begin - MINUTE_MS, end + MINUTE_MS, 10_007, dtype=np.int64)
        values = np.sin(stamps / 1e7)
        store.append([Upload(source.pk, (Block(("P",), stamps, values[None]),))], received_at=NOW)
        power = make()
        hours = columns([power], calendar.edges("Europe/Brussels", "1h", begin, end))[power.pk]
        whole = columns([power], np.array([begin, end]))[power.pk]
        assert hours.integral.sum() == pytest.approx(whole.integral[0], rel=1e-12)
        assert whole.covered[0] == (end - begin) / 1000
