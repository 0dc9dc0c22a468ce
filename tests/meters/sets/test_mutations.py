"""Declaring what meters are to each other: what is refused, and what people are told before they save."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from apps.accounts.models import User
from apps.houses.models import House
from apps.meters.models import DerivedMeter, Meter, MeterSet
from apps.meters.sets.mutations import Spec, consequences, declare_set, retire_set
from apps.readings.dependencies import inputs_of
from apps.readings.models import Namespace, Series, Source
from tests.meters.sets.conftest import NOW, T0, fill, make_meter, specs

pytestmark = pytest.mark.django_db


def declare(house: House, *members: Spec, topology: str = "no_utility", **settings: Any) -> MeterSet:
    return declare_set(house=house, topology=topology, members=members, now=NOW, **settings)


def refused(house: House, *members: Spec, **settings: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        declare(house, *members, **settings)
    assert not MeterSet.objects.exists()
    return " ".join(caught.value.messages)


class TestRefusals:
    def test_a_place_without_a_meter(self, house_a: House, load: Meter) -> None:
        assert "needs a meter for: solar" in refused(house_a, Spec(load.source, "load"))

    def test_a_meter_without_a_place(self, house_a: House, solar: Meter, load: Meter) -> None:
        utility = make_meter(house_a, "utility", "power")
        message = refused(house_a, *specs(solar, load), Spec(utility.source, "utility"))
        assert "no place for a meter that measures utility" in message

    def test_solar_where_there_is_none(self, house_a: House, solar: Meter, load: Meter) -> None:
        assert "no place" in refused(house_a, *specs(solar, load), topology="without_solar")

    def test_roles_of_a_sum_in_a_balance_and_the_other_way_round(
        self, house_a: House, solar: Meter, load: Meter
    ) -> None:
        assert "no place" in refused(house_a, *specs(solar, load), Spec(load.source, "plus", since=5))
        assert "needs a meter for: plus" in refused(house_a, *specs(solar, load), topology="sum")

    def test_a_meter_of_another_house(self, house_a: House, house_b: House, load: Meter) -> None:
        foreign = make_meter(house_b, "roof", "power")
        assert "not of this house" in refused(
            house_a, Spec(foreign.source, "solar"), Spec(load.source, "load")
        )

    def test_an_analytics_item(self, house_a: House, load: Meter) -> None:
        item = Source.objects.create(house=house_a, name="solar", namespace=Namespace.ANALYTICS)
        assert "analytics item" in refused(house_a, Spec(item, "solar"), Spec(load.source, "load"))

    def test_a_device_without_a_field(self, house_a: House, load: Meter) -> None:
        device = Source.objects.create(house=house_a, name="inverter")
        assert "which of its fields" in refused(house_a, Spec(device, "solar"), Spec(load.source, "load"))

    def test_a_field_that_is_no_power(self, house_a: House, load: Meter) -> None:
        device = Source.objects.create(house=house_a, name="inverter")
        Series.objects.create(source=device, field="temperature", unit="°C")
        message = refused(house_a, Spec(device, "solar", field="temperature"), Spec(load.source, "load"))
        assert "no power or energy" in message

    def test_a_meter_that_measures_no_power_yet(self, house_a: House, load: Meter) -> None:
        empty = make_meter(house_a, "empty")
        assert "no power, demand or energy yet" in refused(
            house_a, Spec(empty.source, "solar"), Spec(load.source, "load")
        )

    def test_the_same_meter_twice_at_once(self, house_a: House, solar: Meter, load: Meter) -> None:
        assert "there twice" in refused(house_a, *specs(solar, load), Spec(solar.source, "solar"))

    def test_an_end_before_its_beginning(self, house_a: House, solar: Meter, load: Meter) -> None:
        assert "ends before it begins" in refused(house_a, *specs(solar, load, since=T0, until=T0 - 1))

    def test_settings_out_of_their_bounds(self, house_a: House, solar: Meter, load: Meter) -> None:
        assert "less than or equal to 1" in refused(house_a, *specs(solar, load), coverage=2)


class TestTopologies:
    @pytest.mark.parametrize(
        ("topology", "roles", "name"),
        [
            ("no_utility", ["solar", "load"], "derived_utility"),
            ("no_load", ["solar", "utility"], "derived_load"),
            ("no_solar_meter", ["load", "utility"], "derived_solar"),
            ("all", ["solar", "load", "utility"], "residual"),
            ("without_solar", ["load"], "derived_utility"),
            ("without_solar", ["utility"], "derived_load"),
            ("without_solar", ["utility", "load"], "residual"),
            ("no_utility", ["solar", "load", "battery"], "derived_utility"),
            ("sum", ["plus", "plus", "minus"], "derived_sum"),
        ],
    )
    def test_each_says_in_its_name_what_it_gives(
        self, house_a: House, topology: str, roles: list[str], name: str
    ) -> None:
        meters = [make_meter(house_a, f"m{place}", "power") for place in range(len(roles))]
        members = [Spec(meter.source, role) for meter, role in zip(meters, roles, strict=True)]
        derived = declare(house_a, *members, topology=topology).derived
        assert derived is not None
        assert derived.source.name == name
        assert inputs_of(derived.pk).keys() == {meter.pk for meter in meters}

    def test_a_name_that_is_taken_gets_a_number(self, house_a: House, solar: Meter, load: Meter) -> None:
        make_meter(house_a, "derived_utility", "power")
        derived = declare(house_a, *specs(solar, load)).derived
        assert derived is not None
        assert derived.source.name == "derived_utility_2"

    def test_what_the_derived_meter_says_is_told_in_words(self, two: MeterSet) -> None:
        derived = two.derived
        assert derived is not None
        series = {one.field: one for one in derived.source.series.all()}
        assert "net of each interval" in series["power"].sign
        assert (series["power"].kind, series["power"].unit, series["power"].cadence) == (
            "interval",
            "kW",
            900,
        )
        assert {"solar_power", "load_power", "power_factor", "voltage_ll", "current"} <= series.keys()
        assert "power_a" not in series


class TestConsequences:
    def test_they_are_told_before_anything_is_saved(self, house_a: House, solar: Meter, load: Meter) -> None:
        fill(solar, load)
        told = consequences(house=house_a, topology="no_utility", members=specs(solar, load))
        assert told.words == "utility = load − solar"
        assert told.is_new
        assert told.days == 2
        assert not told.warnings
        assert not MeterSet.objects.exists()
        assert not Source.objects.filter(name="derived_utility").exists()

    def test_a_change_tells_what_it_retires_and_how_many_days(
        self, two: MeterSet, solar: Meter, load: Meter
    ) -> None:
        fill(solar, load, count=400)
        utility = make_meter(two.house, "utility", "power")
        members = [*specs(solar, load), Spec(utility.source, "utility")]
        told = consequences(house=two.house, topology="all", members=members)
        assert told.retires == "Utility meter (derived)"
        later = [*specs(solar, load), Spec(solar.source, "solar", polarity=-1, since=T0 + 3 * 86_400_000)]
        assert consequences(house=two.house, topology="no_utility", members=later).days == 2

    def test_what_cannot_be_derived_is_said(self, house_a: House, load: Meter) -> None:
        bare = make_meter(house_a, "bare", "power")
        told = consequences(
            house=house_a,
            topology="no_utility",
            members=[Spec(bare.source, "solar"), Spec(load.source, "load")],
        )
        assert [warning.split()[0] for warning in told.warnings] == ["bare", "bare"]

    def test_they_refuse_what_saving_would(self, house_a: House, load: Meter) -> None:
        with pytest.raises(ValidationError):
            consequences(house=house_a, topology="no_utility", members=[Spec(load.source, "load")])


class TestHistory:
    def test_who_changed_what_is_on_record(
        self, house_a: House, alice: User, solar: Meter, load: Meter
    ) -> None:
        declare(house_a, *specs(solar, load), by=alice)
        meter_set = declare(house_a, *specs(solar, load, polarity=-1), by=alice)
        assert meter_set.version == 2
        assert {row.history_user for row in meter_set.history.all()} == {alice}
        changed = type(meter_set.members.first()).history.all()  # type: ignore[union-attr]
        assert {row.polarity for row in changed if row.role == "solar"} == {1, -1}

    def test_saying_the_same_again_leaves_no_trace(self, two: MeterSet, solar: Meter, load: Meter) -> None:
        before = two.history.count(), [member.pk for member in two.members.all()]
        again = declare(two.house, *specs(solar, load))
        assert (again.history.count(), [member.pk for member in again.members.all()]) == before


def test_a_retired_set_leaves_its_meter_with_what_it_has(two: MeterSet) -> None:
    derived = two.derived
    assert derived is not None
    retire_set(meter_set=two, now=NOW)
    derived.source.refresh_from_db()
    assert not derived.source.enabled
    assert not inputs_of(derived.pk)
    assert not DerivedMeter.objects.exists()
    assert Meter.objects.filter(pk=derived.pk).exists()
