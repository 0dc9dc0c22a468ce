"""The sixteen items that a house's dashboards and reports read, from what its devices declare.

Their names are fixed. Their formulas follow the roles and factors of the house's fields, so that they give
kW, battery + = discharge, grid + = import, and everything else never negative.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from apps.analytics.formula.printing import event_identifier, identifier
from apps.analytics.models import AnalyticsItem, Role
from apps.devices.declared import declared
from apps.devices.models import END_CHARGING, START_CHARGING, Device, Event
from apps.houses.models import House
from apps.readings.models import Kind

CHARGERS = frozenset({"powerflex"})
"""Kinds of devices that tell when a car begins and ends charging."""


@dataclass(frozen=True)
class Measured:
    """A field of an enabled device; its value × `factor` follows the house's convention.

    `grid` says whether its device measures the grid: of several voltages that one's are the house's.
    """

    type: str
    identifier: str
    field: str
    quantity: str = ""
    role: str = ""
    factor: float = 1.0
    grid: bool = False


@dataclass(frozen=True)
class Equipment:
    """What a house has: its fields, by device name, and whether a charger tells of its sessions."""

    fields: Sequence[Measured]
    charger: bool = False

    def with_role(self, role: str) -> list[Measured]:
        """The fields that have the role, those of a known kind of device where none has it."""
        having = [one for one in self.fields if one.role == role]
        if having or role not in BY_TYPE:
            return having
        return [
            Measured(one.type, one.identifier, one.field, one.quantity, role, factor)
            for kind, name, factor in BY_TYPE[role]
            for one in self.fields
            if (one.type, one.field) == (kind, name)
        ][:1]


Formula = Callable[[Equipment], str]
"""The formula of an item in a house, empty where nothing there measures it."""

# Where nothing has the role or names the phase: the field of a kind of device, and its factor.
BY_TYPE: dict[str, list[tuple[str, str, float]]] = {
    "solar": [("egauge", "A.Solar", 1), ("sonnen", "status.Production_W", 0.001)],
    "battery": [("sonnen", "status.Pac_total_W", 0.001), ("egauge", "A.Battery", 1)],
    "ev": [("powerflex", "power", 0.001), ("egauge", "A.EV", -1)],
    "load": [("egauge", "A.Load", -1), ("sonnen", "status.Consumption_W", 0.001)],
    "grid": [("egauge", "A.GridPower", -1), ("sonnen", "status.GridFeedIn_W", -0.001)],
    "soc": [("sonnen", "battery.battery_status.relativestateofcharge", 1), ("sonnen", "status.RSOC", 1)],
    "l1_voltage": [("egauge", "A.L1_Voltage", 1), ("sonnen", "status.Uac", 1)],
    "l2_voltage": [("egauge", "A.L2_Voltage", 1)],
    "l1_frequency": [("egauge", "A.L1_Frequency", 1), ("sonnen", "status.Fac", 1)],
}


@dataclass(frozen=True)
class Required:
    """One of the sixteen; `aggregate` says whether its results are kept from the start."""

    name: str
    label: str
    quantity: str
    unit: str
    formula: Formula
    lacking: str
    role: str = ""
    aggregate: bool = False


@dataclass(frozen=True)
class Planned:
    """What creating the required items does about one: `existing` stays, without a formula it is left out."""

    required: Required
    formula: str
    existing: AnalyticsItem | None = None

    @property
    def is_made(self) -> bool:
        """Whether it would be created."""
        return self.existing is None and bool(self.formula)


def plan(house: House) -> list[Planned]:
    """All sixteen for `house`, in alphabetical order."""
    existing = {item.name: item for item in AnalyticsItem.objects.filter(house=house, name__in=NAMES)}
    equipment = equipment_of(house)
    return [Planned(one, one.formula(equipment), existing.get(one.name)) for one in REQUIRED]


def missing(houses: Sequence[House]) -> list[list[str]]:
    """The names of the required items that each of `houses` does not have. One query."""
    found = AnalyticsItem.objects.filter(house__in=houses, name__in=NAMES).values_list("house", "name")
    existing = set(found)
    return [[name for name in NAMES if (house.pk, name) not in existing] for house in houses]


def equipment_of(house: House) -> Equipment:
    """What the enabled devices of `house` declare."""
    devices = (
        Device.objects.filter(source__house=house, source__enabled=True)
        .select_related("source")
        .prefetch_related("source__series")
    )
    fields = [field for device in devices for field in _measured(device)]
    charger = any(device.type in CHARGERS for device in devices)
    return Equipment(fields, charger or _told_of_charging(house))


def _measured(device: Device) -> Iterable[Measured]:
    kinds = {series.field: series.kind for series in device.source.series.all()}
    fields = declared(device)
    grid = any(field.role == "grid" for field in fields)
    return [
        Measured(
            device.type,
            identifier(device.source.name, field.name),
            field.name,
            field.quantity,
            field.role or "",
            field.factor,
            grid,
        )
        for field in fields
        # A register is no power, whatever its role.
        if field.name in kinds and kinds[field.name] != Kind.COUNTER
    ]


def _told_of_charging(house: House) -> bool:
    return Event.objects.filter(house=house, type__in=[START_CHARGING, END_CHARGING]).exists()


def power(role: str) -> Formula:
    """The sum of the role's fields in the house's convention."""
    return lambda equipment: _sum(equipment.with_role(role))


def positive(role: str) -> Formula:
    """What of the role's power is above zero in the house's convention."""
    return lambda equipment: _part(equipment.with_role(role), above=True)


def negative(role: str) -> Formula:
    """What of the role's power is below zero, as a positive number."""
    return lambda equipment: _part(equipment.with_role(role), above=False)


def mean(role: str) -> Formula:
    """The mean of the role's fields."""

    def formula(equipment: Equipment) -> str:
        fields = equipment.with_role(role)
        return _sum(fields) if len(fields) < 2 else f"({_sum(fields)})/{len(fields)}"

    return formula


def of_phase(quantity: str, phase: int) -> Formula:
    """A quantity of one phase of the grid."""

    def formula(equipment: Equipment) -> str:
        named = [
            one for one in equipment.fields if one.quantity == quantity and _is_of_phase(one.field, phase)
        ]
        found = [one for one in named if one.grid] or named
        return found[0].identifier if found else _sum(equipment.with_role(f"l{phase}_{quantity}"))

    return formula


def charging(formula: str) -> Formula:
    """A formula over the events of chargers."""
    return lambda equipment: formula if equipment.charger else ""


def _is_of_phase(field: str, phase: int) -> bool:
    letter = "abc"[phase - 1]
    return bool(re.search(rf"(?i)(?<![a-z])(l{phase}|phase[_ ]?({phase}|{letter}))(?![a-z0-9])", field))


def _part(fields: Sequence[Measured], *, above: bool) -> str:
    """As one writes it by hand: where every sign is turned anyway, the other part of the field as it is."""
    turned = bool(fields) and all(one.factor < 0 for one in fields)
    total = _sum(fields, -1 if turned else 1)
    if not total:
        return ""
    return f"pos({total})" if above != turned else f"-neg({total})"


def _sum(fields: Iterable[Measured], sign: int = 1) -> str:
    return " + ".join(_term(one.identifier, sign * one.factor) for one in fields).replace("+ -", "- ")


def _term(identifier: str, factor: float) -> str:
    sign, size = ("-" if factor < 0 else ""), abs(factor)
    if size == 1:
        return sign + identifier
    if size < 1 and (1 / size).is_integer():
        return f"{sign}{identifier}/{1 / size:.0f}"
    return f"{sign}{identifier}*{size:.15g}"


_BATTERY, _CAR, _GRID = (
    "No device measures a battery.",
    "No EV charger tells of its sessions.",
    ("No device measures the grid."),
)

REQUIRED = [
    Required("battery", "Battery", "power", "kW", power("battery"), _BATTERY, Role.BATTERY, True),
    Required("battery_charging", "Battery charging", "power", "kW", negative("battery"), _BATTERY, "", True),
    Required(
        "battery_discharging", "Battery discharging", "power", "kW", positive("battery"), _BATTERY, "", True
    ),
    Required(
        "ev", "EV charging", "power", "kW", power("ev"), "No device measures an EV charger.", Role.EV, True
    ),
    Required(
        "ev_charge_duration",
        "Duration of charging",
        "duration",
        "ms",
        charging(event_identifier(types=[END_CHARGING], path=["duration"])),
        _CAR,
    ),
    Required(
        "ev_charge_energy",
        "Energy of charging",
        "energy",
        "mWh",
        charging(event_identifier(types=[END_CHARGING], path=["energy"])),
        _CAR,
    ),
    Required(
        "ev_event_count",
        "Cars that began charging",
        "count",
        "",
        charging(event_identifier(types=[START_CHARGING])),
        _CAR,
    ),
    Required("grid_export", "Export to the grid", "power", "kW", negative("grid"), _GRID),
    Required("grid_import", "Import from the grid", "power", "kW", positive("grid"), _GRID),
    Required("gridpower", "Grid", "power", "kW", power("grid"), _GRID, Role.GRID, True),
    Required(
        "l1_frequency",
        "Frequency L1",
        "frequency",
        "Hz",
        of_phase("frequency", 1),
        "No device measures the grid's frequency.",
    ),
    Required(
        "l1_voltage",
        "Voltage L1",
        "voltage",
        "V",
        of_phase("voltage", 1),
        "No device measures the voltage of L1.",
    ),
    Required(
        "l2_voltage",
        "Voltage L2",
        "voltage",
        "V",
        of_phase("voltage", 2),
        "No device measures the voltage of L2.",
    ),
    Required("load", "Load", "power", "kW", power("load"), "No device measures the load.", Role.LOAD, True),
    Required(
        "soc",
        "State of charge",
        "state of charge",
        "%",
        mean("soc"),
        "No device tells a battery's state of charge.",
        Role.SOC,
        True,
    ),
    Required(
        "solar",
        "Solar",
        "power",
        "kW",
        positive("solar"),
        "No device measures solar power.",
        Role.SOLAR,
        True,
    ),
]
NAMES = [one.name for one in REQUIRED]
