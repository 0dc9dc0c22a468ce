"""What is asked never lags: before anything is rolled up it is what it will be afterwards, to the bit."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from pytest_django import DjangoAssertNumQueries

from apps.houses.models import House
from apps.readings import bins, calendar, store
from apps.readings.calendar import HOUR_MS, MINUTE_MS
from apps.readings.models import Invalidation, Rollup, Series, Source
from apps.readings.rollups import NAMES, Columns
from tests.readings.building import DAY, NOW, T0, append, block, put
from tests.readings.test_rolling import CHANGES, make, settle, start_of, uploads

pytestmark = pytest.mark.django_db


def asked(source: Source, every: str, start: int, end: int) -> dict[str, Columns]:
    series = list(source.series.exclude(field__startswith="_"))
    zone = House.objects.get(pk=source.house_id).time_zone
    found = bins.binned(series, zone=zone, every=every, start=start, end=end)
    return {one.field: found[one.pk] for one in series}


def assert_same(found: Columns, wanted: Columns, name: str, *, exactly: bool = True) -> None:
    assert found.edges.tolist() == wanted.edges.tolist()
    for column in NAMES:
        one, other = getattr(found, column), getattr(wanted, column)
        if other is None:
            assert one is None, (name, column)
        elif exactly:
            assert np.array_equal(one, other, equal_nan=True), (name, column, one - other)
        else:
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9, err_msg=f"{name} {column}")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "Australia/Lord_Howe"])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uploads=uploads, days=st.tuples(st.integers(-3, 3), st.integers(1, 4)))
def test_an_answer_is_the_same_before_and_after_rolling_up(
    house_a: House,
    zone: str,
    uploads: list[tuple[str, int, dict[int, float], int]],
    days: tuple[int, int],
) -> None:
    begin = start_of(CHANGES[zone])
    source = make(house_a, zone)
    for fields, day, readings, settled in uploads:
        for name in fields.split():
            factor = HOUR_MS if name == "_length" else 1
            put(
                source, name, {begin + day * store.DAY + at: value * factor for at, value in readings.items()}
            )
        if settled:
            settle(source)
    start = begin + days[0] * store.DAY
    ranges = [(every, start, start + days[1] * store.DAY) for every in ("1h", "1d", "1w")]
    before = [asked(source, *one) for one in ranges]
    settle(source)
    for one, early in zip(ranges, before, strict=True):
        late = asked(source, *one)
        for name, found in early.items():
            assert_same(found, late[name], f"{name} {one[0]}")
    # From rollups as from the readings, and the parts are the whole.
    series = list(source.series.exclude(field__startswith="_"))
    hours = calendar.edges(zone, "1h", *ranges[0][1:])
    raw = bins.columns(series, hours)
    for one in series:
        assert_same(raw[one.pk], asked(source, *ranges[0])[one.field], one.field)


@pytest.fixture
def filled(house_a: House) -> Source:
    """Forty days of 2 kW and a register, every ten minutes, rolled up in Brussels."""
    source = make(house_a, "Europe/Brussels")
    stamps = [T0 + ten * 10 * MINUTE_MS for ten in range(40 * 144)]
    append(source, block("P E", stamps, [2.0] * len(stamps), [place / 3 for place in range(len(stamps))]))
    settle(source)
    return source


def series_of(source: Source, field: str) -> Series:
    return source.series.get(field=field)


def test_parts_of_every_length_add_up(filled: Source) -> None:
    start, end = (
        calendar.day_bounds("Europe/Brussels", day)[0]
        for day in (NOW.date().replace(day=1), NOW.date().replace(month=5, day=1))
    )
    sums = {
        every: {
            field: np.nansum(own.integral if own.integral is not None else own.increase)
            for field, own in asked(filled, every, start, end).items()
        }
        for every in ("5m", "15m", "1h", "1d", "1mo")
    }
    for every, own in sums.items():
        assert own["P"] == pytest.approx(sums["1mo"]["P"], rel=1e-9), every
        assert own["E"] == pytest.approx((40 * 144 - 1) / 3, rel=1e-9), every


def test_stored_days_are_one_statement_whatever_the_range(
    filled: Source, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    one = [series_of(filled, "P")]
    with django_assert_num_queries(2):  # what is up to date, and the rows
        found = bins.binned(one, zone="Europe/Brussels", every="1d", start=0, end=2 * T0)
    assert np.nansum(found[one[0].pk].integral) == pytest.approx(2 * 40 * 24 - 2 / 6)


def test_a_day_not_rolled_up_yet_is_worked_out_alone(
    filled: Source, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    late = T0 + 20 * store.DAY + 6 * HOUR_MS
    put(filled, "P", {late: 14.0})
    one = [series_of(filled, "P")]
    with django_assert_num_queries(4):  # and the readings of the day, and the days around them
        found = bins.binned(one, zone="Europe/Brussels", every="1d", start=T0, end=T0 + 40 * store.DAY)
    assert np.nansum(found[one[0].pk].integral) == pytest.approx(2 * 40 * 24 - 2 / 6 + 2)


def test_a_gap_that_ended_just_now_is_told_at_once(house_a: House) -> None:
    source = make(house_a, "UTC")
    put(source, "E", {T0: 100.0})
    settle(source)
    put(source, "E", {T0 + 13 * store.DAY: 113.0})
    for every in ("1h", "15m"):
        found = asked(source, every, T0 + 5 * store.DAY, T0 + 6 * store.DAY)["E"]
        assert np.nansum(found.increase) == pytest.approx(1)
        assert found.coverage.tolist() == [1] * len(found)
        assert found.quality.tolist() == [1] * len(found)


@pytest.mark.parametrize("every", ["1h", "15m", "1d"])
def test_a_gap_is_told_before_either_end_of_it_is_rolled_up(house_a: House, every: str) -> None:
    source = make(house_a, "UTC")
    put(source, "E", {T0: 100.0, T0 + 13 * store.DAY: 113.0})
    found = asked(source, every, T0 + 5 * store.DAY, T0 + 6 * store.DAY)["E"]
    assert np.nansum(found.increase) == pytest.approx(1)


def test_another_calendar_than_the_houses_is_answered_from_the_readings(filled: Source) -> None:
    one = series_of(filled, "P")
    found = bins.binned([one], zone="Asia/Kathmandu", every="1d", start=T0, end=T0 + 3 * store.DAY)[one.pk]
    assert found.edges[0] == T0 - 5.75 * HOUR_MS
    assert found.integral[1:3].tolist() == pytest.approx([48, 48])


def test_nothing_is_asked_of_sources_without_readings(source: Source) -> None:
    Series.objects.create(source=source, field="P")
    assert np.isnan(asked(source, "1d", T0, T0 + store.DAY)["P"].integral).all()
    assert not Rollup.objects.exists()
    assert not Invalidation.objects.filter(day=DAY).exists()


@pytest.mark.parametrize("every", ["5m", "1h", "1d"])
def test_what_says_something_of_other_readings_has_no_bins(house_a: House, every: str) -> None:
    source = make(house_a, "UTC")
    append(source, block("P _length", [T0, T0 + MINUTE_MS], [1, 2], [60_000, 60_000]))
    settle(source)
    one = series_of(source, "_length")
    found = bins.binned_means([one], zone="UTC", every=every, start=T0, end=T0 + MINUTE_MS)[one.pk]
    assert (np.isnan(found.values).tolist(), found.coverage.tolist()) == ([True], [0])
