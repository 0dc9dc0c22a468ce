"""What the points of meters measure: roles, and how to know them by the names that people gave. Pure.

A role decides which field of the meter a point becomes, so that a meter keeps its series when it is replaced
by one whose columns stand in another order. Values keep the sign they were sent with; `factor` only turns
them into the unit of the role: W into kW, per cent into a ratio.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

COUNTER, GAUGE, INTERVAL = "counter", "gauge", "interval"


@dataclass(frozen=True)
class Role:
    """What a point measures; `name` is the field that it becomes."""

    name: str
    title: str
    quantity: str
    unit: str
    kind: str = GAUGE


_PHASES = ("a", "b", "c")
_SUMS = [
    Role("energy", "Energy: the only register", "energy", "kWh", COUNTER),
    Role("energy_import", "Energy, imported or delivered", "energy", "kWh", COUNTER),
    Role("energy_export", "Energy, exported or received", "energy", "kWh", COUNTER),
    # It falls as well as rises, so it is no counter: a fall is no reset.
    Role("energy_net", "Energy, imported less exported", "energy", "kWh"),
    Role("reactive_energy", "Reactive energy", "reactive energy", "kvarh", COUNTER),
    Role("reactive_energy_import", "Reactive energy, delivered", "reactive energy", "kvarh", COUNTER),
    Role("reactive_energy_export", "Reactive energy, received", "reactive energy", "kvarh", COUNTER),
    Role("apparent_energy", "Apparent energy", "apparent energy", "kVAh", COUNTER),
    Role("power", "Real power", "power", "kW"),
    Role("reactive_power", "Reactive power", "reactive power", "kvar"),
    Role("apparent_power", "Apparent power", "apparent power", "kVA"),
    Role("power_factor", "Power factor", "power factor", "1"),
    Role("voltage_ll", "Voltage between phases, mean", "voltage", "V"),
    Role("voltage_ln", "Voltage to neutral, mean", "voltage", "V"),
    Role("current", "Current, mean", "current", "A"),
    Role("current_n", "Current in the neutral", "current", "A"),
    Role("frequency", "Frequency", "frequency", "Hz"),
    Role("demand", "Demand: mean power of the interval", "power", "kW", INTERVAL),
    Role("demand.min", "Least demand", "power", "kW"),
    Role("demand.max", "Greatest demand", "power", "kW"),
]
_OF_PHASES = [
    Role(f"{name}_{phase}", f"{title}, phase {phase.upper()}", quantity, unit)
    for name, title, quantity, unit in [
        ("power", "Real power", "power", "kW"),
        ("reactive_power", "Reactive power", "reactive power", "kvar"),
        ("apparent_power", "Apparent power", "apparent power", "kVA"),
        ("power_factor", "Power factor", "power factor", "1"),
        ("voltage", "Voltage to neutral", "voltage", "V"),
        ("current", "Current", "current", "A"),
    ]
    for phase in _PHASES
]
_BETWEEN_PHASES = [
    Role(f"voltage_{pair}", f"Voltage {pair[0].upper()} to {pair[1].upper()}", "voltage", "V")
    for pair in ("ab", "bc", "ca")
]
ROLES = {role.name: role for role in [*_SUMS, *_OF_PHASES, *_BETWEEN_PHASES]}
"""By name, in the order in which people look for them."""

_UNITS = {
    "energy": {"kwh": 1.0, "wh": 1e-3, "mwh": 1e3},
    "reactive energy": {"kvarh": 1.0, "varh": 1e-3, "mvarh": 1e3},
    "apparent energy": {"kvah": 1.0, "vah": 1e-3, "mvah": 1e3},
    "power": {"kw": 1.0, "w": 1e-3, "mw": 1e3},
    "reactive power": {"kvar": 1.0, "var": 1e-3, "mvar": 1e3},
    "apparent power": {"kva": 1.0, "va": 1e-3, "mva": 1e3},
    "power factor": {"%": 0.01, "percent": 0.01, "pct": 0.01},
    "voltage": {"v": 1.0, "volt": 1.0, "volts": 1.0, "kv": 1e3, "mv": 1e-3},
    "current": {"a": 1.0, "amp": 1.0, "amps": 1.0, "ma": 1e-3, "ka": 1e3},
    "frequency": {"hz": 1.0},
}
"""Units as loggers spell them, in small letters, with the factor to the role's own."""


def factor(role: Role, unit: str) -> float | None:
    """What turns a value in `unit` into the role's unit; 1 where none is given, None for a foreign one."""
    spelt = re.sub(r"[\s.]", "", unit).lower()
    if not spelt or spelt in ("-", "1", "none"):
        return 1.0
    if role.quantity == "power factor" and spelt in ("pf", "ratio", "cosphi"):
        return 1.0
    # MW and mW differ in the case of a letter that loggers do not keep: no meter of a building counts in mW.
    return _UNITS.get(role.quantity, {}).get(spelt)


def guess(name: str, unit: str = "") -> Role | None:
    """The role that a point of this name and unit has beyond doubt; None where there is any."""
    words = _words(name)
    quantity = _quantity(words, unit)
    if quantity is None or _is_of_another_kind(words):
        return None
    found = _demand(words) if _has(words, "demand") else _named(quantity, words)
    role = ROLES.get(found) if found else None
    return role if role and factor(role, unit) is not None and not _is_mislabelled(role, unit) else None


def _is_mislabelled(role: Role, unit: str) -> bool:
    """Meters are known to label kvarh as VARh and kVAh as VAh: only people can tell."""
    return role.unit in ("kvarh", "kVAh") and unit.strip().lower() in ("varh", "vah")


def _words(name: str) -> str:
    """The name in small letters with single spaces: “Voltage, A-N” is “ voltage a n ”."""
    return f" {' '.join(re.findall(r'[a-z]+|[0-9]+', name.lower()))} "


def _has(words: str, *choices: str) -> bool:
    return any(f" {choice} " in words for choice in choices)


_BY_NAME = [
    ("power factor", ("power factor", "pf", "cos phi")),
    ("reactive energy", ("reactive energy", "kvarh", "varh")),
    ("apparent energy", ("apparent energy", "kvah", "vah")),
    ("energy", ("real energy", "active energy", "energy", "kwh", "energy consumption")),
    ("reactive power", ("reactive power", "reactive q power", "kvar", "reactive")),
    ("apparent power", ("apparent power", "apparent s power", "kva", "apparent")),
    ("power", ("real power", "real p power", "active power", "power", "kw", "real", "demand")),
    ("voltage", ("voltage", "volts", "volt")),
    ("current", ("current", "amps", "amperes", "amp")),
    ("frequency", ("frequency", "hz")),
]


def _quantity(words: str, unit: str) -> str | None:
    """What the name says; where it says nothing, what the unit says."""
    for quantity, names in _BY_NAME:
        if _has(words, *names):
            return quantity
    spelt = unit.strip().lower()
    fitting = [quantity for quantity, units in _UNITS.items() if spelt in units and spelt != "%"]
    return fitting[0] if len(fitting) == 1 else None


_OTHERS = ("thd", "harmonic", "unbalance", "imbalance", "angle", "ratio", "alarm", "setpoint", "msw", "lsw")


def _is_of_another_kind(words: str) -> bool:
    """Whether it tells of something that no role stands for."""
    return _has(words, *_OTHERS) or (
        _has(words, "max", "min", "maximum", "minimum", "peak", "predicted", "rate", "average rate")
        and not _has(words, "demand")
    )


def _demand(words: str) -> str | None:
    """Of real power alone; the demands of imports, exports, phases and other powers are no roles."""
    if _has(words, "reactive", "apparent", "kvar", "kva", "import", "export", "current", "phase"):
        return None
    if _has(words, "min", "minimum"):
        return "demand.min"
    return "demand.max" if _has(words, "max", "maximum", "peak") else "demand"


def _named(quantity: str, words: str) -> str | None:
    if quantity in ("energy", "reactive energy"):
        return _register(quantity.replace(" ", "_"), words)
    if quantity == "apparent energy":
        return None if _phase(words) or _has(words, "import", "export") else "apparent_energy"
    if quantity == "voltage":
        return _voltage(words)
    if quantity == "frequency":
        return "frequency"
    base, phase = quantity.replace(" ", "_"), _phase(words)
    if quantity == "current" and _has(words, "neutral", "phase n", "n"):
        return "current_n"
    return f"{base}_{phase}" if phase else base


def _register(base: str, words: str) -> str | None:
    if _phase(words) or (base == "reactive_energy" and _has(words, "quadrant", "q1", "q2", "q3", "q4")):
        return None
    if _has(words, "net"):
        return "energy_net" if base == "energy" else None
    if _has(words, "import", "imported", "del", "delivered", "consumed"):
        return f"{base}_import"
    if _has(words, "export", "exported", "rec", "received", "generated"):
        return f"{base}_export"
    return base


_PAIRS = {"ab": ("a b", "ab"), "bc": ("b c", "bc"), "ca": ("c a", "a c", "ca", "ac")}


def _voltage(words: str) -> str | None:
    for pair, spellings in {
        "ab": ("a b", "ab"),
        "bc": ("b c", "bc"),
        "ca": ("c a", "a c", "ca", "ac"),
    }.items():
        if _has(words, *spellings):
            return f"voltage_{pair}"
    if phase := _phase(words):
        return f"voltage_{phase}"
    if _has(words, "line to line", "l l", "ll", "vll"):
        return "voltage_ll"
    return "voltage_ln" if _has(words, "line to neutral", "l n", "ln", "vln") else None


def _phase(words: str) -> str:
    """The one phase that the name is about; empty for none."""
    for phase in _PHASES:
        if _has(words, f"phase {phase}", f"{phase} n", f"{phase}n", f"l{'abc'.index(phase) + 1}"):
            return phase
    last = words.split()[-1:]
    return last[0] if last and last[0] in _PHASES else ""
