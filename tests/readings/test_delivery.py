"""The same readings delivered in order, shuffled, doubled, or all at once give the same rollups."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection

from apps.houses.models import House
from apps.readings import store
from apps.readings.calendar import HOUR_MS, MINUTE_MS
from apps.readings.models import Invalidation, Rollup, Source
from tests.readings.building import NOW, T0, append
from tests.readings.test_rolling import borders, make, rows

pytestmark = pytest.mark.django_db

HOURS = 80
Part = store.Block
Delivery = Callable[[list[Part]], list[list[Part]]]


def history() -> list[Part]:
    """Eighty hours of all kinds of series, an hour an upload: a gap, a dip, nightly zeros and a swap."""
    parts = []
    rng = np.random.default_rng(7)
    register = 5000.0
    for hour in range(HOURS):
        if 30 <= hour < 47:
            continue
        stamps = T0 + hour * HOUR_MS + np.arange(0, 60, 5) * MINUTE_MS + rng.integers(0, 999, 12)
        power = rng.normal(3, 2, 12)
        energy = register + np.cumsum(np.abs(power)) / 12
        register = float(energy[-1]) if hour != 60 else 12.0  # another meter
        energy[3] -= 0.1 if hour % 7 == 0 else 0
        energy[:] = 0 if hour % 24 < 6 else energy
        lengths = np.full(12, 4.0 * MINUTE_MS)
        parts.append(
            store.Block(
                ("P", "I", "S", "E", "_length"), stamps, np.array([power, power, power > 3, energy, lengths])
            )
        )
    return parts


def in_order(parts: list[Part]) -> list[list[Part]]:
    return [[part] for part in parts]


def shuffled(parts: list[Part]) -> list[list[Part]]:
    return [[part] for part in random.Random(3).sample(parts, len(parts))]


def doubled(parts: list[Part]) -> list[list[Part]]:
    return shuffled(parts) + in_order(parts)


def at_once(parts: list[Part]) -> list[list[Part]]:
    return [shuffled(parts)[0] + parts]


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/New_York"])
def test_rollups_do_not_tell_how_readings_were_delivered(house_a: House, zone: str) -> None:
    found = []
    for delivery in (in_order, shuffled, doubled, at_once):
        source = make(house_a, zone)
        for place, upload in enumerate(delivery(history())):
            append(source, *upload)
            if place % 9 == 0:
                store.sweep(now=NOW + timedelta(days=9))
        for _ in range(5):
            store.sweep(now=NOW + timedelta(days=9))
        assert not Invalidation.objects.exists()
        found.append((rows(source), borders(source)))
    assert len(found[0][0]) > 12
    assert found[1:] == found[:1] * 3


@pytest.fixture
def source(house_a: House) -> Source:
    source = make(house_a, "Europe/Brussels")
    append(source, *history())
    for _ in range(3):
        store.sweep(now=NOW + timedelta(days=9))
    return source


def view(name: str, columns: str, where: str = "true") -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {name} WHERE {where} ORDER BY 1")  # noqa: S608  our own words
        return cursor.fetchall()


@pytest.mark.parametrize(("field", "column"), [("P", "integral"), ("E", "increase")])
def test_views_say_the_same_at_every_length(source: Source, field: str, column: str) -> None:
    totals = {
        name: view(name, f"sum({column}), sum(count)::int, sum(covered)", f"field = '{field}'")[0]
        for name in ("rollup_hour", "rollup_day", "rollup_week", "rollup_month")
    }
    wanted = sum(getattr(row, column) or 0 for row in Rollup.objects.filter(series__field=field))
    for total, count, covered in totals.values():
        assert total == pytest.approx(wanted, rel=1e-9)
        assert count == 12 * (HOURS - 17)
        assert covered == pytest.approx(totals["rollup_day"][2])


def test_views_name_house_source_and_field_and_tell_what_is_missing(source: Source) -> None:
    gap = view(
        "rollup_hour", "house, source, field, mean, coverage", "field = 'P' AND count = 0 AND covered = 0"
    )
    assert set(gap) == {(source.house.name, source.name, "P", None, 0.0)}
    days = view("rollup_day", '"start", "end", mean, coverage', "field = 'P'")
    assert days[0][1] == days[1][0]
    assert all(mean is not None and 0 < coverage <= 1 for *_, mean, coverage in days)
    months = view("rollup_month", "day, first, last", "field = 'P'")
    ends = Rollup.objects.filter(series__field="P").order_by("day")
    assert [(str(day), *own) for day, *own in months] == [
        ("2026-03-01", ends[0].first, ends.reverse()[0].last)
    ]
