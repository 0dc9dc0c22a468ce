"""Creating, editing and deleting items: what is checked, noted and refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from apps.accounts.models import User
from apps.analytics import mutations
from apps.analytics.models import AnalyticsItem
from apps.analytics.mutations import create_item, create_required, delete_item, edit_item
from apps.houses.models import House
from tests.analytics.conftest import MakeItem
from tests.jobs.conftest import queue as queue

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]


def faults(error: Any) -> dict[str, list[str]]:
    return dict(error.value.message_dict)


def test_an_item_is_created_and_who_did_it_is_noted(house_a: House, make: MakeItem, alice: User) -> None:
    item = make("sun", "pos(egauge.A.Solar)", label="Sun", unit="kW", role="solar", by=alice)
    assert (str(item), item.version, item.aggregated, item.source) == ("Sun", 1, False, None)
    assert (item.history.get().history_user, item.history.get().history_change_reason) == (alice, "created")


@pytest.mark.parametrize(
    "name", ["", "1a", "a-b", "a b", "ä", "_a", "analytics", "events", "PI", "E", "a" * 65]
)
def test_a_name_that_formulas_cannot_use_is_refused(make: MakeItem, name: str) -> None:
    with pytest.raises(ValidationError) as error:
        make(name, "1")
    assert set(faults(error)) == {"name"}


def test_a_name_is_given_once_in_a_house(house_b: House, make: MakeItem) -> None:
    make("sun", "1")
    with pytest.raises(ValidationError) as error:
        make("sun", "2")
    assert faults(error) == {"name": ["This house has an item of this name already."]}
    assert create_item(house=house_b, name="sun", formula="3").pk


def test_a_device_and_an_item_may_share_a_name(make: MakeItem) -> None:
    assert make("sonnen", "sonnen.status.Pac_total_W").pk


def test_the_name_never_changes(make: MakeItem) -> None:
    item = make("sun", "1")
    item.name = "moon"
    with pytest.raises(ValidationError, match="cannot be changed"):
        item.save()


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("pos(egauge.A.Solr)", "Column 5: This house has no series"),
        ("", "blank"),
        ("1 +", "Column 4: "),
        ("9^9^9", "finite"),
        ("analytics.it", "circle"),
        ("(" * 10_000, "nested"),
        ("1" * 20_001, "at most 20000"),
    ],
)
def test_a_formula_that_cannot_be_used_is_refused_with_its_column(
    make: MakeItem, formula: str, message: str
) -> None:
    with pytest.raises(ValidationError) as error:
        make("it", formula)
    assert set(faults(error)) == {"formula"}
    assert message in faults(error)["formula"][0]
    assert not AnalyticsItem.objects.exists()


def test_a_role_that_is_none_is_refused(make: MakeItem) -> None:
    with pytest.raises(ValidationError) as error:
        make("it", "1", role="king")
    assert set(faults(error)) == {"role"}


def test_another_formula_is_another_version_and_nothing_else_is(make: MakeItem, alice: User) -> None:
    item = make("sun", "egauge.A.Solar")
    item = edit_item(item=item, label="Sun", description="All of it.", by=alice)
    assert (item.version, item.label) == (1, "Sun")
    item = edit_item(item=item, formula="pos(egauge.A.Solar)", by=alice)
    assert item.version == 2
    assert [(one.version, one.formula) for one in item.history.all()] == [
        (2, "pos(egauge.A.Solar)"),
        (1, "egauge.A.Solar"),
        (1, "egauge.A.Solar"),
    ]


def test_saving_what_is_there_already_writes_nothing(make: MakeItem) -> None:
    item = edit_item(item=make("sun", "egauge.A.Solar"), formula="egauge.A.Solar", label="")
    assert (item.version, item.history.count()) == (1, 1)


def test_an_edit_that_closes_a_circle_is_refused(make: MakeItem) -> None:
    bottom = make("a", "1")
    make("b", "analytics.a")
    make("c", "analytics.b")
    with pytest.raises(ValidationError, match=r"a → c → b → a|c → b → a → c|circle"):
        edit_item(item=bottom, formula="analytics.c")
    assert AnalyticsItem.objects.get(name="a").formula == "1"


def test_an_item_that_others_use_cannot_be_deleted(make: MakeItem, alice: User) -> None:
    bottom = make("a", "1")
    above = make("b", "analytics.a")
    with pytest.raises(ValidationError, match=r"analytics\.b use"):
        delete_item(item=bottom)
    assert delete_item(item=above, by=alice) is None
    assert delete_item(item=bottom, by=alice) is None
    assert not AnalyticsItem.objects.exists()
    assert AnalyticsItem.history.filter(history_type="-", history_user=alice).count() == 2


def test_the_required_items_are_created_once(house_a: House, make: MakeItem, alice: User) -> None:
    make("soc", "50", label="Mine")
    made = create_required(house=house_a, by=alice)
    assert "soc" not in {item.name for item in made}
    assert {"solar", "battery", "gridpower", "l1_voltage"} <= {item.name for item in made}
    assert create_required(house=house_a, by=alice) == []
    assert AnalyticsItem.objects.get(name="soc").label == "Mine"
    solar = AnalyticsItem.objects.get(name="solar")
    assert (solar.formula, solar.unit, solar.role, solar.aggregated) == (
        "pos(egauge.A.Solar)",
        "kW",
        "solar",
        True,
    )
    assert solar.history.latest().history_user == alice


def test_validating_saves_nothing(house_a: House, make: MakeItem) -> None:
    mutations.validate(item=AnalyticsItem(house=house_a, name="x", formula="egauge.A.Solar"))
    assert not AnalyticsItem.objects.exists()
