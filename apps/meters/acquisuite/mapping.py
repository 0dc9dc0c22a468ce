"""From the columns of a device to the fields of a meter: what is known of each point, put together. Pure.

Names come from the device's own configuration file, else from the header of its log. They decide what a point
is; the device's class decides where names say nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from apps.meters.acquisuite import ini
from apps.meters.acquisuite.logfile import Column
from apps.meters.acquisuite.points import COUNTER, GAUGE, ROLES, Role, factor, guess

UNIT_LENGTH = 20
FIELD_LENGTH = 120
_COUNTED = re.compile(
    r"[km]?wh|[km]?varh|[km]?vah|gal(lons?)?|lit(er|re)s?|l|m3|m³|c?cf|mcf|ft3|therms?|[km]?btu|pulses?|counts?",
    re.IGNORECASE,
)
_RATE = re.compile(r"\b(rate|demand|average|ave|avg|inst\w*|min\w*|max\w*|peak|thd|msw|lsw)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Known:
    """What is known of a device's points. `roles` and `units` are its class's, by point number."""

    width: int
    configured: Mapping[int, ini.Point] = field(default_factory=dict)
    header: Sequence[Column] = ()
    roles: Mapping[int, str] = field(default_factory=dict)
    units: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """What becomes of a point: a field of the meter, whose value is the one sent × `factor`.

    `name` and `sent_unit` are what the logger calls it; `role` is empty where none is known. A point that is
    not `used` is not stored.
    """

    number: int
    name: str
    sent_unit: str
    field: str
    role: str = ""
    quantity: str = ""
    unit: str = ""
    kind: str = GAUGE
    factor: float = 1.0
    used: bool = True


def targets(known: Known) -> list[Target]:
    """A target for every point, with field names that differ."""
    found = [_target(known, number) for number in range(known.width)]
    return told_apart(_one_for_each_role(found, known))


def named(number: int, name: str, sent_unit: str, role: Role | None, *, used: bool = True) -> Target:
    """The target of a point of this role; without one it keeps its name and unit.

    Raises ValueError where the unit is none of the role's.
    """
    if role is None:
        return _plain(number, name, sent_unit, used=used)
    scale = factor(role, sent_unit)
    if scale is None:
        raise ValueError(f"“{sent_unit}” is no unit of {role.title.lower()}, which is kept in {role.unit}.")
    return Target(
        number, name, sent_unit, role.name, role.name, role.quantity, role.unit, role.kind, scale, used
    )


def _target(known: Known, number: int) -> Target:
    name, unit, used = _label(known, number)
    role = guess(name, unit)
    if role is None and used:
        role = ROLES.get(known.roles.get(number, ""))
        unit = unit or known.units.get(number, "")
    if role is None or factor(role, unit) is None:
        return _plain(number, name, unit, used=used)
    return named(number, name, unit, role, used=used)


def _label(known: Known, number: int) -> tuple[str, str, bool]:
    """Its name, its unit, and whether it is in use."""
    own = known.configured.get(number)
    if own and own.name:
        return own.name, own.unit, own.used
    if number < len(known.header):
        column = known.header[number]
        return column.name, column.unit, column.name != ini.UNUSED
    return "", own.unit if own else "", True


def _plain(number: int, name: str, unit: str, *, used: bool) -> Target:
    counted = _COUNTED.fullmatch(unit.strip()) and not _RATE.search(name)
    kind = COUNTER if counted else GAUGE
    shown = unit.strip()[:UNIT_LENGTH]
    return Target(number, name, unit, _field(name, number), unit=shown, kind=kind, used=used)


def _field(name: str, number: int) -> str:
    spelt = " ".join("".join(c if c.isprintable() else " " for c in name).split()).lstrip("_")
    return spelt[:FIELD_LENGTH] if spelt and spelt != ini.UNUSED else f"point_{number:02}"


def _one_for_each_role(found: Sequence[Target], known: Known) -> list[Target]:
    """Where two points seem to be the same, the one that the class agrees with is it, else neither."""
    counts = Counter(one.role for one in found if one.role and one.used)
    return [
        one
        if counts[one.role] < 2 or known.roles.get(one.number) == one.role
        else _plain(one.number, one.name, one.sent_unit, used=one.used)
        for one in found
    ]


def told_apart(found: Sequence[Target]) -> list[Target]:
    """The targets, of which those without a role get another field where two would be the same."""
    counts = Counter(one.field for one in found)
    taken = {*ROLES}
    return [
        replace(one, field=f"{one.field} ({one.number})")
        if not one.role and (counts[one.field] > 1 or one.field in taken)
        else one
        for one in found
    ]
