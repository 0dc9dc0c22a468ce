"""Deleting what is stored of sources, piece by piece."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.readings import deletion, store
from apps.readings.deletion import delete_readings, delete_readings_of
from apps.readings.models import Clock, Segment, Source, Tail
from tests.readings.building import DAY, T0, held, put
from tests.readings.conftest import MakeSource

pytestmark = pytest.mark.django_db

DAYS = 7


@pytest.fixture
def filled(source: Source) -> Source:
    """A source with a week of readings, every other day of it compacted."""
    for number in range(DAYS):
        put(source, "a", {T0 + number * store.DAY: float(number)})
        if number % 2:
            store.compact(source.pk, DAY + number)
    return source


def days_left(source: Source) -> list[float]:
    return list(held(source, "a", T0, T0 + DAYS * store.DAY).values())


def test_days_go_oldest_first_and_each_step_says_how_far_it_is(
    filled: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "PIECE", 3)
    steps = [(done, days_left(filled)) for done, total in delete_readings([filled.pk]) if total == DAYS]
    assert steps == [(3, [3.0, 4.0, 5.0, 6.0]), (6, [6.0]), (7, [])]
    assert not Tail.objects.exists()
    assert not Segment.objects.exists()
    assert not Clock.objects.exists()


def test_the_source_its_series_and_what_is_newest_stay(filled: Source) -> None:
    list(delete_readings([filled.pk]))
    assert Source.objects.get() == filled
    assert filled.series.count() == 1
    assert store.latest([filled.pk])[filled.pk]["a"] == (T0 + (DAYS - 1) * store.DAY, DAYS - 1.0)


def test_other_sources_keep_theirs(filled: Source, make_source: MakeSource) -> None:
    other = make_source()
    put(other, "a", {T0: 5.0})
    list(delete_readings([filled.pk]))
    assert days_left(other) == [5.0]


def test_a_piece_may_span_sources(filled: Source, make_source: MakeSource) -> None:
    other = make_source()
    put(other, "a", {T0: 5.0, T0 + 9 * store.DAY: 6.0})
    assert list(delete_readings_of(filled.house)) == [(DAYS + 2, DAYS + 2)]
    assert (days_left(filled), days_left(other)) == ([], [])


def test_nothing_to_delete_is_no_step(source: Source) -> None:
    assert list(delete_readings([source.pk])) == []
    assert list(delete_readings([])) == []


def test_each_piece_takes_the_sources_lock_first(filled: Source) -> None:
    with CaptureQueriesContext(connection) as queries:
        list(delete_readings([filled.pk]))
    said = [query["sql"] for query in queries.captured_queries if "SAVEPOINT" not in query["sql"]]
    assert "pg_advisory_xact_lock" in said[1]
    assert all("DELETE" in one or "INSERT INTO readings_invalidation" in one for one in said[2:])
