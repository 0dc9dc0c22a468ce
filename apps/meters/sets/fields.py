"""The series of a derived meter: what it is worked out of, and what its numbers mean."""

from __future__ import annotations

from collections.abc import Iterable

from apps.meters.acquisuite.points import ROLES as POINTS
from apps.meters.physics import voltage
from apps.meters.physics.balance import Role, Target
from apps.meters.physics.derivation import PHASES
from apps.meters.physics.summary import field_of
from apps.meters.sets.definition import Definition
from apps.readings.models import Kind
from apps.readings.series import FieldSpec

SIGNS = {
    Target.UTILITY: "+ import, − export; net of each interval, in which both may have been",
    Target.LOAD: "+ consumption",
    Target.SOLAR: "+ generation",
    Target.RESIDUAL: "+ more comes in than the load takes",
    Target.SUM: "+ as the meters that are added",
}
ROLE_SIGNS = {
    Role.SOLAR: "+ generation",
    Role.LOAD: "+ consumption",
    Role.UTILITY: "+ import, − export",
    Role.BATTERY: "+ discharge, − charge",
}
FOLLOWING = ("apparent_power", "power_factor")
COPIED = (*voltage.FIELDS, "frequency", "current")


def specs(definition: Definition) -> list[FieldSpec]:
    """The series that the derived meter has: means over the grid's intervals, stamped with their ends."""
    target, cadence = definition.recipe.target, definition.step / 1000
    sign = SIGNS[target]
    found = [_spec(name, cadence, sign) for name in ("power", "reactive_power")]
    found += [_spec(name, cadence) for name in _further(definition)]
    for role in sorted(definition.roles & ROLE_SIGNS.keys()):
        found += [
            _spec(field_of(target, role, name), cadence, ROLE_SIGNS[role], name)
            for name in ("power", "reactive_power")
        ]
    return found


def power_field(definition: Definition, role: Role) -> str | None:
    """The derived meter's field with the power of a role, None where the set knows nothing of it."""
    target = definition.recipe.target
    known = target == role.value or (role in definition.roles and role in ROLE_SIGNS)
    return field_of(target, role) if known else None


def _further(definition: Definition) -> Iterable[str]:
    recipe = definition.recipe
    if recipe.target is Target.RESIDUAL:
        return ()
    if recipe.target is Target.SUM:
        return FOLLOWING
    of_phases = [f"{name}_{phase}" for name in ("power", "reactive_power", "current") for phase in PHASES]
    return (*FOLLOWING, *COPIED, *(of_phases if recipe.phases else ()))


def _spec(name: str, cadence: float, sign: str = "", point: str = "") -> FieldSpec:
    """A mean over an interval, whatever the same point of a real meter is."""
    known = POINTS.get(point or name)
    quantity, unit = (known.quantity, known.unit) if known else ("reactive power", "kvar")
    return FieldSpec(name, quantity, unit, Kind.INTERVAL, cadence, sign)
