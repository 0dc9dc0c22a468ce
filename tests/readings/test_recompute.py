"""Days of derived sources are computed where inputs changed, inputs first, and again when that fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from apps.readings import recompute, store
from apps.readings.dependencies import Reach, depend, inputs_of
from apps.readings.models import Invalidation, Source
from tests.readings.building import DAY, T0, held, number, put, samples
from tests.readings.conftest import MakeSource

pytestmark = pytest.mark.django_db

KIND = "test"


@pytest.fixture
def make_derived(make_source: MakeSource) -> MakeSource:
    """A factory of sources in a namespace of their own."""

    def made() -> Source:
        derived = make_source()
        Source.objects.filter(pk=derived.pk).update(namespace=KIND)
        return derived

    return made


@pytest.fixture(autouse=True)
def calls() -> Iterator[list[tuple[int, int]]]:
    """Which days were computed; each becomes the sum of its inputs' first values."""
    done: list[tuple[int, int]] = []

    def compute(source_id: int, day: int) -> None:
        done.append((source_id, day))
        inputs = Source.objects.filter(pk__in=inputs_of(source_id))
        total = sum(sum(held(one, "a").values()) for one in inputs)
        mine = Source.objects.get(pk=source_id)
        store.replace_day(source_id=source_id, day=day, samples={number(mine, "a"): samples({T0: total})})

    recompute.register(KIND, compute)
    yield done
    del recompute._functions[KIND]


def test_a_changed_input_has_its_dependants_computed_in_order(
    source: Source, make_derived: MakeSource, calls: list[tuple[int, int]]
) -> None:
    top, middle = make_derived(), make_derived()
    depend(source_id=top.pk, inputs={middle.pk: Reach(0, 0), source.pk: Reach(0, 0)})
    depend(source_id=middle.pk, inputs={source.pk: Reach(0, 0)})
    put(source, "a", {T0: 3.0})
    store.compact(source.pk, DAY)
    assert recompute.run_due([KIND], seconds=9) == 2
    assert calls == [(middle.pk, DAY), (top.pk, DAY)]
    assert held(top, "a") == {T0: 6.0}
    assert not Invalidation.objects.exclude(recompute=None).exists()
    assert Invalidation.objects.count() == 3  # all three are to be rolled up


def test_what_fails_stays_marked_and_stops_no_other(
    source: Source, make_derived: MakeSource, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = make_derived(), make_derived()
    for one in (bad, good):
        depend(source_id=one.pk, inputs={source.pk: Reach(0, 0)})
    put(source, "a", {T0: 3.0})
    store.compact(source.pk, DAY)
    compute = recompute._functions[KIND].function

    def fail(source_id: int, day: int) -> None:
        if source_id == bad.pk:
            raise RuntimeError("broken")
        compute(source_id, day)

    recompute.register(KIND, fail)
    with caplog.at_level(logging.ERROR):
        assert recompute.run_due([KIND], seconds=9) == 1
    assert f"day {DAY} of source {bad.pk}" in caplog.text
    assert Invalidation.objects.exclude(recompute=None).get().source == bad


def test_a_change_while_a_day_is_computed_has_it_computed_again(
    source: Source, make_derived: MakeSource, calls: list[tuple[int, int]]
) -> None:
    derived = make_derived()
    depend(source_id=derived.pk, inputs={source.pk: Reach(0, 0)})
    put(source, "a", {T0: 3.0})
    store.compact(source.pk, DAY)
    compute = recompute._functions[KIND].function

    def overtaken(source_id: int, day: int) -> None:
        compute(source_id, day)
        put(source, "a", {T0: 4.0})
        store.compact(source.pk, DAY)

    recompute.register(KIND, overtaken)
    recompute.run_due([KIND], seconds=9)
    recompute.register(KIND, compute)
    assert recompute.run_due([KIND], seconds=9) == 1
    assert held(derived, "a") == {T0: 4.0}
    assert recompute.run_due([KIND], seconds=9) == 0


def test_no_day_is_begun_after_the_time_is_over(source: Source, make_derived: MakeSource) -> None:
    depend(source_id=make_derived().pk, inputs={source.pk: Reach(0, 0)})
    put(source, "a", {T0: 3.0})
    store.compact(source.pk, DAY)
    assert recompute.run_due([KIND], seconds=0) == 0
    assert recompute.run_due([KIND], seconds=9) == 1
