"""What the database knows of counters: their settings, quarantined steps, and what operators decided."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import transaction

from apps.readings.counters import Decision, Register, Settings, Step, Why
from apps.readings.models import CounterDecision, QuarantinedStep, Series


def settings_of(series: Series) -> Settings:
    """The settings on record of a counter."""
    return Settings(rating=series.rating, modulus=series.modulus)


def decisions_of(series_ids: Collection[int], *, start: int, end: int) -> dict[int, dict[int, Decision]]:
    """The decisions in force on readings in [start, end) ms, by series and stamp. One query.

    Series without any are no keys.
    """
    found: dict[int, dict[int, Decision]] = {}
    rows = CounterDecision.objects.in_force().filter(series__in=series_ids, stamp__gte=start, stamp__lt=end)
    for series_id, stamp, kind in rows.order_by().values_list("series", "stamp", "kind"):
        found.setdefault(series_id, {})[stamp] = Decision(kind)
    return found


def recorded(series_ids: Collection[int], first: int, last: int) -> dict[tuple[int, int], list[Step]]:
    """The quarantined steps that UTC days [first, last] tell of, by series and day, in order. One query."""
    found: dict[tuple[int, int], list[Step]] = {}
    rows = QuarantinedStep.objects.filter(series__in=series_ids, day__range=(first, last)).order_by("stamp")
    for row in rows:
        before = Register(row.before_stamp or 0, row.before_value or 0.0)
        step = Step(before, Register(row.stamp, row.value), Why(row.why))
        found.setdefault((row.series_id, row.day), []).append(step)
    return found


@transaction.atomic
def record(*, series_id: int, day: int, steps: Sequence[Step]) -> None:
    """Let the quarantined steps that a UTC day's readings tell of be exactly `steps`.

    By who holds the source's lock. A step that another day told of before is this day's from now on.
    """
    stamps = [step.after.stamp for step in steps]
    QuarantinedStep.objects.filter(series=series_id, day=day).exclude(stamp__in=stamps).delete()
    QuarantinedStep.objects.bulk_create(
        [_row(series_id, day, step) for step in steps],
        update_conflicts=True,
        unique_fields=["series", "stamp"],
        update_fields=["day", "value", "before_stamp", "before_value", "why"],
    )


def _row(series_id: int, day: int, step: Step) -> QuarantinedStep:
    return QuarantinedStep(
        series_id=series_id,
        day=day,
        stamp=step.after.stamp,
        value=step.after.value,
        before_stamp=step.before.stamp,
        before_value=step.before.value,
        why=step.why,
    )
