"""Derived meters over the store: by arrival, exactly the days that change, and never twice."""

from __future__ import annotations

import numpy as np
import pytest
from django.core.exceptions import ValidationError

from apps.accounts.models import User
from apps.houses.models import House
from apps.meters.models import DerivedDay, Meter, MeterSet
from apps.meters.sets.mutations import Spec, declare_set
from apps.readings import decisions, deletion, store
from apps.readings.counters import Decision
from apps.readings.models import Invalidation, Source
from apps.readings.quality import Quality
from apps.readings.samples import DAY
from apps.readings.series import FieldSpec, declare
from tests.meters.sets.conftest import (
    DAY0,
    HOUR,
    NOW,
    QUARTER,
    T0,
    fill,
    held,
    make_meter,
    put,
    quarters,
    register,
    revisions,
    run,
    specs,
)

pytestmark = pytest.mark.django_db


def derived_of(meter_set: MeterSet) -> Source:
    found = meter_set.derived
    assert found is not None
    return found.source


def due() -> set[tuple[int, int]]:
    marked = Invalidation.objects.exclude(recompute=None).filter(source__namespace="meter")
    rows = marked.values_list("source__name", "day")
    return {(name, day - DAY0) for name, day in rows}


def test_the_utility_meter_follows_from_the_two_that_are_there(
    two: MeterSet, solar: Meter, load: Meter
) -> None:
    fill(solar, load)
    assert run() > 0
    utility = derived_of(two)
    assert held(utility, "power", DAY0).values == pytest.approx([20] * 96)
    assert held(utility, "power_factor", DAY0).values == pytest.approx([0.5198] * 96, abs=1e-4)
    assert held(utility, "voltage_ll", DAY0).values == pytest.approx([480] * 96)
    assert held(utility, "solar_power", DAY0).values == pytest.approx([80] * 96)
    assert held(utility, "_length", DAY0).values.tolist() == [QUARTER] * 96
    assert not due()


def test_midnight_belongs_to_the_day_that_it_begins(two: MeterSet, solar: Meter, load: Meter) -> None:
    fill(solar, load)
    run()
    assert held(derived_of(two), "power", DAY0 + 1).stamps.tolist() == [T0 + DAY]


def test_twice_writes_nothing(two: MeterSet, solar: Meter, load: Meter) -> None:
    fill(solar, load)
    run()
    before = revisions(derived_of(two))
    fill(solar, load)
    assert run() == 0
    declare_set(house=two.house, topology="no_utility", members=specs(solar, load), now=NOW)
    assert run() == 0
    two.refresh_from_db()
    assert two.version == 1
    assert revisions(derived_of(two)) == before


def test_the_newest_value_is_the_newest_whatever_came_last(two: MeterSet, solar: Meter, load: Meter) -> None:
    fill(solar, load)
    run()
    newest = store.latest([derived_of(two).pk])[derived_of(two).pk]
    assert newest["power"] == (T0 + DAY, pytest.approx(20))


def test_a_logger_that_is_a_day_late_fills_exactly_its_day(two: MeterSet, solar: Meter, load: Meter) -> None:
    put(load.source, quarters(0, 4 * 96), energy=register(100.0), power=100.0)
    put(solar.source, quarters(0, 96), energy=register(80.0), power=80.0)
    put(solar.source, quarters(2 * 96, 2 * 96), energy=register(80.0), power=80.0)
    run()
    utility = derived_of(two)
    assert not len(held(utility, "power", DAY0 + 1).stamps[1:])
    before = revisions(utility)
    put(solar.source, quarters(96, 96), energy=register(80.0), power=80.0)
    assert {day for _, day in due()} == {0, 1, 2}
    run()
    assert held(utility, "power", DAY0 + 1).values == pytest.approx([20] * 96)
    after = revisions(utility)
    changed = {day - DAY0 for day, field in after if before.get((day, field)) != after[day, field]}
    assert changed <= {1, 2}
    assert before[DAY0 + 3, "power"] == after[DAY0 + 3, "power"]


def test_what_arrives_out_of_order_ends_up_the_same(
    house_a: House, two: MeterSet, solar: Meter, load: Meter
) -> None:
    put(load.source, quarters(0, 97), energy=register(100.0), power=100.0)
    for first in (48, 0, 72, 24):
        put(solar.source, quarters(first, 25), energy=register(80.0), power=80.0)
        run()
    assert held(derived_of(two), "power", DAY0).values == pytest.approx([20] * 96)


def test_a_corrected_row_changes_its_intervals_alone(two: MeterSet, solar: Meter, load: Meter) -> None:
    fill(solar, load)
    run()
    put(load.source, quarters(40, 1), energy=lambda stamps: register(100.0)(stamps) + 1)
    run()
    values = held(derived_of(two), "power", DAY0).values
    assert np.flatnonzero(np.abs(values - 20) > 1e-6).tolist() == [40, 41]
    assert values[40:42] == pytest.approx([24, 16])


def test_withdrawn_readings_take_what_was_made_of_them_along(
    two: MeterSet, solar: Meter, load: Meter
) -> None:
    fill(solar, load)
    run()
    numbers = [series.pk for series in solar.source.series.all()]
    store.withdraw(source_id=solar.pk, series_ids=numbers, start=T0, end=T0 + 2 * DAY, at=NOW)
    for day in (DAY0, DAY0 + 1):
        store.compact(solar.pk, day)
    run()
    assert not len(held(derived_of(two), "power"))


class TestPolarity:
    def test_a_corrected_polarity_recomputes_every_day(
        self, two: MeterSet, solar: Meter, load: Meter
    ) -> None:
        put(load.source, quarters(0, 97), power=100.0)
        put(solar.source, quarters(0, 97), power=-80.0)
        run()
        utility = derived_of(two)
        assert set(held(utility, "power", DAY0).values.tolist()) == {180}
        assert set(held(utility, "_quality", DAY0).values.tolist()) == {Quality.NEG_SOLAR}
        declare_set(house=two.house, topology="no_utility", members=specs(solar, load, polarity=-1), now=NOW)
        run()
        assert set(held(utility, "power", DAY0).values.tolist()) == {20}
        assert not len(held(utility, "_quality", DAY0))
        assert set(DerivedDay.objects.values_list("version", flat=True)) == {2}

    def test_from_a_date_on_it_recomputes_the_days_from_there(
        self, two: MeterSet, solar: Meter, load: Meter
    ) -> None:
        put(load.source, quarters(0, 5 * 96), power=100.0)
        put(solar.source, quarters(0, 5 * 96), power=80.0)
        run()
        members = [*specs(solar, load), Spec(solar.source, "solar", polarity=-1, since=T0 + 3 * DAY)]
        declare_set(house=two.house, topology="no_utility", members=members, now=NOW)
        assert {day for _, day in due()} == {3, 4, 5}
        run()
        assert set(held(derived_of(two), "power", DAY0 + 2).values.tolist()) == {20}
        assert set(held(derived_of(two), "power", DAY0 + 4).values.tolist()) == {180}

    def test_what_concerns_no_value_recomputes_nothing(
        self, two: MeterSet, solar: Meter, load: Meter
    ) -> None:
        fill(solar, load)
        run()
        declare_set(
            house=two.house,
            topology="no_utility",
            members=specs(solar, load, accuracy_percent=2.0),
            residual_percent=8.0,
            now=NOW,
        )
        assert not due()
        two.refresh_from_db()
        assert (two.version, two.residual_percent) == (1, 8.0)


def test_another_grid_is_another_version(two: MeterSet, solar: Meter, load: Meter) -> None:
    fill(solar, load)
    run()
    declare_set(house=two.house, topology="no_utility", members=specs(solar, load), grid_min=60, now=NOW)
    run()
    assert held(derived_of(two), "power", DAY0).stamps.tolist() == [T0 + HOUR * n for n in range(1, 24)]
    assert held(derived_of(two), "_length", DAY0).values.tolist() == [HOUR] * 23


def test_a_third_meter_retires_the_derived_one_and_keeps_its_history(
    two: MeterSet, solar: Meter, load: Meter
) -> None:
    fill(solar, load)
    run()
    old = derived_of(two)
    utility = make_meter(two.house, "utility", "power")
    put(utility.source, quarters(0, 97), power=21.0)
    members = [*specs(solar, load), Spec(utility.source, "utility")]
    declare_set(house=two.house, topology="all", members=members, now=NOW)
    run()
    residual = derived_of(MeterSet.objects.get())
    assert residual.name == "residual"
    assert held(residual, "power", DAY0).values == pytest.approx([1] * 96)
    old.refresh_from_db()
    assert not old.enabled
    assert len(held(old, "power", DAY0)) == 96
    put(load.source, quarters(0, 2), power=50.0)
    assert {name for name, _ in due()} == {"residual"}


def test_back_to_what_was_it_is_the_same_meter_again(two: MeterSet, solar: Meter, load: Meter) -> None:
    old = derived_of(two)
    utility = make_meter(two.house, "utility", "power")
    declare_set(
        house=two.house,
        topology="all",
        members=[*specs(solar, load), Spec(utility.source, "utility")],
        now=NOW,
    )
    declare_set(house=two.house, topology="no_utility", members=specs(solar, load), now=NOW)
    fill(solar, load)
    run()
    assert derived_of(MeterSet.objects.get()) == old
    assert len(held(old, "power", DAY0)) == 96


def test_a_derived_meter_may_be_a_member_of_nothing_that_it_is_made_of(
    two: MeterSet, solar: Meter, load: Meter
) -> None:
    with pytest.raises(ValidationError, match="depend on itself"):
        declare_set(
            house=two.house,
            topology="no_utility",
            members=[Spec(derived_of(two), "solar"), Spec(load.source, "load")],
            now=NOW,
        )


def test_a_set_that_lost_a_meter_gives_nothing_rather_than_something_wrong(
    two: MeterSet, solar: Meter, load: Meter
) -> None:
    fill(solar, load)
    run()
    utility = derived_of(two)
    for _ in deletion.delete_readings([solar.pk]):
        pass
    solar.source.delete()
    run()
    assert not len(held(utility, "power"))
    assert len(held(load.source, "power")) == 97


def test_a_sealed_input_leaves_what_was_made_of_it(two: MeterSet, solar: Meter, load: Meter) -> None:
    fill(solar, load)
    run()
    Source.objects.filter(pk=solar.pk).update(sealed_before=T0 + DAY)
    declare_set(house=two.house, topology="no_utility", members=specs(solar, load, polarity=-1), now=NOW)
    assert (derived_of(two).name, 0) not in due()


def test_a_field_of_a_device_may_be_a_member(house_a: House, load: Meter) -> None:
    device = Source.objects.create(house=house_a, name="inverter")
    declare(source=device, fields=[FieldSpec("ac.power", "power", "W", "gauge", 60)])
    members = [Spec(device, "solar", field="ac.power"), Spec(load.source, "load")]
    meter_set = declare_set(house=house_a, topology="no_utility", members=members, now=NOW)
    minutes = T0 + 60_000 * np.arange(0, 24 * 60 + 1, dtype=np.int64)
    put(device, minutes, **{"ac.power": 80_000.0})
    put(load.source, quarters(0, 97), power=100.0)
    run()
    assert held(derived_of(meter_set), "power", DAY0).values == pytest.approx([20] * 95)


def test_a_logger_that_reads_more_often_makes_a_finer_grid(two: MeterSet, solar: Meter, load: Meter) -> None:
    fill(solar, load)
    run()
    for meter in (solar, load):
        specs_of = [
            FieldSpec(one.field, one.quantity, one.unit, one.kind, 300) for one in meter.source.series.all()
        ]
        declare(source=meter.source, fields=specs_of)
    assert {day for name, day in due()} >= {0, 1}
    run()
    derived = derived_of(two)
    assert derived.series.get(field="power").cadence == 300
    # Quarters of an hour are more than two intervals of five minutes now: bridged, and as much energy.
    power, lengths = held(derived, "power", DAY0), held(derived, "_length", DAY0)
    assert np.dot(power.values, lengths.values) / HOUR == pytest.approx(20 * 24, rel=0.02)


def test_what_an_operator_decides_on_a_register_reaches_the_derived_meter(
    two: MeterSet, solar: Meter, load: Meter, alice: User
) -> None:
    put(load.source, quarters(0, 97), energy=register(100.0))
    stamps = quarters(0, 97)
    replaced = int(stamps[40])
    put(solar.source, stamps, energy=lambda own: register(80.0)(own) - np.where(own >= replaced, 700.0, 0.0))
    run()
    derived = derived_of(two)
    assert replaced not in held(derived, "power", DAY0).stamps
    energy = solar.source.series.get(field="energy")
    decisions.decide(series=energy, stamp=replaced, kind=Decision.ACCEPT, by=alice, at=NOW)
    assert ("derived_utility", 0) in due()
    run()
    assert replaced in held(derived, "power", DAY0).stamps
