"""What the detectors look at, fetched for all houses in a few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Min, Q, QuerySet

from apps.alerts.models import Watch
from apps.alerts.rhythm import Rhythm
from apps.alerts.stuck import QUANTITIES, Held
from apps.devices.models import EdgeUnit, Refusal
from apps.readings.models import Damage, Dependency, Kind, Namespace, QuarantinedStep, Source
from apps.readings.sql import fetch

Values = dict[str, tuple[int, float]]
"""The newest (stamp ms, value) by field."""


@dataclass(frozen=True)
class Watched:
    """A source, how it arrives, and what is known of its values."""

    source_id: int
    house_id: int
    by_agent: bool
    cadence_ms: float
    newest: int | None
    rhythm: Rhythm | None
    held: Mapping[str, Held]


def units() -> list[EdgeUnit]:
    """The agents that were ever heard of, of houses in use."""
    return list(EdgeUnit.objects.filter(house__enabled=True).exclude(last_seen_at=None))


def arriving() -> QuerySet[Source]:
    """The sources in use whose readings arrive; items and derived meters are computed from those."""
    used = Source.objects.filter(enabled=True, house__enabled=True).exclude(namespace=Namespace.ANALYTICS)
    return used.exclude(pk__in=Dependency.objects.values("source"))


def sources(only: Collection[int] | None = None) -> list[Watched]:
    """What is known of the sources whose readings arrive."""
    wanted = Q() if only is None else Q(pk__in=only)
    rows = (
        arriving()
        .filter(wanted)
        .annotate(cadence=Min("series__cadence"), newest=F("latest__newest"))
        .order_by("id")
        .values_list(
            "id",
            "house_id",
            "namespace",
            "cadence",
            "newest",
            "watch__heard_at",
            "watch__newest",
            "watch__arrivals",
            "watch__pauses",
            "watch__held",
        )
    )
    return [_watched(*row) for row in rows]


def _watched(
    source_id: int,
    house_id: int,
    namespace: str,
    cadence: float | None,
    newest: int | None,
    heard_at: int | None,
    noted: int | None,
    arrivals: int,
    pauses: dict[str, int] | None,
    held: dict[str, list[Any]] | None,
) -> Watched:
    rhythm = None
    if heard_at is not None:
        rhythm = Rhythm(heard_at, noted, arrivals, {int(day): pause for day, pause in (pauses or {}).items()})
    known = {field: Held(*values) for field, values in (held or {}).items()}
    by_agent = namespace == Namespace.DEVICE
    return Watched(source_id, house_id, by_agent, (cadence or 0) * 1000, newest, rhythm, known)


_VALUES = """
SELECT series.source_id, series.field,
       (latest.fields -> series.field ->> 0)::bigint, (latest.fields -> series.field ->> 1)::float8
FROM readings_series AS series
JOIN readings_latest AS latest ON latest.source_id = series.source_id
WHERE series.source_id = ANY(%(sources)s::bigint[])
  AND series.quantity = ANY(%(quantities)s::text[]) AND series.kind = ANY(%(kinds)s::text[])
  AND jsonb_typeof(latest.fields -> series.field -> 1) = 'number'
"""


def values(source_ids: Collection[int]) -> dict[int, Values]:
    """The newest powers and voltages of the sources; registers are none. One query, none for no sources."""
    found: dict[int, Values] = defaultdict(dict)
    if source_ids:
        asked = {
            "sources": list(source_ids),
            "quantities": list(QUANTITIES),
            "kinds": [Kind.GAUGE.value, Kind.INTERVAL.value],
        }
        for source_id, field, stamp, value in fetch(_VALUES, asked):
            found[source_id][field] = stamp, value
    return found


def remember(watched: Iterable[tuple[int, Rhythm, Mapping[str, Held]]]) -> None:
    """Write down the rhythms and values of sources. One statement, none for none."""
    rows = [
        Watch(
            source_id=source_id,
            newest=rhythm.newest,
            heard_at=rhythm.heard_at,
            arrivals=rhythm.arrivals,
            pauses=dict(rhythm.pauses),
            held=dict(held),
        )
        for source_id, rhythm, held in watched
    ]
    Watch.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["source"],
        update_fields=["newest", "heard_at", "arrivals", "pauses", "held"],
    )


REFUSED_LATELY = timedelta(hours=1)
INTENDED = "disabled_source"
"""Who disables a source wants its data refused."""


def refusals(now: datetime) -> list[Refusal]:
    """What was refused within the hour of houses in use."""
    lately = Refusal.objects.filter(last_at__gt=now - REFUSED_LATELY, house__enabled=True)
    return list(lately.exclude(code=INTENDED))


@dataclass(frozen=True)
class Waiting:
    """Steps of a source's counters that nobody has decided on."""

    source_id: int
    house_id: int
    count: int
    oldest: int


def waiting() -> list[Waiting]:
    """The sources with steps in quarantine, of houses in use. One query."""
    steps = QuarantinedStep.objects.waiting().filter(series__source__house__enabled=True).order_by()
    found = steps.values_list("series__source", "series__source__house")
    return [Waiting(*row) for row in found.annotate(Count("id"), Min("stamp"))]


@dataclass(frozen=True)
class Damaged:
    """How many UTC days of a source cannot be worked on, and what the store says of the first of them."""

    source_id: int
    house_id: int
    count: int
    error: str


def damaged() -> list[Damaged]:
    """The sources of houses in use with readings that cannot be read. One query."""
    found = Damage.objects.filter(source__house__enabled=True).order_by("source", "day", "step")
    days: dict[tuple[int, int], list[tuple[int, str]]] = defaultdict(list)
    for source_id, house_id, day, error in found.values_list("source", "source__house", "day", "error"):
        days[source_id, house_id].append((day, error))
    return [Damaged(*key, len({day for day, _ in own}), own[0][1]) for key, own in days.items()]
