"""Decisions of operators on steps of counters. Each has the day it touches worked out again."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.accounts.models import User
from apps.readings import marks
from apps.readings.counters import Decision
from apps.readings.models import CounterDecision, Kind, QuarantinedStep, Series
from apps.readings.query import read
from apps.readings.samples import DAY
from apps.readings.times import moment

LAST_DAY = 2**31 - 1  # that the store can hold
CONTEXT = 4
"""How many readings before and after a step speak for what it is."""


@transaction.atomic
def decide(*, series: Series, stamp: int, kind: Decision, by: User | None, at: datetime) -> CounterDecision:
    """Record what `by` says of a counter's reading, in place of what was said of it before.

    The same again changes nothing. Raises ValidationError where there is no such reading, or where it is
    sealed, so that nothing could follow from the decision.
    """
    Series.objects.select_for_update().get(pk=series.pk)  # two at once wait for each other
    before = CounterDecision.objects.in_force().filter(series=series, stamp=stamp).first()
    if before is not None and before.kind == kind:
        return before
    _refuse_sealed(series, stamp)
    evidence = _evidence(series, stamp)
    if before is not None:
        _end(before, by, at)
    decision = CounterDecision.objects.create(series=series, stamp=stamp, kind=kind, by=by, at=at, **evidence)
    _touch(series, stamp)
    return decision


@transaction.atomic
def revoke(*, decision: CounterDecision, by: User | None, at: datetime) -> bool:
    """Take a decision back, so that its step waits again; whether it was in force. Raises ValidationError."""
    held = CounterDecision.objects.select_for_update().select_related("series__source").get(pk=decision.pk)
    if held.revoked_at is not None:
        return False
    _refuse_sealed(held.series, held.stamp)
    _end(held, by, at)
    _touch(held.series, held.stamp)
    return True


def context(series: Series, stamp: int) -> list[tuple[int, float]]:
    """The readings around a stamp, itself included: at most `CONTEXT` on either side, within a day of it."""
    if not 0 < stamp // DAY < LAST_DAY:
        return []
    samples = read([series.pk], start=stamp - DAY, end=stamp + DAY)[series.pk]
    place = int(samples.stamps.searchsorted(stamp))
    near = slice(max(0, place - CONTEXT), place + CONTEXT + 1)
    return list(zip(samples.stamps[near].tolist(), samples.values[near].tolist(), strict=True))


def _evidence(series: Series, stamp: int) -> dict[str, object]:
    """What is known of the step at `stamp`: as it was quarantined, or as the readings tell it."""
    if series.kind != Kind.COUNTER:
        raise ValidationError(f"{series} is no counter: only the steps of a register can be decided on.")
    step = QuarantinedStep.objects.filter(series=series, stamp=stamp).first()
    if step is not None:
        names = ("value", "before_stamp", "before_value", "why")
        return {name: getattr(step, name) for name in names}
    near = context(series, stamp)
    values = dict(near)
    if stamp not in values:
        raise ValidationError(f"{series} has no reading at {moment(stamp)}. It may have been withdrawn.")
    before = max((reading for reading in near if reading[0] < stamp), default=(None, None))
    return {"value": values[stamp], "before_stamp": before[0], "before_value": before[1]}


def _refuse_sealed(series: Series, stamp: int) -> None:
    sealed = series.source.sealed_before
    if sealed is not None and stamp < sealed:
        raise ValidationError(
            f"The readings of {series} before {moment(sealed)} are gone, and with them all that could be"
            " worked out again: the numbers of that time stay as they are."
        )


def _touch(series: Series, stamp: int) -> None:
    marks.decided(series.source_id, stamp // DAY)


def _end(decision: CounterDecision, by: User | None, at: datetime) -> None:
    decision.revoked_by, decision.revoked_at = by, at
    decision.save(update_fields=["revoked_by", "revoked_at"])
