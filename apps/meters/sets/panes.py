"""What the admin shows of a set beside its form. Stamps are Unix ms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apps.meters.physics import clocks
from apps.meters.physics.balance import in_words
from apps.meters.sets.definition import Definition, Part, define
from apps.meters.sets.models import MeterSet
from apps.readings import store
from apps.readings.models import Invalidation
from apps.readings.samples import DAY, EMPTY, Samples

NOTABLE_MS = 30_000
"""Clocks closer than that are as good as together, and no nearer can be told."""


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
    clocks: list[str]


def state_of(meter_set: MeterSet, now: int) -> SetState:
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
        clocks=_clocks(definition, now),
    )


def _clocks(definition: Definition, now: int) -> list[str]:
    """How far meters' clocks are from the first one's, by the clouds that both saw within a day."""
    found = store.read(definition.series, start=now - DAY, end=now)
    parts = {part.member.source_id: part for part in definition.parts if "power" in part.columns}
    seen = [(str(part.member), _power(part, found)) for part in parts.values()]
    pairs = [(seen[0], other) for other in seen[1:]]
    told = [_apart(first[0], other[0], clocks.offset(first[1], other[1])) for first, other in pairs]
    return [words for words in told if words]


def _apart(first: str, other: str, known: clocks.Offset | None) -> str:
    """In words, empty for clocks that go together."""
    if known is None or abs(known.milliseconds) < NOTABLE_MS:
        return ""
    way = "ahead of" if known.milliseconds > 0 else "behind"
    return f"{other} is about {abs(known.milliseconds) // 1000} s {way} {first}"


def _power(part: Part, found: Mapping[int, Samples]) -> Samples:
    column = part.columns["power"]
    return column.of(found.get(column.series.pk, EMPTY))
