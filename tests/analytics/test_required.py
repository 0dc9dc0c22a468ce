"""The formulas of the sixteen required items, for houses of different equipment."""

from __future__ import annotations

import pytest

from apps.analytics import required
from apps.analytics.models import AnalyticsItem
from apps.analytics.required import Equipment, Measured
from apps.devices.models import Event
from apps.devices.mutations import create_device, update_device
from apps.houses.models import House
from collectors import drivers
from tests.devices.conftest import NOW_MS

PLAYBOOK = {
    "battery": "sonnen.status.Pac_total_W/1000",
    "battery_charging": "-neg(sonnen.status.Pac_total_W/1000)",
    "battery_discharging": "pos(sonnen.status.Pac_total_W/1000)",
    "ev": "-egauge.A.EV",
    "ev_charge_duration": "events.::EV_END_CHARGING.duration",
    "ev_charge_energy": "events.::EV_END_CHARGING.energy",
    "ev_event_count": "events.::EV_START_CHARGING",
    "grid_export": "pos(egauge.A.GridPower)",
    "grid_import": "-neg(egauge.A.GridPower)",
    "gridpower": "-egauge.A.GridPower",
    "l1_frequency": "egauge.A.L1_Frequency",
    "l1_voltage": "egauge.A.L1_Voltage",
    "l2_voltage": "egauge.A.L2_Voltage",
    "load": "-egauge.A.Load",
    "soc": "sonnen.battery.battery_status.relativestateofcharge",
    "solar": "pos(egauge.A.Solar)",
}
KEPT = ["battery", "battery_charging", "battery_discharging", "ev", "gridpower", "load", "soc", "solar"]
METER = ["A.Solar", "A.GridPower", "A.EV", "A.Load", "A.L1_Voltage", "A.L2_Voltage", "A.L1_Frequency"]


def measured(identifier: str, role: str = "", factor: float = 1.0, quantity: str = "power") -> Measured:
    source, _, field = identifier.partition(".")
    return Measured("meter", identifier, field, quantity, role, factor, grid=source == "grid")


def formulas(*fields: Measured) -> dict[str, str]:
    return {one.name: one.formula(Equipment(fields)) for one in required.REQUIRED}


def test_the_names_are_sixteen_and_in_order() -> None:
    assert list(PLAYBOOK) == sorted(PLAYBOOK) == required.NAMES


def test_eight_of_them_keep_their_results() -> None:
    assert [one.name for one in required.REQUIRED if one.aggregate] == KEPT


def test_a_house_like_the_playbooks_gets_the_playbooks_formulas(house_a: House) -> None:
    create_device(house=house_a, name="egauge", type="egauge", config={"ip": "192.0.2.7", "keys": METER})
    create_device(house=house_a, name="sonnen", type="sonnen", config={"ip": "192.0.2.8"})
    Event.objects.create(house=house_a, timestamp=NOW_MS, type="EV_START_CHARGING", digest=b"")
    assert {one.required.name: one.formula for one in required.plan(house_a)} == PLAYBOOK


def test_names_follow_the_devices_and_are_quoted_where_they_must() -> None:
    assert formulas(measured('main."A.Grid Power"', "grid"))["gridpower"] == 'main."A.Grid Power"'


@pytest.mark.parametrize(
    ("factor", "power", "above", "below"),
    [
        (1, "a.x", "pos(a.x)", "-neg(a.x)"),
        (-1, "-a.x", "-neg(a.x)", "pos(a.x)"),
        (0.001, "a.x/1000", "pos(a.x/1000)", "-neg(a.x/1000)"),
        (-0.001, "-a.x/1000", "-neg(a.x/1000)", "pos(a.x/1000)"),
        (2.5, "a.x*2.5", "pos(a.x*2.5)", "-neg(a.x*2.5)"),
        (1000, "a.x*1000", "pos(a.x*1000)", "-neg(a.x*1000)"),
    ],
)
def test_every_factor_leads_to_the_convention(factor: float, power: str, above: str, below: str) -> None:
    made = formulas(measured("a.x", "grid", float(factor)))
    assert (made["gridpower"], made["grid_import"], made["grid_export"]) == (power, above, below)


def test_several_fields_of_a_role_are_added_up() -> None:
    made = formulas(measured("a.x", "battery", 0.001), measured("b.y", "battery", -1))
    assert made["battery"] == "a.x/1000 - b.y"
    assert made["battery_charging"] == "-neg(a.x/1000 - b.y)"
    assert formulas(measured("a.s", "soc"), measured("b.s", "soc"))["soc"] == "(a.s + b.s)/2"


def test_of_several_voltages_that_of_the_grids_meter_is_taken() -> None:
    fields = [measured("a.voltage_l1", quantity="voltage"), measured("grid.Phase A", quantity="voltage")]
    assert formulas(*fields)["l1_voltage"] == "grid.Phase A"
    assert formulas(*fields)["l2_voltage"] == ""
    assert formulas(measured("a.coil10", quantity="voltage"))["l1_voltage"] == ""


def test_what_the_house_lacks_is_left_out_and_said() -> None:
    planned = [required.Planned(one, one.formula(Equipment([]))) for one in required.REQUIRED]
    assert not any(one.is_made for one in planned)
    assert {one.required.lacking for one in planned if "EV" in one.required.lacking} == {
        "No device measures an EV charger.",
        "No EV charger tells of its sessions.",
    }


def test_a_disabled_device_measures_nothing(house_a: House) -> None:
    device = create_device(house=house_a, name="sonnen", type="sonnen", config={"ip": "192.0.2.8"})
    update_device(device=device, enabled=False)
    assert not any(one.is_made for one in required.plan(house_a))


def test_a_charger_counts_before_its_first_event(house_a: House) -> None:
    create_device(house=house_a, name="car", type="powerflex", config=dict(drivers.load("powerflex").EXAMPLE))
    made = {one.required.name: one.formula for one in required.plan(house_a)}
    assert made["ev"] == "car.power/1000"
    assert made["ev_event_count"] == "events.::EV_START_CHARGING"


def test_what_exists_is_not_made_again(house_a: House) -> None:
    create_device(house=house_a, name="sonnen", type="sonnen", config={"ip": "192.0.2.8"})
    item = AnalyticsItem.objects.create(house=house_a, name="soc", formula="50")
    planned = {one.required.name: one for one in required.plan(house_a)}
    assert (planned["soc"].existing, planned["soc"].is_made) == (item, False)
    assert required.missing([house_a]) == [[name for name in required.NAMES if name != "soc"]]
