"""The meters on a house's page: energies, how sure they are, what is awaited, and what all is made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import time_machine
from django.test import Client

from apps.accounts.models import User
from apps.houses.models import House
from apps.meters.models import Meter, MeterSet
from apps.meters.physics.balance import Target
from apps.meters.sets import chart
from apps.meters.sets.coverage import level
from apps.meters.sets.mutations import Spec, declare_set
from apps.meters.sets.panel import panel_context, panel_live
from apps.readings import working
from apps.readings.models import Source
from apps.readings.samples import DAY, Samples
from apps.readings.series import FieldSpec, declare
from tests.meters.sets.conftest import (
    DAY0,
    HOUR,
    NOW,
    QUARTER,
    T0,
    make_meter,
    put,
    quarters,
    register,
    run,
    specs,
)
from tests.people import AsUser

pytestmark = pytest.mark.django_db

# Day 0 begins at 02:00 local time: today in Brussels is 26 hours of readings, from 22:00 UTC on.
NOON = datetime.fromtimestamp((T0 + 12 * HOUR) / 1000, UTC)


def day_of(solar: Meter, load: Meter, solar_count: int = 60) -> None:
    """Readings from 40 hours before noon to noon; 80 kW of sun, a load of 100 kW."""
    first = -28 * 4
    put(load.source, quarters(first, 161), energy=register(100.0, 9e5), power=100.0, reactive_power=32.868)
    put(
        solar.source,
        quarters(first, 112 + solar_count),
        energy=register(80.0, 9e5),
        power=80.0,
        reactive_power=0.0,
    )
    run()


def shown(house: House, user: User, now: datetime = NOON) -> dict[str, Any]:
    context = panel_context(house, user, now)
    assert context is not None
    return dict(context)


def table(context: dict[str, Any]) -> dict[str, list[str]]:
    return {line.title: list(line.cells) for line in context["lines"]}


def test_energies_of_today_yesterday_and_a_week(two: MeterSet, solar: Meter, load: Meter, bob: User) -> None:
    day_of(solar, load)
    found = table(shown(two.house, bob))
    # Today began at 22:00 UTC: 14 hours of it are over.
    assert found["Production"][0] == "1,120.0 kWh"
    assert found["Consumption"][:2] == ["1,400.0 kWh", "2,400.0 kWh"]
    assert found["Import"][0] == "280.0 kWh"
    assert found["Export"][0] == "0.0 kWh"
    assert found["Self-consumption"][0] == "100 %"
    assert found["Self-sufficiency"][0] == "80 %"
    assert found["Power factor at the connection"][0] == "0.520"
    assert found["Known"][0] == "100 %"
    assert "Left over" not in found


def test_the_derived_meter_says_how_sure_it_is(two: MeterSet, solar: Meter, load: Meter, bob: User) -> None:
    day_of(solar, load)
    context = shown(two.house, bob)
    assert context["newest"] == {"value": "20.00", "sigma": "0.64", "relative": "3", "age": "0 s ago"}
    period = context["standing"].periods[0]
    assert period.derived == pytest.approx(280)
    assert period.sigma == pytest.approx(np.hypot(0.005 * 1400, 0.005 * 1120))


def test_a_logger_of_unknown_habits_is_awaited(two: MeterSet, solar: Meter, load: Meter, bob: User) -> None:
    day_of(solar, load, solar_count=1)
    states = {state: count for state, _, count in shown(two.house, bob)["states"]}
    assert states == {"provisional": 8, "waiting": 48}


def test_what_an_agent_did_not_send_is_missing_soon(house_a: House, load: Meter, bob: User) -> None:
    device = Source.objects.create(house=house_a, name="inverter")
    declare(source=device, fields=[FieldSpec("ac", "power", "kW", "gauge", 900)])
    members = [Spec(device, "solar", field="ac"), Spec(load.source, "load")]
    declare_set(house=house_a, topology="no_utility", members=members, now=NOW)
    put(load.source, quarters(-8, 57), power=100.0)
    put(device, quarters(-8, 48), ac=80.0)
    run()
    states = {state: count for state, _, count in shown(house_a, bob)["states"]}
    assert states == {"provisional": 47, "waiting": 4, "gap": 5}


def test_lineage_names_the_meters_and_how_each_was_used(
    two: MeterSet, solar: Meter, load: Meter, bob: User
) -> None:
    day_of(solar, load)
    declare_set(
        house=two.house,
        topology="no_utility",
        members=specs(solar, load, polarity=1, accuracy_percent=1.0),
        now=NOW,
    )
    inputs = [one for one, _ in shown(two.house, bob)["inputs"]]
    assert [(one.sign, one.name, one.role, one.ways, one.minutes) for one in inputs] == [
        ("−", "roof", "solar", "registers", 15),
        ("+", "main", "load", "registers", 15),
    ]
    assert inputs[0].accuracy == 1
    assert inputs[0].waits == "26 h"


def test_three_meters_show_what_is_left_over(house_a: House, solar: Meter, load: Meter, bob: User) -> None:
    utility = make_meter(house_a, "grid", "power")
    members = [*specs(solar, load), Spec(utility.source, "utility")]
    declare_set(house=house_a, topology="all", members=members, now=NOW)
    put(utility.source, quarters(-8, 57), power=21.0)
    day_of(solar, load)
    found = table(shown(house_a, bob))
    assert found["Left over, of the load"][0] == "1 %"
    assert found["Import"][0] == "294.0 kWh"


def test_the_derived_register_runs_on_from_its_anchor(
    two: MeterSet, solar: Meter, load: Meter, bob: User
) -> None:
    day_of(solar, load)
    declare_set(
        house=two.house,
        topology="no_utility",
        members=specs(solar, load),
        anchor_kwh=5000.0,
        anchor_at=T0,
        now=NOW,
    )
    assert shown(two.house, bob)["standing"].register == pytest.approx(5000 + 12 * 20)


def test_another_anchor_is_no_other_energy(two: MeterSet, solar: Meter, load: Meter, bob: User) -> None:
    day_of(solar, load)
    anchor = T0 - 20 * HOUR  # on the day before: rest of that day by its intervals, today by its rollups
    members = specs(solar, load)
    declare_set(house=two.house, topology="no_utility", members=members, anchor_at=anchor, now=NOW)
    assert shown(two.house, bob)["standing"].register == pytest.approx(32 * 20)
    two.refresh_from_db()
    assert two.version == 1


def test_before_anything_came_the_panel_says_so(two: MeterSet, bob: User, as_user: AsUser) -> None:
    context = shown(two.house, bob)
    assert context["newest"] is None
    assert context["figure"]["data"] == []
    with time_machine.travel(NOON, tick=False):
        page = as_user(bob).get(f"/houses/{two.house_id}/").content.decode()
    assert "Nothing worked out yet" in page


def test_a_house_without_a_set_asks_only_who_can_declare_one(
    house_a: House, load: Meter, alice: User, bob: User
) -> None:
    assert panel_context(house_a, bob, NOON) is None
    assert shown(house_a, alice)["declare"].endswith(f"?house={house_a.pk}")


def test_a_house_without_meters_has_no_panel(house_a: House, alice: User) -> None:
    assert panel_context(house_a, alice, NOON) is None


def test_the_page_shows_it_to_members_and_nobody_else(
    two: MeterSet, solar: Meter, load: Meter, alice: User, bob: User, charlie: User, as_user: AsUser
) -> None:
    day_of(solar, load)
    url = f"/houses/{two.house_id}/"
    with time_machine.travel(NOON, tick=False):
        page = as_user(bob).get(url).content.decode()
        assert "Utility meter (derived)" in page
        assert "utility = load − solar" in page
        assert "meterset" not in page
        assert f"/admin/meters/meterset/{two.pk}/change/" in as_user(alice).get(url).content.decode()
        assert as_user(charlie).get(url).status_code == 404
        assert Client().get(url).status_code == 302


def test_the_live_answer_changes_when_something_new_was_worked_out(
    two: MeterSet, solar: Meter, load: Meter, bob: User
) -> None:
    before = panel_live(two.house, bob, NOON)
    day_of(solar, load)
    after = panel_live(two.house, bob, NOON)
    assert before.version != after.version
    assert after.data() == {"meters": after.version}
    assert panel_live(House(pk=0), bob, NOON).data() == {"meters": ""}


def test_the_chart_breaks_where_a_meter_was_missing(house_a: House) -> None:
    stamps = np.array([T0 + QUARTER, T0 + 2 * QUARTER, T0 + 4 * QUARTER], np.int64)
    power = Samples(stamps, np.array([1.0, 2.0, 3.0]))
    lengths = Samples(stamps, np.full(3, float(QUARTER)))
    (trace,) = chart.figure(house_a, Target.UTILITY, {"power": power, "_length": lengths}, T0 + HOUR)["data"]
    assert trace["x"] == [
        T0,
        T0 + QUARTER,
        T0 + 2 * QUARTER,
        T0 + 2 * QUARTER,
        T0 + 3 * QUARTER,
        T0 + HOUR,
        T0 + HOUR,
    ]
    assert trace["y"] == [1, 2, 2, None, 3, 3, None]


class TestCoverage:
    def test_each_meter_has_its_days(self, two: MeterSet, solar: Meter, load: Meter, bob: User) -> None:
        day_of(solar, load, solar_count=1)
        for source in (solar.source, load.source, two.derived.source):  # type: ignore[union-attr]
            working.roll_source(source.pk)
        rows = {
            row.label: [cell.level for cell in row.cells[-3:]] for row in shown(two.house, bob)["coverage"]
        }
        assert rows["Main"] == ["little", "full", "full"]
        assert rows["Roof"] == ["little", "full", "little"]
        assert rows["Utility meter (derived)"] == ["little", "full", "little"]

    def test_days_before_anything_are_empty(self, two: MeterSet, bob: User) -> None:
        row = shown(two.house, bob)["coverage"][0]
        assert len(row.cells) == 30
        assert {cell.level for cell in row.cells} == {"none"}

    @pytest.mark.parametrize(
        ("part", "word"),
        [(None, "none"), (0.0, "none"), (0.2, "little"), (0.5, "half"), (0.8, "most"), (1.0, "full")],
    )
    def test_a_part_has_a_word(self, part: float | None, word: str) -> None:
        assert level(part) == word


def test_the_days_are_those_of_the_house() -> None:
    assert DAY0 * DAY == T0
