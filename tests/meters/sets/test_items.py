"""Declaring a set gives a house the items that its dashboard and reports read."""

from __future__ import annotations

import pytest

from apps.accounts.models import User
from apps.analytics import mutations
from apps.analytics.models import AnalyticsItem
from apps.houses.models import House
from apps.meters.models import Meter, MeterSet
from apps.meters.sets.mutations import Spec, consequences, declare_set
from apps.readings import working
from tests.meters.sets.conftest import NOW, fill, held, make_meter, run, specs

pytestmark = pytest.mark.django_db


def formulas(house: House) -> dict[str, str]:
    return dict(AnalyticsItem.objects.filter(house=house).values_list("name", "formula"))


OF_TWO = {
    "solar": "derived_utility.solar_power",
    "load": "derived_utility.load_power",
    "gridpower": "derived_utility.power",
    "grid_import": "pos(derived_utility.power)",
    "grid_export": "-neg(derived_utility.power)",
}


def test_a_set_of_two_gives_five_items(two: MeterSet) -> None:
    assert formulas(two.house) == OF_TWO
    items = {item.name: item for item in AnalyticsItem.objects.all()}
    assert {name for name, item in items.items() if item.aggregated} == {"solar", "load", "gridpower"}
    assert {name: item.role for name, item in items.items() if item.role} == {
        "solar": "solar",
        "load": "load",
        "gridpower": "grid",
    }
    assert {item.unit for item in items.values()} == {"kW"}


def test_they_follow_what_is_metered(two: MeterSet, solar: Meter, load: Meter, alice: User) -> None:
    utility = make_meter(two.house, "grid", "power")
    members = [*specs(solar, load), Spec(utility.source, "utility")]
    told = consequences(house=two.house, topology="all", members=members)
    assert {item.name: (item.before, item.formula) for item in told.items}["gridpower"] == (
        "derived_utility.power",
        "residual.utility_power",
    )
    declare_set(house=two.house, topology="all", members=members, by=alice, now=NOW)
    assert formulas(two.house)["gridpower"] == "residual.utility_power"
    assert formulas(two.house)["grid_import"] == "pos(residual.utility_power)"
    assert AnalyticsItem.objects.get(name="solar").version == 2


def test_saying_the_same_again_touches_none(two: MeterSet, solar: Meter, load: Meter) -> None:
    declare_set(house=two.house, topology="no_utility", members=specs(solar, load), now=NOW)
    assert {item.version for item in AnalyticsItem.objects.all()} == {1}


def test_what_somebody_made_before_is_told_and_changed(house_a: House, solar: Meter, load: Meter) -> None:
    mutations.create_item(house=house_a, name="solar", formula="roof.power", unit="kW")
    told = consequences(house=house_a, topology="no_utility", members=specs(solar, load))
    assert [(one.name, one.before) for one in told.items if one.before] == [("solar", "roof.power")]
    declare_set(house=house_a, topology="no_utility", members=specs(solar, load), now=NOW)
    assert formulas(house_a)["solar"] == "derived_utility.solar_power"


def test_a_battery_is_one_of_them(house_a: House, solar: Meter, load: Meter) -> None:
    battery = make_meter(house_a, "storage", "power")
    members = [*specs(solar, load), Spec(battery.source, "battery")]
    declare_set(house=house_a, topology="no_utility", members=members, now=NOW)
    assert formulas(house_a)["battery"] == "derived_utility.battery_power"


def test_without_solar_there_is_no_item_of_it(house_a: House, load: Meter) -> None:
    declare_set(house=house_a, topology="without_solar", members=[Spec(load.source, "load")], now=NOW)
    assert formulas(house_a)["load"] == "derived_utility.load_power"
    assert "solar" not in formulas(house_a)


def test_another_sum_gives_none(house_a: House, load: Meter) -> None:
    declare_set(house=house_a, topology="sum", members=[Spec(load.source, "plus")], now=NOW)
    assert formulas(house_a) == {}


def test_what_an_item_keeps_follows_the_derived_meter(two: MeterSet, solar: Meter, load: Meter) -> None:
    fill(solar, load)
    run()
    working.sweep(now=NOW)
    item = AnalyticsItem.objects.get(name="gridpower")
    assert item.source is not None
    assert set(held(item.source, "value").values.round(6).tolist()) == {20}
