"""What is worked out from what: no cycles, and marks on exactly the days that a change reaches."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from apps.houses.models import House
from apps.readings import deletion, store
from apps.readings.dependencies import (
    DependencyCycleError,
    Reach,
    depend,
    dependents_of,
    in_order,
    inputs_of,
    invalidate,
)
from apps.readings.models import Dependency, Invalidation, Namespace, Source
from tests.readings.building import DAY, NOW, T0, number, put, samples
from tests.readings.conftest import MakeSource

pytestmark = pytest.mark.django_db

SAME_DAY = Reach(0, 0)


@pytest.fixture
def make_item(house_a: House) -> Callable[[str], Source]:
    return lambda name: Source.objects.create(house=house_a, name=name, namespace=Namespace.ANALYTICS)


def marked(source: Source) -> dict[int, bool]:
    """The marked days, counted from DAY, and whether they are to be computed first."""
    rows = Invalidation.objects.filter(source=source).values_list("day", "recompute")
    return {day - DAY: recompute is not None for day, recompute in rows}


def clear() -> None:
    Invalidation.objects.all().delete()


class TestDepending:
    def test_the_last_word_on_inputs_counts(self, make_source: MakeSource) -> None:
        item, a, b = make_source(), make_source(), make_source()
        depend(source_id=item.pk, inputs={a.pk: SAME_DAY, b.pk: SAME_DAY})
        depend(source_id=item.pk, inputs={a.pk: Reach(1, 2)})
        assert inputs_of(item.pk) == {a.pk: Reach(1, 2)}
        assert dependents_of([a.pk]) == {item.pk}
        assert dependents_of([b.pk]) == set()

    @pytest.mark.parametrize("length", [1, 2, 3, 12])
    def test_a_cycle_of_any_length_is_named(self, make_item: Callable[[str], Source], length: int) -> None:
        items = [make_item(f"item{place}") for place in range(length)]
        for item, reads in pairwise(items):
            depend(source_id=item.pk, inputs={reads.pk: SAME_DAY})
        with pytest.raises(DependencyCycleError) as caught:
            depend(source_id=items[-1].pk, inputs={items[0].pk: SAME_DAY})
        way = [items[-1], *items]
        assert caught.value.cycle == [item.pk for item in way]
        assert " → ".join(f"“analytics.{item.name}”" for item in way) in str(caught.value)
        assert Dependency.objects.count() == length - 1

    def test_two_ways_to_one_input_are_no_cycle(self, make_source: MakeSource) -> None:
        top, left, right, bottom = (make_source() for _ in range(4))
        depend(source_id=left.pk, inputs={bottom.pk: SAME_DAY})
        depend(source_id=right.pk, inputs={bottom.pk: SAME_DAY})
        depend(source_id=top.pk, inputs={left.pk: SAME_DAY, right.pk: SAME_DAY})
        assert in_order([top.pk, right.pk, bottom.pk, left.pk]) == [bottom.pk, left.pk, right.pk, top.pk]

    def test_a_negative_reach_is_refused(self, make_source: MakeSource) -> None:
        with pytest.raises(ValueError, match="not negative"):
            depend(source_id=make_source().pk, inputs={make_source().pk: Reach(-1, 0)})

    def test_dependencies_end_with_either_source(self, make_source: MakeSource) -> None:
        item, a, b = make_source(), make_source(), make_source()
        depend(source_id=item.pk, inputs={a.pk: SAME_DAY, b.pk: SAME_DAY})
        a.delete()
        assert inputs_of(item.pk) == {b.pk: SAME_DAY}
        item.delete()
        assert not Dependency.objects.exists()


class TestMarks:
    def test_what_compaction_changes_is_marked_with_what_depends_on_it(
        self, source: Source, make_source: MakeSource
    ) -> None:
        item = make_source()
        depend(source_id=item.pk, inputs={source.pk: Reach(2, 1)})
        put(source, "a", {T0: 1.0})
        assert not Invalidation.objects.exists()
        store.compact(source.pk, DAY)
        assert marked(source) == {0: False}
        assert marked(item) == {-1: True, 0: True, 1: True, 2: True}

    def test_what_changes_nothing_marks_nothing(self, source: Source, make_source: MakeSource) -> None:
        depend(source_id=make_source().pk, inputs={source.pk: SAME_DAY})
        put(source, "a", {T0: 1.0})
        store.compact(source.pk, DAY)
        clear()
        put(source, "a", {T0: 1.0})
        store.compact(source.pk, DAY)
        assert not Invalidation.objects.exists()

    def test_a_replaced_day_is_marked_when_it_changed(self, source: Source, make_source: MakeSource) -> None:
        item = make_source()
        depend(source_id=item.pk, inputs={source.pk: SAME_DAY})
        content = {number(source, "a"): samples({T0: 1.0})}
        store.replace_day(source_id=source.pk, day=DAY, samples=content)
        assert (marked(source), marked(item)) == ({0: False}, {0: True})
        clear()
        store.replace_day(source_id=source.pk, day=DAY, samples=content)
        assert not Invalidation.objects.exists()

    def test_a_withdrawal_marks_the_days_that_held_something(self, source: Source) -> None:
        put(source, "a", {T0: 1.0, T0 + 2 * store.DAY: 1.0})
        for day in range(3):
            store.compact(source.pk, DAY + day)
        clear()
        store.withdraw(
            source_id=source.pk, series_ids=[number(source, "a")], start=T0, end=T0 + 2 * store.DAY, at=NOW
        )
        for day in range(3):
            store.compact(source.pk, DAY + day)
        assert marked(source) == {0: False}

    def test_each_mark_takes_a_new_number_and_keeps_what_is_to_be_computed(
        self, source: Source, make_source: MakeSource
    ) -> None:
        item = make_source()
        depend(source_id=item.pk, inputs={source.pk: SAME_DAY})
        put(source, "a", {T0: 1.0})
        store.compact(source.pk, DAY)
        first = Invalidation.objects.get(source=item)
        store.replace_day(source_id=item.pk, day=DAY, samples={number(item, "value"): samples({T0: 1.0})})
        second = Invalidation.objects.get(source=item)
        assert second.seq > first.seq
        assert second.recompute == first.recompute == first.seq

    def test_deleting_an_input_marks_what_was_worked_out_from_it(
        self, source: Source, make_source: MakeSource
    ) -> None:
        item = make_source()
        depend(source_id=item.pk, inputs={source.pk: SAME_DAY})
        put(source, "a", {T0: 1.0})
        store.compact(source.pk, DAY)
        clear()
        list(deletion.delete_readings([source.pk]))
        assert marked(item) == {0: True}
        assert marked(source) == {}

    def test_derived_days_that_read_sealed_readings_stay(
        self, source: Source, make_source: MakeSource
    ) -> None:
        item = make_source()
        depend(source_id=item.pk, inputs={source.pk: Reach(1, 0)})
        Source.objects.filter(pk=source.pk).update(sealed_before=T0)
        put(source, "a", {T0: 1.0})
        store.compact(source.pk, DAY)
        assert marked(item) == {1: True}


class TestInvalidating:
    def test_a_source_without_inputs_is_rolled_up_where_it_has_data(self, source: Source) -> None:
        put(source, "a", {T0: 1.0, T0 + 5 * store.DAY: 1.0})
        for day in (0, 5):
            store.compact(source.pk, DAY + day)
        clear()
        assert invalidate(source_id=source.pk, first_day=DAY, last_day=DAY + 4, reason="changed") == 1
        assert marked(source) == {0: False}

    def test_a_derived_source_is_computed_where_it_or_an_input_has_data(
        self, source: Source, make_source: MakeSource
    ) -> None:
        item = make_source()
        store.replace_day(
            source_id=item.pk,
            day=DAY + 9,
            samples={number(item, "value"): samples({T0 + 9 * store.DAY: 1.0})},
        )
        clear()
        put(source, "a", {T0: 1.0, T0 + 5 * store.DAY: 1.0})
        depend(source_id=item.pk, inputs={source.pk: Reach(0, 1)})
        assert invalidate(source_id=item.pk, first_day=DAY - 9, last_day=DAY + 9, reason="new formula") == 5
        assert marked(item) == dict.fromkeys([-1, 0, 4, 5, 9], True)
        assert set(Invalidation.objects.values_list("reason", flat=True)) == {"new formula"}
