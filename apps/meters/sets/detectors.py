"""What speaks for a meter that is wired the other way round, or does not belong: for alerts.

Of today and yesterday, UTC, as the days were worked out: a corrected polarity works them out again, and
clears.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import QuerySet

from apps.alerts.detectors import Seen
from apps.alerts.kinds import Kind, Subject, Verdict
from apps.meters.physics.balance import Role
from apps.meters.sets.models import DerivedDay, DerivedMeter
from apps.readings.samples import DAY

HITS = 8
"""Intervals below zero that are more than noise around it."""


def look(now: datetime) -> Iterator[Seen]:
    """The derived meters in use that are where they cannot be, and balances that leave too much over."""
    today = int(now.timestamp() * 1000) // DAY
    days: dict[int, list[DerivedDay]] = {}
    for row in DerivedDay.objects.filter(day__gte=today - 1, day__lte=today).order_by("day"):
        days.setdefault(row.source_id, []).append(row)
    for derived in _current().filter(pk__in=days):
        yield from _below_zero(derived, days[derived.pk])
        yield from _left_over(derived, [row for row in days[derived.pk] if row.day < today])


def _current() -> QuerySet[DerivedMeter]:
    return (
        DerivedMeter.objects.filter(retired_at=None, meter__source__house__enabled=True)
        .select_related("meter__source", "meter_set")
        .prefetch_related("meter_set__members__source")
    )


def _below_zero(derived: DerivedMeter, days: list[DerivedDay]) -> Iterator[Seen]:
    counts = {
        Role.LOAD: sum(row.negative_load for row in days),
        Role.SOLAR: sum(row.negative_solar for row in days),
    }
    for role, count in counts.items():
        if count >= HITS:
            evidence = {"role": role.value, "count": count, "meters": _suspects(derived, role)}
            yield _subject(derived, Kind.NEGATIVE, role), Verdict.FAULTY, evidence


def _suspects(derived: DerivedMeter, role: Role) -> list[str]:
    """The meters of the role; where it is derived, those that it is made of."""
    members = list(derived.meter_set.members.all())
    own = [member for member in members if member.role == role]
    return sorted({str(member) for member in own or members})


def _left_over(derived: DerivedMeter, days: list[DerivedDay]) -> Iterator[Seen]:
    for row in days:
        if row.residual_kwh is None or not row.load_kwh or row.load_kwh <= 0:
            continue
        percent = 100 * abs(row.residual_kwh) / row.load_kwh
        tolerated = derived.meter_set.residual_percent
        if percent > tolerated:
            evidence = {"percent": round(percent, 1), "tolerated": tolerated}
            yield _subject(derived, Kind.RESIDUAL), Verdict.FAULTY, evidence


def _subject(derived: DerivedMeter, kind: Kind, key: str = "") -> Subject:
    return Subject(derived.meter.source.house_id, derived.pk, kind, key)
