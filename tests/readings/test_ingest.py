"""Appending: what is stored, what becomes the newest value, and that no statement too many is run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.readings import store
from apps.readings.hints import QUIET, ROWS, Arrivals
from apps.readings.models import Kind, Latest, Series, Source, Tail
from tests.readings.building import DAY, NAN, NOW, T0, append, block, held, put
from tests.readings.conftest import MakeSource

pytestmark = pytest.mark.django_db


def newest(source: Source) -> dict[str, tuple[int, float | str | bool]]:
    return store.latest([source.pk])[source.pk]


def test_a_reading_is_read_back(source: Source) -> None:
    put(source, "P", {T0: 1.5, T0 + 10_000: -0.0})
    assert held(source, "P") == {T0: 1.5, T0 + 10_000: -0.0}


def test_ranges_are_half_open_and_every_series_is_a_key(source: Source) -> None:
    put(source, "P", {T0 + 1: 1.0, T0 + 2: 2.0, T0 + 3: 3.0})
    assert held(source, "P", T0 + 1, T0 + 3) == {T0 + 1: 1.0, T0 + 2: 2.0}
    assert held(source, "P", T0 + 2, T0 + 2) == {}
    assert held(source, "Q") == {}
    assert store.read([], start=0, end=1) == {}


def test_an_upload_is_one_row_per_utc_day(source: Source) -> None:
    across = block("P Q", [T0 - 2, T0 - 1, T0], [1, 2, 3], [4, 5, 6])
    store.append(
        [store.Upload(source.pk, (across,)), store.Upload(source.pk, (block("R", [T0], [7]),))],
        received_at=NOW,
    )
    assert list(Tail.objects.order_by("id").values_list("day", flat=True)) == [DAY - 1, DAY]
    assert held(source, "Q", T0 - 9, T0 + 9) == {T0 - 2: 4, T0 - 1: 5, T0: 6}
    assert held(source, "R") == {T0: 7}


def test_the_order_of_arrival_decides_between_contradictions(source: Source) -> None:
    put(source, "P", {T0: 1.0, T0 + 1: 1.0})
    put(source, "P", {T0: 2.0})
    assert held(source, "P") == {T0: 2.0, T0 + 1: 1.0}
    append(source, block("P", [T0, T0], [3, 4]), block("P", [T0], [5]))
    assert held(source, "P")[T0] == 5.0
    append(source, block("P", [T0, T0], [6, 7]))
    assert held(source, "P")[T0] == 7.0


def test_stamps_may_come_in_any_order(source: Source) -> None:
    put(source, "P", {T0 + 3: 3.0, T0 + 1: 1.0, T0 + 2: 2.0})
    assert list(held(source, "P")) == [T0 + 1, T0 + 2, T0 + 3]
    assert newest(source) == {"P": (T0 + 3, 3.0)}


def test_absent_and_infinite_values_never_overwrite(source: Source) -> None:
    append(source, block("P Q", [T0, T0 + 1], [1, 2], [3, 4]))
    append(source, block("P Q", [T0, T0 + 1], [NAN, float("inf")], [5, NAN]))
    assert held(source, "P") == {T0: 1, T0 + 1: 2}
    assert held(source, "Q") == {T0: 5, T0 + 1: 4}
    assert newest(source) == {"P": (T0 + 1, 2.0), "Q": (T0 + 1, 4.0)}


def test_nothing_present_stores_nothing(source: Source) -> None:
    append(source, block("P", [T0], [NAN]), block("Q", []), block("", [T0]))
    assert not Tail.objects.exists()
    assert not Latest.objects.exists()
    assert not Series.objects.exists()


def test_a_block_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="2 fields at 1 stamps"):
        store.Block(("P", "Q"), np.array([T0]), np.ones((1, 1)))


def test_an_undeclared_field_becomes_a_gauge_of_unknown_unit(source: Source) -> None:
    put(source, "P", {T0: 1.0})
    series = Series.objects.get()
    assert (series.field, series.unit, series.kind) == ("P", "", Kind.GAUGE)


def test_latest_is_merged_per_field(source: Source) -> None:
    append(source, block("P Q", [T0, T0 + 10], [1, 2], [3, NAN]))
    assert newest(source) == {"P": (T0 + 10, 2.0), "Q": (T0, 3.0)}
    append(source, block("P Q R", [T0 + 5], [9], [9], [9]))
    assert newest(source) == {"P": (T0 + 10, 2.0), "Q": (T0 + 5, 9.0), "R": (T0 + 5, 9.0)}


def test_of_equal_stamps_the_last_arrival_is_the_newest(source: Source) -> None:
    put(source, "P", {T0: 1.0})
    put(source, "P", {T0: 2.0})
    assert newest(source) == {"P": (T0, 2.0)}
    append(source, block("P", [T0 + 1, T0, T0 + 1], [3, 9, 4]))
    assert newest(source) == {"P": (T0 + 1, 4.0)}
    append(source, block("Q", [T0], [1]), block("P", [T0 + 1], [5]))
    assert newest(source) == {"P": (T0 + 1, 5.0), "Q": (T0, 1.0)}


def test_a_value_of_a_clock_far_ahead_gives_way_to_the_next_one(source: Source) -> None:
    arrived = datetime.fromtimestamp(T0 / 1000, UTC)
    hours = 3_600_000
    put(source, "A", {T0 + 20 * hours: 99.0}, at=arrived)
    put(source, "B", {T0: 1.0}, at=arrived)
    put(source, "A", {T0 + 60_000: 2.0}, at=arrived + timedelta(minutes=1))
    assert store.latest([source.pk])[source.pk] == {"A": (T0 + 60_000, 2.0), "B": (T0, 1.0)}
    assert Latest.objects.get(source=source).newest == T0 + 60_000


def test_a_value_a_little_ahead_stays_the_newest(source: Source) -> None:
    arrived = datetime.fromtimestamp(T0 / 1000, UTC)
    put(source, "A", {T0 + 4 * 60_000: 9.0}, at=arrived)
    put(source, "A", {T0: 1.0}, at=arrived)
    assert store.latest([source.pk])[source.pk] == {"A": (T0 + 4 * 60_000, 9.0)}


def test_states_are_kept_beside_numbers(source: Source) -> None:
    upload = store.Upload(
        source.pk,
        (block("P", [T0], [1e300]),),
        {"mode": (T0, "auto\0\\u0000 ü"), "on": (T0, True)},
    )
    store.append([upload], received_at=NOW)
    store.append(
        [store.Upload(source.pk, states={"mode": (T0 - 1, "old"), "on": (T0 + 1, False)})], received_at=NOW
    )
    assert newest(source) == {"P": (T0, 1e300), "mode": (T0, "auto\\u0000 ü"), "on": (T0 + 1, False)}
    assert isinstance(newest(source)["P"][1], float)


def test_latest_answers_for_every_source_asked(make_source: MakeSource) -> None:
    first, second = make_source(), make_source()
    put(first, "P", {T0: 1.0})
    assert store.latest([first.pk, second.pk]) == {first.pk: {"P": (T0, 1.0)}, second.pk: {}}


def test_an_upload_is_one_statement(make_source: MakeSource) -> None:
    sources = [make_source(), make_source()]
    uploads = [store.Upload(source.pk, (block("P", [T0 - 1, T0], [1, 2]),)) for source in sources]
    with transaction.atomic():
        store.append(uploads, received_at=NOW)  # creates the series
    with CaptureQueriesContext(connection) as queries:
        store.append(uploads, received_at=NOW)
    inserts = [query["sql"] for query in queries if "INSERT" in query["sql"]]
    assert len(inserts) == 1
    assert Tail.objects.count() == 8


def test_a_read_is_one_statement(source: Source) -> None:
    put(source, "P", {T0: 1.0})
    numbers = list(Series.objects.values_list("pk", flat=True))
    store.compact(source.pk, DAY)
    put(source, "P", {T0 + 1: 1.0})
    with CaptureQueriesContext(connection) as queries:
        store.read(numbers, start=T0, end=T0 + 9)
    assert len(queries) == 1


def test_a_source_that_does_not_exist_is_named_and_nothing_is_stored(make_source: MakeSource) -> None:
    known, gone = make_source(), make_source()
    put(gone, "P", {T0: 1.0})
    missing = gone.pk
    gone.delete()
    uploads = [store.Upload(pk, (block("P", [T0], [1]),)) for pk in (known.pk, missing)]
    with pytest.raises(store.UnknownSource) as error:
        store.append(uploads, received_at=NOW)
    assert error.value.source_ids == {missing}
    assert not Tail.objects.exists()


def test_deleting_a_source_takes_its_readings_along(make_source: MakeSource) -> None:
    kept, gone = make_source(), make_source()
    for source in (kept, gone):
        put(source, "P", {T0: 1.0})
        store.compact(source.pk, DAY)
        put(source, "P", {T0: 2.0})
    gone.delete()
    assert held(kept, "P") == {T0: 2.0}
    with connection.cursor() as cursor:
        for table in ("tail", "clock", "segment", "latest"):
            cursor.execute(f"SELECT source_id FROM readings_{table}")  # noqa: S608  a constant
            assert cursor.fetchall() == [(kept.pk,)]


def test_the_48th_row_in_a_short_time_asks_for_compaction() -> None:
    arrivals = Arrivals()
    assert [arrivals.full(1, DAY, NOW) for _ in range(ROWS)] == [False] * (ROWS - 1) + [True]
    assert not any(arrivals.full(source, DAY, NOW) for source in range(2, 100))


def test_a_flood_of_rows_asks_again_only_after_a_while() -> None:
    arrivals = Arrivals()
    flood = [NOW + timedelta(milliseconds=10 * row) for row in range(1000)]
    asked = [at for at in flood if arrivals.full(1, DAY, at)]
    assert len(asked) == 2
    assert asked[1] - asked[0] >= QUIET


def test_rows_that_the_sweep_has_taken_care_of_do_not_count() -> None:
    arrivals = Arrivals()
    minutes = [NOW.replace(minute=minute) for minute in range(0, 60, 2)]
    assert not any(arrivals.full(1, DAY, at) for at in minutes for _ in range(ROWS // 2))
