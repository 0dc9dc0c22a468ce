"""The items that a set gives a house, so that its dashboard and reports are those of any house."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.accounts.models import User
from apps.analytics import mutations, required
from apps.analytics.formula.printing import identifier
from apps.analytics.models import AnalyticsItem
from apps.houses.models import House
from apps.meters.physics.balance import Role, Target
from apps.meters.sets.definition import Definition
from apps.meters.sets.fields import power_field

NAMES = {
    "solar": (Role.SOLAR, "{0}"),
    "battery": (Role.BATTERY, "{0}"),
    "load": (Role.LOAD, "{0}"),
    "gridpower": (Role.UTILITY, "{0}"),
    "grid_import": (Role.UTILITY, "pos({0})"),
    "grid_export": (Role.UTILITY, "-neg({0})"),
}
"""By item: the role it is of, and its formula of that role's power. Nothing is clipped but by its meaning."""


@dataclass(frozen=True)
class Planned:
    """What declaring a set does about an item: `before` is its present formula, None where it is new."""

    name: str
    formula: str
    before: str | None

    @property
    def changes(self) -> bool:
        """Whether anything is to be done."""
        return self.before != self.formula


def plan(house: House, definition: Definition, source_name: str) -> list[Planned]:
    """The items of a set whose derived meter has this name. One query."""
    if definition.recipe.target is Target.SUM:
        return []
    existing = dict(
        AnalyticsItem.objects.filter(house=house, name__in=NAMES).order_by().values_list("name", "formula")
    )
    found = []
    for name, (role, pattern) in NAMES.items():
        field = power_field(definition, role)
        if field is not None:
            formula = pattern.format(identifier(source_name, field))
            found.append(Planned(name, formula, existing.get(name)))
    return found


def apply(planned: Sequence[Planned], *, house: House, by: User | None) -> None:
    """Create and change the items as planned. Raises ValidationError."""
    items = {item.name: item for item in AnalyticsItem.objects.filter(house=house, name__in=NAMES)}
    for one in planned:
        if not one.changes:
            continue
        if one.name in items:
            mutations.edit_item(item=items[one.name], formula=one.formula, by=by)
        else:
            _create(one, house, by)


def _create(one: Planned, house: House, by: User | None) -> None:
    described = next(own for own in required.REQUIRED if own.name == one.name)
    mutations.create_item(
        house=house,
        name=one.name,
        formula=one.formula,
        label=described.label,
        quantity=described.quantity,
        unit=described.unit,
        role=described.role,
        aggregate=described.aggregate,
        by=by,
    )
