"""Working derived meters out: day by day for the store, and over any stretch for who looks."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from apps.meters.physics import summary
from apps.meters.physics.derivation import Derived, derive
from apps.meters.physics.energy import LONGEST_BRIDGE_MS
from apps.meters.physics.grid import edges
from apps.meters.sets.definition import Definition, define
from apps.meters.sets.fields import specs
from apps.meters.sets.models import DerivedDay, DerivedMeter
from apps.readings import locks, recompute, store, working
from apps.readings.dependencies import Reach
from apps.readings.models import Invalidation, Namespace, Series
from apps.readings.samples import DAY, Samples
from apps.readings.series import declare, series_ids

REACH = Reach(1, 1)
"""A day reads the day before it, for gaps that end on it, and the next, for the reading after its end."""
TASK = "meters.compute_missing"
NOTED = ["version", "intervals", "negative_load", "negative_solar", "load_kwh", "residual_kwh"]
SECONDS = 50.0
"""A run ends before the next begins."""


@transaction.atomic
def compute_day(source_id: int, day: int) -> bool:
    """Work out a UTC day of a derived meter; whether that changed what is stored. Nothing for a retired one.

    The lock comes first: what is read is as new as anything that another worker could have read.
    """
    locks.hold(source_id)
    current = (
        DerivedMeter.objects.filter(pk=source_id, retired_at=None)
        .select_related("meter_set", "meter__source")
        .first()
    )
    if current is None:
        return False
    definition = define(current.meter_set)
    _follow_grid(current, definition)
    # A set that lost a meter to its deletion is no balance any more.
    fields = {} if definition.lacking else look(definition, start=day * DAY, end=(day + 1) * DAY).fields
    numbers = series_ids(source_id, fields)
    contents = {numbers[name]: samples for name, samples in fields.items() if len(samples)}
    _note(DerivedDay(source_id=source_id, day=day, version=current.meter_set.version), definition, fields)
    return store.replace_day(source_id=source_id, day=day, samples=contents)


def _follow_grid(current: DerivedMeter, definition: Definition) -> None:
    """Let the series say how far apart their values are, should a meter be read at another pace by now."""
    known = Series.objects.filter(source=current.pk, field="power").values_list("cadence", flat=True).first()
    if known != definition.step / 1000:
        declare(source=current.meter.source, fields=specs(definition))


def look(definition: Definition, *, start: int, end: int) -> Derived:
    """What the set gives for the intervals that end in [start, end) ms, from what is stored now.

    Its `inputs` and `edges` reach further back: a gap may have begun before.
    """
    first, last = start - DAY, end + DAY
    samples = store.read(definition.series, start=first, end=last)
    inputs = definition.inputs(samples, start=first, end=last)
    at = edges(definition.step, start - LONGEST_BRIDGE_MS, end)
    derived = derive(definition.recipe, inputs, at)
    fields = {name: own.between(start, end) for name, own in derived.fields.items()}
    return Derived(derived.edges, fields, derived.inputs)


def run_due(source_id: int | None = None) -> int:
    """Work out the marked days of derived meters, or of one of them; returns how many.

    What is worked out from them in turn, rollups and items, follows at once.
    """
    marked = _marked(source_id)
    done = recompute.run_due([Namespace.METER], seconds=SECONDS, source_id=source_id)
    for number in marked:
        working.follow(number)
    return done


def _marked(source_id: int | None) -> list[int]:
    """The derived meters that have days to work out."""
    due = Invalidation.objects.exclude(recompute=None).filter(source__namespace=Namespace.METER)
    wanted = due if source_id is None else due.filter(source=source_id)
    return sorted(set(wanted.values_list("source", flat=True)))


def _recompute(source_id: int, day: int) -> None:
    compute_day(source_id, day)


def register() -> None:
    """Have the days of derived meters computed by their own task, by arrival and not by the clock."""
    recompute.register(Namespace.METER, _recompute, own_task=TASK)


def _note(row: DerivedDay, definition: Definition, fields: Mapping[str, Samples]) -> None:
    """Write down how the day was worked out, and what is odd about it; nothing where that is known."""
    counts, total = summary.marks(fields), summary.summarise(definition.recipe.target, fields)
    row.intervals, row.negative_load = counts.intervals, counts.negative_load
    row.negative_solar = counts.negative_solar
    row.load_kwh, row.residual_kwh = total.consumption, total.residual
    known = DerivedDay.objects.filter(source=row.source_id, day=row.day).first()
    if known is None or any(getattr(known, name) != getattr(row, name) for name in NOTED):
        DerivedDay.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["source", "day"], update_fields=NOTED
        )
