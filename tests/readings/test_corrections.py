"""Withdrawing readings and replacing derived days."""

from __future__ import annotations

import pytest

from apps.readings import store
from apps.readings.models import Clock, Latest, Segment, Source, Tail
from tests.readings.building import DAY, NAN, NOW, T0, append, block, held, number, put, samples
from tests.readings.conftest import MakeSource
from tests.readings.test_compaction import versions

pytestmark = pytest.mark.django_db


def withdraw(source: Source, field: str, start: int, end: int) -> int:
    return store.withdraw(
        source_id=source.pk, series_ids=[number(source, field)], start=start, end=end, at=NOW
    )


def replace(source: Source, day: int = DAY, **fields: dict[int, float]) -> bool:
    contents = {number(source, field): samples(readings) for field, readings in fields.items()}
    return store.replace_day(source_id=source.pk, day=day, samples=contents)


def newest(source: Source) -> dict[str, tuple[int, float | str | bool]]:
    return store.latest([source.pk])[source.pk]


@pytest.mark.parametrize("compacted", [False, True])
def test_withdrawn_readings_are_gone_before_and_after_compaction(source: Source, compacted: bool) -> None:
    append(source, block("A B", [T0, T0 + 1, T0 + 2], [1, 2, 3], [4, 5, 6]))
    if compacted:
        store.compact(source.pk, DAY)
    assert withdraw(source, "A", T0 + 1, T0 + 2) == 1
    for _ in range(2):
        assert held(source, "A") == {T0: 1, T0 + 2: 3}
        assert held(source, "B") == {T0: 4, T0 + 1: 5, T0 + 2: 6}
        store.compact(source.pk, DAY)
    assert not Tail.objects.exists()


def test_what_arrives_after_a_withdrawal_stands(source: Source) -> None:
    put(source, "A", {T0: 1.0, T0 + 1: 1.0})
    withdraw(source, "A", T0, T0 + 10)
    put(source, "A", {T0: 2.0})
    assert held(source, "A") == {T0: 2.0}
    store.compact(source.pk, DAY)
    assert held(source, "A") == {T0: 2.0}
    assert newest(source) == {"A": (T0, 2.0)}


def test_a_withdrawal_marks_the_days_that_hold_something(source: Source) -> None:
    for day in (0, 2, 5):
        put(source, "A", {T0 + day * store.DAY: 1.0})
    store.compact(source.pk, DAY)
    assert withdraw(source, "A", T0, T0 + 5 * store.DAY) == 2
    assert withdraw(source, "A", T0 - store.DAY, T0) == 0
    assert withdraw(source, "A", T0 + 1, T0 + 1) == 0
    assert held(source, "A", T0, T0 + 9 * store.DAY) == {T0 + 5 * store.DAY: 1.0}


def test_a_withdrawn_day_leaves_no_rows(source: Source) -> None:
    put(source, "A", {T0: 1.0})
    store.compact(source.pk, DAY)
    withdraw(source, "A", T0, T0 + 1)
    store.compact(source.pk, DAY)
    assert not Segment.objects.exists()
    assert not Clock.objects.exists()
    assert held(source, "A") == {}


def test_latest_falls_back_to_what_remains(source: Source) -> None:
    for day in range(4):
        append(source, block("A B", [T0 + day * store.DAY], [day], [day]))
    store.compact(source.pk, DAY + 1)
    withdraw(source, "A", T0 + 2 * store.DAY, T0 + 9 * store.DAY)
    assert newest(source) == {
        "A": (T0 + store.DAY, 1.0),
        "B": (T0 + 3 * store.DAY, 3.0),
    }
    withdraw(source, "A", T0, T0 + 9 * store.DAY)
    assert newest(source) == {"B": (T0 + 3 * store.DAY, 3.0)}
    put(source, "A", {T0: 7.0})
    assert newest(source)["A"] == (T0, 7.0)


def test_where_all_is_withdrawn_there_is_no_newest_reading_of_1970(source: Source) -> None:
    put(source, "A", {T0: 1.0})
    withdraw(source, "A", T0, T0 + 1)
    assert newest(source) == {}
    assert not Latest.objects.exists()
    put(source, "A", {T0: 2.0})
    assert newest(source) == {"A": (T0, 2.0)}


def test_withdrawing_old_readings_leaves_latest_alone(source: Source) -> None:
    put(source, "A", {T0: 1.0, T0 + 1: 2.0})
    withdraw(source, "A", T0, T0 + 1)
    assert newest(source) == {"A": (T0 + 1, 2.0)}


def test_a_derived_day_holds_exactly_what_it_was_given(source: Source) -> None:
    assert replace(source, A={T0: 1.0, T0 + 1: 2.0}, B={T0: 3.0})
    assert replace(source, A={T0 + 1: 5.0})
    assert held(source, "A") == {T0 + 1: 5.0}
    assert held(source, "B") == {}
    assert Segment.objects.get().revision == 2
    assert Clock.objects.count() == 1


def test_an_unchanged_derived_day_writes_nothing(source: Source) -> None:
    replace(source, A={T0: 1.0}, B={T0: 2.0})
    before = versions()
    assert not replace(source, A={T0: 1.0}, B={T0: 2.0})
    assert versions() == before


def test_replacing_a_day_leaves_its_neighbours(source: Source) -> None:
    replace(source, DAY - 1, A={T0 - 1: 1.0})
    replace(source, A={T0: 2.0})
    replace(source, A={})
    assert held(source, "A", T0 - 9, T0 + 9) == {T0 - 1: 1.0}


def test_a_replaced_day_forgets_what_had_been_uploaded(source: Source) -> None:
    put(source, "A", {T0: 1.0})
    assert replace(source, A={})
    assert held(source, "A") == {}
    assert not replace(source, A={})


def test_latest_follows_replaced_days(source: Source) -> None:
    replace(source, A={T0: 1.0, T0 + 1: 2.0}, B={T0: 3.0})
    assert newest(source) == {"A": (T0 + 1, 2.0), "B": (T0, 3.0)}
    replace(source, DAY - 1, A={T0 - 1: 9.0})
    assert newest(source) == {"A": (T0 + 1, 2.0), "B": (T0, 3.0)}
    replace(source, A={})
    assert newest(source) == {"A": (T0 - 1, 9.0)}


@pytest.mark.parametrize(
    ("readings", "reason"),
    [({T0 - 1: 1.0}, "UTC day"), ({T0 + 1: 1.0, T0: 1.0}, "increase"), ({T0: NAN}, "missing")],
)
def test_a_day_that_is_none_is_refused(source: Source, readings: dict[int, float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        replace(source, A=readings)


def test_a_sealed_day_is_not_replaced(source: Source) -> None:
    replace(source, A={T0: 1.0})
    Source.objects.filter(pk=source.pk).update(sealed_before=T0 + store.DAY)
    assert not replace(source, A={T0: 2.0})
    assert held(source, "A") == {T0: 1.0}


def test_another_source_is_not_touched(make_source: MakeSource) -> None:
    first, second = make_source(), make_source()
    put(second, "A", {T0: 1.0})
    replace(first, A={T0: 2.0})
    withdraw(first, "A", T0, T0 + 1)
    assert held(second, "A") == {T0: 1.0}
