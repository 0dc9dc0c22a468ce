"""What formulas mean in their house, and what is said of those that mean nothing."""

from __future__ import annotations

import pytest

from apps.analytics import definitions
from apps.analytics.definitions import Definition
from apps.analytics.formula import FormulaError
from apps.analytics.models import AnalyticsItem
from apps.devices.models import Device
from apps.houses.models import House
from apps.readings.dependencies import Reach
from apps.readings.models import Source
from tests.analytics.conftest import MakeItem

pytestmark = pytest.mark.django_db

HOUR, DAY = 3_600_000, 86_400_000


def defined(house: House, formula: str, name: str = "") -> Definition:
    return definitions.define(AnalyticsItem(house=house, name=name, formula=formula))


def refused(house: House, formula: str, name: str = "") -> tuple[int | None, str]:
    with pytest.raises(FormulaError) as caught:
        defined(house, formula, name)
    return caught.value.column, caught.value.message


def warned(house: House, formula: str) -> list[str]:
    return [one.message for one in defined(house, formula).measured.warnings]


def test_a_formula_reads_the_series_that_it_names_and_those_of_its_items(
    house_a: House, make: MakeItem
) -> None:
    make("battery", "sonnen.status.Pac_total_W/1000")
    definition = defined(house_a, "analytics.battery + pos(egauge.A.Solar)")
    assert definition.reads == ["sonnen.status.Pac_total_W", "egauge.A.Solar"]
    assert {source.name for source in Source.objects.filter(pk__in=definition.inputs)} == {"egauge", "sonnen"}


@pytest.mark.parametrize(
    ("formula", "column", "message"),
    [
        ("pos(egauge.A.Solr)", 5, "This house has no series “egauge.A.Solr”. Did you mean egauge.A.Solar?"),
        ("1 + nowhere.x", 5, "This house has no series “nowhere.x”."),
        ("1 + analytics.none", 5, "This house has no analytics item “none”."),
        ("2 * events.tesla::X", 5, "This house has no source “tesla” to have events of."),
        ("avg(egauge.A.Solar)", 1, "avg takes two arguments, not 1: avg(x, period in ms)."),
        ("egauge.A.Solar + (", 19, ""),
        ("egauge.A.Solar * events.::X", 18, "Events happen at instants"),
        ("9^9^9", 1, "not a finite number"),
        ("egauge.A.Solar + 1/0", 18, "not a finite number"),
    ],
)
def test_what_is_wrong_is_told_with_its_column(
    house_a: House, make: MakeItem, formula: str, column: int, message: str
) -> None:
    found = refused(house_a, formula)
    assert found[0] == column
    assert message in found[1]


def test_series_of_other_houses_are_not_known(house_a: House, house_b: House, make: MakeItem) -> None:
    assert refused(house_b, "egauge.A.Solar") == (1, "This house has no series “egauge.A.Solar”.")


@pytest.mark.parametrize("length", [1, 2, 3, 40])
def test_items_that_go_round_in_a_circle_are_refused(house_a: House, make: MakeItem, length: int) -> None:
    make("item0", "1")
    for number in range(1, length):
        make(f"item{number}", f"analytics.item{number - 1} + 1")
    column, message = refused(house_a, f"2 + analytics.item{length - 1}", "item0")
    assert column == 5
    assert "circle" in message
    assert "item0" in message


def test_a_new_item_cannot_name_itself(house_a: House, make: MakeItem) -> None:
    assert "circle" in refused(house_a, "analytics.me", "me")[1]


def test_what_became_unknown_in_another_item_is_told_at_that_item(
    house_a: House, make: MakeItem, sonnen: Device
) -> None:
    make("battery", "sonnen.status.Pac_total_W/1000")
    sonnen.source.series.all().delete()
    assert refused(house_a, "1 + analytics.battery") == (
        5,
        "In analytics.battery: This house has no series “sonnen.status.Pac_total_W”.",
    )


def test_quantity_and_unit_follow_and_mixtures_are_warned_of(house_a: House, make: MakeItem) -> None:
    measure = defined(house_a, "sonnen.status.Pac_total_W/1000").measured.measure
    assert (measure.quantity, measure.unit) == ("power", "kW")
    assert warned(house_a, "egauge.A.Solar + egauge.A.Load") == []
    assert "kW and W" in warned(house_a, "egauge.A.Solar + sonnen.status.Pac_total_W")[0]
    assert "power and voltage" in warned(house_a, "egauge.A.Solar + egauge.A.L1_Voltage")[0]


@pytest.mark.parametrize(
    ("formula", "refusal"),
    [
        ("egauge.A.Solar", ""),
        (f"avg(egauge.A.Solar, {31 * DAY})", ""),
        (f"avg(egauge.A.Solar, {31 * DAY + 1})", "more than 31 days"),
        ("events.::EV_END_CHARGING.energy", "reads events"),
        ("avg(events.::EV_END_CHARGING.energy, 60000) + egauge.A.Solar", "reads events"),
        ("2 * PI", "never changes"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(
    house_a: House, make: MakeItem, formula: str, refusal: str
) -> None:
    found = defined(house_a, formula).refusal
    assert bool(found) == bool(refusal)
    assert refusal in found


@pytest.mark.parametrize(
    ("formula", "kind", "days"),
    [
        ("sonnen.status.Pac_total_W/1000", "gauge", Reach(0, 0)),
        ("sonnen.status.Pac_total_W + sonnen.status.Consumption_W", "gauge", Reach(1, 1)),
        ("pos(egauge.A.Solar)", "interval", Reach(1, 0)),
        ("egauge.A.Solar + egauge.A.Load", "interval", Reach(1, 2)),
        (f"avg(sonnen.status.Pac_total_W, {HOUR})", "interval", Reach(1, 1)),
        (f"avg(sonnen.status.Pac_total_W, {2 * DAY})", "interval", Reach(3, 3)),
    ],
)
def test_kept_results_depend_on_as_few_days_as_can_be(
    house_a: House, make: MakeItem, formula: str, kind: str, days: Reach
) -> None:
    definition = defined(house_a, formula)
    assert definition.kind == kind
    assert set(definition.inputs.values()) == {days}


def test_users_are_found_over_however_many_items(house_a: House, make: MakeItem) -> None:
    bottom = make("a", "egauge.A.Solar")
    make("b", "analytics.a + 1")
    make("c", "2 * analytics.b")
    make("d", "egauge.A.Load")
    assert [item.name for item in definitions.direct_users(bottom)] == ["b"]
    assert [item.name for item in definitions.users(bottom)] == ["b", "c"]


def test_defining_takes_as_many_queries_for_many_items_as_for_one(
    house_a: House, make: MakeItem, django_assert_num_queries: object
) -> None:
    make("i0", "egauge.A.Solar")
    for number in range(1, 30):
        make(f"i{number}", f"analytics.i{number - 1} + egauge.A.Load")
    item = AnalyticsItem.objects.select_related("house").get(name="i29")
    with django_assert_num_queries(2):  # type: ignore[operator]  # a fixture without a type
        definitions.define(item)
