"""What the admin shows of a set beside its form."""

from __future__ import annotations

from dataclasses import dataclass

from apps.meters.physics.balance import in_words
from apps.meters.sets.definition import define
from apps.meters.sets.models import MeterSet
from apps.readings.models import Invalidation


@dataclass(frozen=True)
class SetState:
    """How a set fares: what it works out, by which version, and how many days wait."""

    words: str
    name: str
    label: str
    minutes: int
    version: int
    due: int
    retired: list[str]


def state_of(meter_set: MeterSet) -> SetState:
    """How a set fares that has a derived meter, as every declared one has."""
    definition, derived = define(meter_set), meter_set.derived
    retired = meter_set.derived_meters.exclude(retired_at=None).select_related("meter__source")
    due = Invalidation.objects.filter(source=derived.pk).exclude(recompute=None).count() if derived else 0
    return SetState(
        words=in_words(definition.roles, definition.recipe.target),
        name=derived.source.name if derived else "",
        label=str(derived) if derived else "",
        minutes=definition.step // 60_000,
        version=meter_set.version,
        due=due,
        retired=[str(one) for one in retired],
    )
