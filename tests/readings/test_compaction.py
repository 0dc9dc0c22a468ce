"""Compaction changes how readings are stored and never what they are."""

from __future__ import annotations

import logging
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection, connections

from apps.readings import compaction, locks, store
from apps.readings.codec import CorruptPayload
from apps.readings.models import Clock, Segment, Series, Source, Tail
from tests.readings.building import DAY, NOW, T0, append, block, held, number, put, truth
from tests.readings.conftest import MakeSource

pytestmark = pytest.mark.django_db


def versions() -> list[tuple[object, ...]]:
    """Which version of each stored row there is: a write gives it another one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 'segment', series_id, day, xmin::text, ctid::text FROM readings_segment"
            " UNION ALL SELECT 'clock', id, day, xmin::text, ctid::text FROM readings_clock ORDER BY 1, 2, 3"
        )
        return cursor.fetchall()


def test_compaction_moves_the_tail_into_segments(source: Source) -> None:
    put(source, "P", {T0 + 2: 2.0})
    put(source, "P", {T0 + 1: 1.0, T0 + 2: 3.0})
    assert store.compact(source.pk, DAY)
    assert not Tail.objects.exists()
    assert Segment.objects.get().count == 2
    assert held(source, "P") == {T0 + 1: 1.0, T0 + 2: 3.0}


def test_the_tail_beats_the_segment(source: Source) -> None:
    put(source, "P", {T0: 1.0, T0 + 1: 1.0})
    store.compact(source.pk, DAY)
    put(source, "P", {T0: 2.0})
    assert held(source, "P") == {T0: 2.0, T0 + 1: 1.0}
    store.compact(source.pk, DAY)
    assert held(source, "P") == {T0: 2.0, T0 + 1: 1.0}


def test_fields_sampled_together_share_a_clock(source: Source) -> None:
    append(source, block("A B", [T0, T0 + 9], [1, 2], [3, 4]), block("C", [T0, T0 + 9], [5, 6]))
    append(source, block("D", [T0 + 1], [7]))
    store.compact(source.pk, DAY)
    assert sorted(Clock.objects.values_list("id", flat=True)) == [0, 1]
    clocks = dict(Segment.objects.values_list("series__field", "clock_id"))
    assert clocks["A"] == clocks["B"] == clocks["C"] != clocks["D"]


@pytest.mark.parametrize("tail", [0, 1])
def test_series_sampled_together_are_read_with_one_array_of_stamps(source: Source, tail: int) -> None:
    for day in range(3):
        append(source, block("A B", [T0 + day * store.DAY + second for second in (0, 9)], [1, 2], [3, 4]))
    for day in range(3 - tail):
        store.compact(source.pk, DAY + day)
    a, b = (number(source, field) for field in "AB")
    read = store.read([a, b], start=T0 + 5, end=T0 + 3 * store.DAY)
    assert read[a].stamps is read[b].stamps
    assert len(read[a]) == len(read[b]) == 5


def test_a_field_that_gets_an_own_stamp_leaves_the_shared_clock(source: Source) -> None:
    append(source, block("A B", [T0, T0 + 9], [1, 2], [3, 4]))
    store.compact(source.pk, DAY)
    put(source, "B", {T0 + 5: 5.0})
    store.compact(source.pk, DAY)
    assert dict(Segment.objects.values_list("series__field", "clock_id")) == {"A": 0, "B": 1}
    assert held(source, "A") == {T0: 1, T0 + 9: 2}
    assert held(source, "B") == {T0: 3, T0 + 5: 5, T0 + 9: 4}


def test_clocks_nobody_uses_are_dropped(source: Source) -> None:
    append(source, block("A B", [T0], [1], [2]))
    store.compact(source.pk, DAY)
    append(source, block("A B", [T0 + 1], [1], [2]))
    store.compact(source.pk, DAY)
    assert Clock.objects.count() == 1
    assert held(source, "B") == {T0: 2, T0 + 1: 2}


def test_repeated_readings_write_nothing(source: Source) -> None:
    upload = block("A B", [T0, T0 + 9], [1, 2], [3, 4])
    append(source, upload)
    store.compact(source.pk, DAY)
    before = versions()
    append(source, upload)
    put(source, "A", {T0: 1.0})
    store.compact(source.pk, DAY)
    assert versions() == before
    assert not Tail.objects.exists()


def test_only_what_changed_is_written(source: Source) -> None:
    append(source, block("A B", [T0, T0 + 9], [1, 2], [3, 4]))
    store.compact(source.pk, DAY)
    before = versions()
    put(source, "A", {T0: 5.0})
    store.compact(source.pk, DAY)
    assert dict(Segment.objects.values_list("series__field", "revision")) == {"A": 2, "B": 1}
    assert len(set(before) - set(versions())) == 1


def test_a_sign_of_zero_is_a_change(source: Source) -> None:
    put(source, "A", {T0: 0.0})
    store.compact(source.pk, DAY)
    put(source, "A", {T0: -0.0})
    store.compact(source.pk, DAY)
    assert np.signbit(held(source, "A")[T0])


def test_a_busy_source_is_left_alone(source: Source, transactional_db: None) -> None:
    put(source, "A", {T0: 1.0})
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks._SPACE | source.pk])
            assert not store.compact(source.pk, DAY)
            assert store.sweep(now=NOW + timedelta(hours=1)) == 0
            cursor.execute("ROLLBACK")
    finally:
        other.close()
    assert Tail.objects.exists()
    assert store.sweep(now=NOW + timedelta(hours=1)) == 1


@pytest.mark.parametrize(("rows", "age", "swept"), [(11, 9, 0), (12, 0, 1), (1, 10, 1), (1, 9, 0)])
def test_the_sweep_takes_twelve_rows_or_old_ones(source: Source, rows: int, age: int, swept: int) -> None:
    for row in range(rows):
        put(source, "A", {T0 + row: 1.0}, at=NOW - timedelta(minutes=age))
    assert store.sweep(now=NOW) == swept
    assert Tail.objects.count() == (0 if swept else rows)


def test_the_sweep_takes_days_that_are_over(source: Source) -> None:
    put(source, "A", {T0 - 1: 1.0, T0: 1.0})
    assert store.sweep(now=NOW) == 1
    assert list(Tail.objects.values_list("day", flat=True)) == [DAY]


def test_a_bad_source_day_does_not_stop_the_others(
    make_source: MakeSource, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = make_source(), make_source()
    for source in (bad, good):
        put(source, "A", {T0 - 1: 1.0})
    Tail.objects.filter(source=bad).update(payload=b"damaged")
    with caplog.at_level(logging.ERROR):
        assert store.sweep(now=NOW) == 1
    assert list(Tail.objects.values_list("source", flat=True)) == [bad.pk]
    assert f"day {DAY - 1} of source {bad.pk}" in caplog.text
    with pytest.raises(CorruptPayload):
        held(bad, "A", T0 - 9, T0)


def test_a_sweep_is_bounded_in_time(make_source: MakeSource) -> None:
    put(make_source(), "A", {T0 - 1: 1.0})
    assert compaction.sweep(now=NOW, seconds=0) == 0
    assert compaction.sweep(now=NOW) == 1


def test_readings_that_raced_with_the_seal_are_discarded_and_counted(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    put(source, "A", {T0: 1.0, T0 + 20: 2.0})
    store.compact(source.pk, DAY)
    Source.objects.filter(pk=source.pk).update(sealed_before=T0 + 10)
    append(source, block("A B", [T0 + 5, T0 + 15], [8, 9], [8, 9]))
    with caplog.at_level(logging.WARNING):
        store.compact(source.pk, DAY)
    assert "Discarded 2 readings" in caplog.text
    assert held(source, "A") == {T0: 1.0, T0 + 15: 9.0, T0 + 20: 2.0}
    assert held(source, "B") == {T0 + 15: 9.0}


def test_months_of_days_are_read_in_order(source: Source) -> None:
    stamps = [T0 + day * store.DAY + second for day in range(40) for second in (0, 1000)]
    put(source, "A", truth("A", reversed(stamps)))
    for day in range(0, 40, 2):
        store.compact(source.pk, DAY + day)
    assert held(source, "A", T0, T0 + 40 * store.DAY) == truth("A", stamps)
    assert list(held(source, "A", T0, T0 + 40 * store.DAY)) == stamps


def test_series_of_several_sources_are_read_at_once(make_source: MakeSource) -> None:
    sources = [make_source(), make_source()]
    for source in sources:
        put(source, "A", {T0: float(source.pk)})
    store.compact(sources[0].pk, DAY)
    numbers = {number(source, "A"): float(source.pk) for source in sources}
    read = store.read(numbers, start=T0, end=T0 + 1)
    assert {key: own.values.tolist() for key, own in read.items()} == {
        key: [value] for key, value in numbers.items()
    }
    assert Series.objects.count() == 2
