"""Rollups against what the whole history says, in any zone and whatever the order of arrival."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from itertools import count

import hypothesis.strategies as st
import numpy as np
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings

from apps.houses.models import House
from apps.readings import integration, rolling, store
from apps.readings.models import Boundary, Invalidation, Rollup, Series, Source, Tail
from apps.readings.series import FieldSpec, declare
from tests.readings import oracle
from tests.readings.building import DAY, NOW, T0, append, block, put
from tests.readings.oracle import HOUR, MINUTE, close

pytestmark = pytest.mark.django_db

CADENCE = 600  # max_gap: half an hour
FIELDS = [
    FieldSpec("P", unit="kW", cadence=CADENCE),
    FieldSpec("I", unit="kW", kind="interval", cadence=CADENCE),
    FieldSpec("S", unit="", kind="step", cadence=3 * CADENCE),
    FieldSpec("E", unit="kWh", kind="counter", cadence=CADENCE),
    FieldSpec("_length", unit="ms"),
]

# Zones with the days on which their clocks changed, or with other peculiar hours.
CHANGES = {
    "UTC": "2025-03-30",
    "Europe/Brussels": "2025-03-30",
    "Europe/Berlin": "2025-10-26",
    "Asia/Kathmandu": "2025-03-30",  # +05:45
    "Asia/Kolkata": "2025-03-30",  # +05:30
    "Australia/Lord_Howe": "2025-04-06",  # half an hour
    "Africa/Cairo": "2025-04-25",  # no midnight
    "America/Havana": "2025-11-02",  # two
    "America/St_Johns": "2025-03-09",
    "Pacific/Kiritimati": "2025-03-30",  # +14
}


def start_of(day: str) -> int:
    return round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


names = count(1)


def make(house: House, zone: str) -> Source:
    House.objects.filter(pk=house.pk).update(time_zone=zone)
    source = Source.objects.create(house=house, name=f"s{next(names)}")
    declare(source=source, fields=FIELDS)
    return source


def settle(source: Source) -> None:
    """Compact all that arrived and roll up until nothing is marked."""
    for day in sorted(set(Tail.objects.filter(source=source).values_list("day", flat=True))):
        assert store.compact(source.pk, day)
    for _ in range(100):
        if not rolling.roll(source.pk):
            break
    assert not Invalidation.objects.filter(source=source).exists()


def rows(source: Source) -> dict[tuple[str, date], dict[str, object]]:
    """All that is stored of rollups, but for ids."""
    kept = [field.name for field in Rollup._meta.fields if field.name not in {"pk", "source", "series"}]
    return {
        (row.series.field, row.day): {name: repr(getattr(row, name)) for name in kept}
        for row in Rollup.objects.filter(source=source).select_related("series")
    }


def borders(source: Source) -> list[tuple[object, ...]]:
    names_ = [
        "series__field",
        "day",
        "first_stamp",
        "first_value",
        "first_length",
        "last_stamp",
        "last_value",
        "state",
        "advance_start",
        "advance_end",
        "increase",
    ]
    return sorted(map(repr, Boundary.objects.filter(source=source).values_list(*names_)))


def versions() -> list[tuple[object, ...]]:
    """Which version of each row there is: a write gives it another one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 'r', series_id, day::text, xmin::text, ctid::text FROM readings_rollup"
            " UNION ALL SELECT 'b', series_id, day::text, xmin::text, ctid::text FROM readings_boundary"
            " ORDER BY 1, 2, 3"
        )
        return cursor.fetchall()


def assert_agrees(source: Source, readings: dict[str, dict[int, float]], zone: str) -> None:
    """The rows are what the oracle says, in every column, and no others."""
    for series in Series.objects.filter(source=source).exclude(field__startswith="_"):
        wanted = oracle.rollups(
            series.kind,
            readings.get(series.field, {}),
            zone,
            max_gap=integration.max_gap(series.cadence),
            lengths=readings.get("_length", {}),
        )
        found = {row.day: row for row in Rollup.objects.filter(source=source, series=series)}
        assert sorted(found) == sorted(wanted), series.field
        for day, hours in wanted.items():
            assert_row(found[day], hours, is_counter=series.kind == "counter")


def assert_row(row: Rollup, hours: Sequence[oracle.Hour], *, is_counter: bool) -> None:
    assert row.starts == [*(hour.begin for hour in hours), hours[-1].end]
    nan = math.nan
    wanted: dict[str, list[float]] = {
        "count": [len(hour.values) for hour in hours],
        "sum": [math.fsum(hour.values) if hour.values else nan for hour in hours],
        "min": [min(hour.values, default=nan) for hour in hours],
        "max": [max(hour.values, default=nan) for hour in hours],
        "first": [hour.values[0] if hour.values else nan for hour in hours],
        "last": [hour.values[-1] if hour.values else nan for hour in hours],
        "covered": [hour.covered / 1000 for hour in hours],
        "quality": [float(hour.bridged) for hour in hours],
    }
    energy, other = ("increase", "integral") if is_counter else ("integral", "increase")
    wanted[energy] = [getattr(hour, energy) if hour.covered else nan for hour in hours]
    assert getattr(row, other) is None
    assert getattr(row, f"hour_{other}") is None
    for name, column in wanted.items():
        own = getattr(row, f"hour_{name}")
        assert all(map(close, own, column)), (row.series.field, row.day, name, own, column)
        assert len(own) == len(column)
        assert close(getattr(row, name), whole(name, column)), (row.series.field, row.day, name)


def whole(name: str, column: list[float]) -> float:
    present = [value for value in column if not math.isnan(value)]
    if not present:
        return math.nan
    rules: dict[str, Callable[[list[float]], float]] = {
        "min": min, "max": max, "quality": max,
        "first": lambda own: own[0], "last": lambda own: own[-1],
    }  # fmt: skip
    return rules.get(name, math.fsum)(present)


class TestOneDay:
    """What a person can check on paper."""

    def test_a_gauge_over_an_hour(self, house_a: House) -> None:
        source = make(house_a, "UTC")
        put(source, "P", {T0 + minute * MINUTE: 6.0 for minute in range(0, 61, 10)})
        settle(source)
        row = Rollup.objects.get()
        assert (row.day, row.count, row.sum, row.integral, row.covered) == (date(2026, 3, 10), 7, 42, 6, 3600)
        assert row.hour_integral[:1] == [6.0]
        assert np.isnan(row.hour_integral[1:]).all()
        assert row.hour_count[:3] == [6, 1, 0]
        assert len(row.starts) == 25

    def test_hours_of_a_zone_at_05_45_are_written_from_both_utc_days(self, house_a: House) -> None:
        source = make(house_a, "Asia/Kathmandu")
        # 23:15 UTC is 05:00: that hour lies in two UTC days.
        put(source, "P", {T0 + minute * MINUTE: 4.0 for minute in range(-45, 16, 15)})
        settle(source)
        row = Rollup.objects.get()
        assert row.day == date(2026, 3, 10)
        assert row.hour_integral[5] == pytest.approx(4.0, rel=1e-12)
        assert row.covered == 3600

    def test_a_late_row_at_00_01_changes_the_evening_before(self, house_a: House) -> None:
        source = make(house_a, "UTC")
        put(source, "P", {T0 - 10 * MINUTE: 6.0})
        settle(source)
        assert Rollup.objects.get().covered == 0
        put(source, "P", {T0 + MINUTE: 6.0})
        settle(source)
        evening, morning = Rollup.objects.order_by("day")
        assert (evening.covered, morning.covered) == (600, 60)
        assert evening.integral == pytest.approx(1.0, rel=1e-12)

    def test_a_late_row_before_midnight_changes_the_morning_after(self, house_a: House) -> None:
        source = make(house_a, "UTC")
        put(source, "P", {T0 + MINUTE: 6.0})
        settle(source)
        put(source, "P", {T0 - 10 * MINUTE: 6.0})
        settle(source)
        evening, morning = Rollup.objects.order_by("day")
        assert (evening.covered, morning.covered) == (600, 60)

    def test_a_counter_bridges_thirteen_days_and_a_late_row_divides_them(self, house_a: House) -> None:
        source = make(house_a, "UTC")
        put(source, "E", {T0: 100.0, T0 + 13 * store.DAY: 113.0})
        settle(source)
        days = Rollup.objects.order_by("day")
        assert [row.increase for row in days if row.covered] == pytest.approx([1.0] * 13)
        assert [row.quality for row in days] == [1] * 13 + [0]
        put(source, "E", {T0 + 3 * store.DAY: 109.0})
        settle(source)
        assert [row.increase for row in days.all() if row.covered] == pytest.approx([3.0] * 3 + [0.4] * 10)
        assert [row.count for row in days.all()] == [1, 0, 0, 1, *[0] * 9, 1]

    def test_what_is_withdrawn_leaves_no_row(self, house_a: House) -> None:
        source = make(house_a, "Europe/Brussels")
        stamps = {T0 + day * store.DAY + minute * MINUTE: 1.0 for day in range(3) for minute in (0, 10)}
        put(source, "E", stamps)
        put(source, "P", stamps)
        settle(source)
        assert Rollup.objects.exists()
        ids = list(source.series.values_list("pk", flat=True))
        store.withdraw(source_id=source.pk, series_ids=ids, start=T0, end=T0 + 3 * store.DAY, at=NOW)
        settle(source)
        assert not Rollup.objects.exists()
        assert not Boundary.objects.exists()

    def test_repeated_readings_write_nothing(self, house_a: House) -> None:
        source = make(house_a, "Asia/Kathmandu")
        upload = block("P E", [T0 + minute * MINUTE for minute in range(0, 3000, 10)], range(300), range(300))
        append(source, upload)
        settle(source)
        before = versions()
        append(source, upload)
        settle(source)
        assert versions() == before
        for day in (DAY, DAY + 1):
            store.compact(source.pk, day)
            Invalidation.objects.create(source=source, day=day, seq=10**9 + day, reason="again")
        settle(source)
        assert versions() == before


# Mostly around the ends of UTC days, where days read each other.
stamps_of_a_day = st.one_of(
    st.integers(0, 3).map(lambda fives: fives * 5 * MINUTE),
    st.integers(1, 3).map(lambda fives: store.DAY - fives * 5 * MINUTE),
    st.integers(0, 47).map(lambda halves: halves * 30 * MINUTE),
    st.integers(0, store.DAY - 1),
)
readings_of_a_day = st.dictionaries(
    stamps_of_a_day, st.integers(0, 40).map(lambda quarters: quarters / 4), max_size=6
)
uploads = st.lists(
    st.tuples(
        st.sampled_from(["P", "I", "S", "E", "I _length"]),
        st.integers(-2, 3),
        readings_of_a_day,
        st.booleans(),
    ),
    min_size=1,
    max_size=9,
)


@pytest.mark.parametrize("zone", CHANGES)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uploads=uploads)
def test_any_order_of_arrival_gives_what_the_whole_history_gives(
    house_a: House, zone: str, uploads: list[tuple[str, int, dict[int, float], int]]
) -> None:
    begin = start_of(CHANGES[zone])
    source = make(house_a, zone)
    history: dict[str, dict[int, float]] = {}
    for fields, day, readings, settled in uploads:
        own = {begin + day * store.DAY + stamp: value for stamp, value in readings.items()}
        for name in fields.split():
            values = {stamp: value * HOUR if name == "_length" else value for stamp, value in own.items()}
            put(source, name, values)
            history.setdefault(name, {}).update(values)
        if settled:
            settle(source)
    settle(source)
    assert_agrees(source, history, zone)
    again = make(house_a, zone)
    for name, readings in history.items():
        put(again, name, readings)
    settle(again)
    assert rows(again) == rows(source)
    assert borders(again) == borders(source)
