"""Declaring series: what may be said once, what may be said again, and what a process remembers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.houses.models import House
from apps.readings import store
from apps.readings.models import Invalidation, Kind, Namespace, Series, Source
from apps.readings.series import (
    FieldSpec,
    SeriesConflict,
    declare,
    forget,
    named,
    redeclare,
    series_ids,
    set_unit,
)
from tests.readings.building import DAY, NOW, T0, block, held, put

pytestmark = pytest.mark.django_db

POWER = FieldSpec("P", "power", "W", Kind.GAUGE, 10, "positive: consumption")


@pytest.fixture
def durable_source(transactional_db: None) -> Iterator[Source]:
    """A source whose series are remembered: only committed ones are."""
    source = Source.objects.create(house=House.objects.create(name="durable"), name="device")
    yield source
    forget([source.pk])


def test_declared_fields_become_series(source: Source) -> None:
    declare(source=source, fields=[POWER, FieldSpec("E", "energy", "kWh", Kind.COUNTER)])
    power, energy = Series.objects.order_by("-field")
    assert (power.quantity, power.unit, power.cadence, power.sign) == ("power", "W", 10, POWER.sign)
    assert energy.kind == Kind.COUNTER


def test_declaring_again_changes_what_may_change(source: Source) -> None:
    declare(source=source, fields=[POWER, FieldSpec("E", unit="kWh")])
    declare(source=source, fields=[FieldSpec("P", "active power", "W", cadence=60)])
    series = Series.objects.get(field="P")
    assert (series.quantity, series.cadence, series.sign) == ("active power", 60, "")
    assert Series.objects.get(field="E").unit == "kWh"


@pytest.mark.parametrize("other", [FieldSpec("P", unit="kW"), FieldSpec("P", unit="W", kind=Kind.COUNTER)])
def test_unit_and_kind_never_change(source: Source, other: FieldSpec) -> None:
    declare(source=source, fields=[POWER])
    with pytest.raises(SeriesConflict):
        declare(source=source, fields=[FieldSpec("A", unit="V"), other])
    assert list(Series.objects.values_list("field", "unit", "kind")) == [("P", "W", "gauge")]


def test_a_derived_series_can_become_another_and_is_rolled_up_again(source: Source) -> None:
    redeclare(source=source, fields=[POWER])
    put(source, "P", {T0: 1.0})
    store.compact(source.pk, T0 // store.DAY)
    Invalidation.objects.all().delete()
    redeclare(source=source, fields=[FieldSpec("P", "power", "kW", Kind.GAUGE, 10)])
    assert not Invalidation.objects.exists()  # its unit is nothing to a rollup
    redeclare(source=source, fields=[FieldSpec("P", "power", "kW", Kind.INTERVAL, 10), FieldSpec("_length")])
    assert [(one.field, one.kind, one.unit) for one in Series.objects.order_by("field")] == [
        ("P", "interval", "kW"),
        ("_length", "gauge", ""),
    ]
    assert Invalidation.objects.get().day == T0 // store.DAY


def test_an_undeclared_field_can_be_declared_later(source: Source) -> None:
    put(source, "E", {T0: 1.0})
    declare(source=source, fields=[FieldSpec("E", "energy", "kWh", Kind.COUNTER)])
    series = Series.objects.get()
    assert (series.unit, series.kind) == ("kWh", Kind.COUNTER)
    assert held(source, "E") == {T0: 1.0}


def test_series_are_found_by_their_names_with_their_sources(source: Source, house_b: House) -> None:
    declare(source=source, fields=[POWER, FieldSpec("E", unit="kWh", kind=Kind.COUNTER, rating=11)])
    item = Source.objects.create(house=source.house, name="P", namespace=Namespace.ANALYTICS)
    other = Source.objects.create(house=house_b, name=source.name)
    for one in (item, other):
        declare(source=one, fields=[FieldSpec("P"), FieldSpec("E")])
    asked = [(source.name, "E"), (source.name, "P"), ("P", "P"), (source.name, "p"), ("none", "E")]
    with CaptureQueriesContext(connection) as queries:
        found = named(source.house_id, asked)
        assert [one.source == source for one in found.values()] == [True, True]
    assert list(found) == asked[:2]
    for one in found.values():
        stored = Series.objects.select_related("source").get(pk=one.pk)
        for mine, its in ((one, stored), (one.source, stored.source)):
            columns = [field.attname for field in its._meta.concrete_fields]
            assert [getattr(mine, name) for name in columns] == [getattr(its, name) for name in columns]
    assert len(queries) == 1
    assert named(source.house_id, []) == {}


def test_an_unknown_unit_is_set_once(source: Source) -> None:
    put(source, "E", {T0: 1.0})
    series = Series.objects.get()
    set_unit(series=series, unit="kWh", kind=Kind.COUNTER)
    assert (series.unit, series.kind) == ("kWh", Kind.COUNTER)
    with pytest.raises(SeriesConflict, match="cannot change"):
        set_unit(series=series, unit="Wh")


def test_another_kind_has_its_days_rolled_up_again(source: Source) -> None:
    put(source, "E", {T0: 1.0})
    store.compact(source.pk, DAY)
    Invalidation.objects.all().delete()
    set_unit(series=Series.objects.get(), unit="kWh", kind=Kind.COUNTER)
    assert list(Invalidation.objects.values_list("day", flat=True)) == [DAY]


class TestCounterSettings:
    def test_a_declaration_fills_in_what_is_not_known(self, source: Source) -> None:
        declare(source=source, fields=[FieldSpec("E", unit="kWh", kind=Kind.COUNTER)])
        put(source, "E", {T0: 1.0})
        store.compact(source.pk, DAY)
        Invalidation.objects.all().delete()
        declare(source=source, fields=[FieldSpec("E", unit="kWh", kind=Kind.COUNTER, rating=11, modulus=1e5)])
        series = Series.objects.get()
        assert (series.rating, series.modulus) == (11, 1e5)
        assert list(Invalidation.objects.values_list("day", flat=True)) == [DAY]

    def test_what_is_known_stays(self, source: Source) -> None:
        for rating in (11.0, 22.0, None):
            spec = FieldSpec("E", unit="kWh", kind=Kind.COUNTER, rating=rating, modulus=1e5)
            declare(source=source, fields=[spec])
        assert Series.objects.get().rating == 11
        assert not Invalidation.objects.exists()


def test_known_fields_cost_no_query(durable_source: Source, django_assert_num_queries: object) -> None:
    numbers = series_ids(durable_source.pk, ["A", "B"])
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert series_ids(durable_source.pk, ["B", "A"]) == numbers


def test_series_of_a_transaction_that_failed_are_not_remembered(durable_source: Source) -> None:
    with transaction.atomic():
        gone = series_ids(durable_source.pk, ["A"])
        transaction.set_rollback(True)
    put(durable_source, "A", {T0: 1.0})
    assert Series.objects.get().pk not in gone.values()
    assert held(durable_source, "A") == {T0: 1.0}


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_source_deleted_while_it_is_remembered_is_named(
    durable_source: Source, in_transaction: bool
) -> None:
    put(durable_source, "A", {T0: 1.0})
    missing = durable_source.pk
    durable_source.delete()
    upload = store.Upload(missing, (block("A", [T0], [1]),))
    for _ in range(2):
        with (
            transaction.atomic() if in_transaction else nullcontext(),
            pytest.raises(store.UnknownSource) as error,
        ):
            store.append([upload], received_at=NOW)
        assert error.value.source_ids == {missing}


def test_threads_that_meet_a_new_field_at_once_agree_on_its_number(durable_source: Source) -> None:
    fields = [f"f{n}" for n in range(20)]
    start = threading.Barrier(4)
    found: list[dict[str, int]] = []

    def work(order: int) -> None:
        start.wait()
        found.append(series_ids(durable_source.pk, fields[::order]))
        connection.close()

    threads = [threading.Thread(target=work, args=[order]) for order in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(numbers == found[0] for numbers in found)
    assert Series.objects.count() == 20
