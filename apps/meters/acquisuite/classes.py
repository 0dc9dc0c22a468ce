"""The classes of devices that the vendor documents: what they are, and what their points measure. Pure.

The table is what an installation begins with; people edit it in the admin. Classes from 4000 on mean
something else on every logger, so none of them is here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LOCAL_FROM = 4000
"""Classes from here on are made at a site: their meaning is one logger's own."""


@dataclass(frozen=True)
class DeviceClass:
    """A class; `width` is 0 where nobody says how many points it has. `roles` by point number.

    `units` are those of points whose values need a factor to become their role's.
    """

    number: int
    title: str
    width: int = 0
    roles: dict[int, str] = field(default_factory=dict)
    units: dict[int, str] = field(default_factory=dict)


def _run(first: int, *roles: str) -> dict[int, str]:
    return dict(enumerate(roles, start=first))


def _phases(role: str) -> tuple[str, str, str]:
    return f"{role}_a", f"{role}_b", f"{role}_c"


_TOTALS = ("power", "reactive_power", "apparent_power", "power_factor", "voltage_ll", "voltage_ln", "current")
_BETWEEN = ("voltage_ab", "voltage_bc", "voltage_ca")
_DEMANDS = ("demand", "demand.min", "demand.max")

H8036 = {
    **_run(0, "energy", *_TOTALS),
    **_run(8, *_phases("power"), *_phases("power_factor"), *_BETWEEN, *_phases("voltage")),
    **_run(20, *_phases("current"), *_DEMANDS),
}
H8238 = {
    **_run(0, "energy", *_TOTALS, "frequency"),
    **_run(9, *_phases("power"), *_phases("power_factor"), *_BETWEEN, *_phases("voltage")),
    **_run(21, *_phases("current"), "current_n", *_DEMANDS),
}
E51C2 = {
    **_run(0, "energy_net", "energy_import", "energy_export"),
    **_run(10, *_TOTALS, "frequency", "demand"),
    **_run(51, *_phases("power"), *_phases("reactive_power"), *_phases("apparent_power")),
    **_run(60, *_phases("power_factor"), *_BETWEEN, *_phases("voltage"), *_phases("current")),
}
ION = {
    **_run(0, *_phases("voltage"), "voltage_ln", *_BETWEEN, "voltage_ll", *_phases("current"), "current"),
    **_run(14, "frequency", "current_n", *_phases("power"), "power", *_phases("reactive_power")),
    **_run(23, "reactive_power", *_phases("apparent_power"), "apparent_power", *_phases("power_factor")),
    **_run(31, "power_factor"),
    **_run(48, "energy_import", "energy_export"),
    **_run(51, "energy_net", "reactive_energy_import", "reactive_energy_export"),
    **_run(56, "apparent_energy"),
}
_ION_UNITS = dict.fromkeys(range(28, 32), "%")

CLASSES = [
    DeviceClass(1, "HXO", 3),
    DeviceClass(2, "Veris H8036", 26, H8036),
    DeviceClass(3, "4A4P, A8923 basic I/O", 8),
    DeviceClass(4, "Veris H8035", 2, _run(0, "energy", "power")),
    DeviceClass(5, "Veris H8163", 29),
    DeviceClass(6, "H663", 42),
    DeviceClass(7, "H8238", 28, H8238),
    DeviceClass(8, "H8076", 28),
    DeviceClass(9, "A8923 enhanced I/O, A8811 built-in I/O", 32),
    DeviceClass(10, "ION6200", 61),
    DeviceClass(11, "ION7300", 64),
    DeviceClass(12, "ION7500", 64, ION, _ION_UNITS),
    DeviceClass(13, "ION7700", 64),
    DeviceClass(14, "Promon", 38),
    DeviceClass(15, "AcquiLite", 28),
    DeviceClass(16, "PM710", 102),
    DeviceClass(17, "R9120 ModHopper", 10),
    DeviceClass(18, "GE kV2", 97),
    DeviceClass(19, "A902MB", 12),
    DeviceClass(20, "ADAM4068", 8),
    DeviceClass(21, "H8437", 50),
    DeviceClass(22, "H8436", 24),
    DeviceClass(23, "ADAM4051", 16),
    DeviceClass(24, "PDI BCMS", 84),
    DeviceClass(25, "ION6300", 31),
    DeviceClass(26, "H8936"),
    DeviceClass(27, "A8812 on-board I/O, A8332-8F2D", 42),
    DeviceClass(28, "PDI BCMS2", 84),
    DeviceClass(29, "PDI BCMS2 plus"),
    DeviceClass(30, "PDI BCMS2 sub-panel"),
    DeviceClass(31, "PM810/820/850", 81),
    DeviceClass(32, "Data Industrial 340MB BTU", 7),
    DeviceClass(33, "A8911-23 pulse counter"),
    DeviceClass(34, "A89DC-08 DC solar", 24),
    DeviceClass(35, "Shark 100", 116),
    DeviceClass(36, "DTS305", 90),
    DeviceClass(37, "ADAM4017+/18+/19+", 8),
    DeviceClass(38, "RIO-9F", 14),
    DeviceClass(39, "Veris E30A", 374),
    DeviceClass(40, "Shark 200"),
    DeviceClass(41, "PV Powered inverter", 16),
    DeviceClass(42, "Veris E30B"),
    DeviceClass(43, "Veris E30C"),
    DeviceClass(48, "Veris E51C2 bidirectional", 72, E51C2),
    DeviceClass(50, "Elkor WattsOn", 59),
    DeviceClass(82, "Siemens PAC3200"),
    *[DeviceClass(number, "Point Six sensor") for number in range(1001, 1015)],
]
