"""Which part of each day the meters of a house cover: a calendar, from the rollups."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from apps.houses.models import House
from apps.readings import calendar
from apps.readings.models import Kind, Rollup, Series, Source

DAYS = 30
FULL, MOST, HALF = 0.995, 0.8, 0.5
FIELDS = ("power", "demand", "energy", "energy_import")
"""What tells best whether a meter was heard, in this order."""


@dataclass(frozen=True)
class Cell:
    """A local day: the part that is covered, None where nothing is known, and a word for it."""

    day: date
    part: float | None
    level: str


@dataclass(frozen=True)
class Row:
    """A meter's last days, oldest first."""

    label: str
    derived: bool
    cells: list[Cell]


def rows(house: House, sources: Collection[tuple[Source, str]], derived: Source, now: datetime) -> list[Row]:
    """The last 30 local days of meters and of what is derived; `sources` with a device's field or empty."""
    today = calendar.local_date(house.time_zone, round(now.timestamp() * 1000))
    days = [today - timedelta(days=passed) for passed in range(DAYS - 1, -1, -1)]
    chosen = {(source.pk, field): _series(source, field) for source, field in sources}
    chosen[derived.pk, ""] = _series(derived, "power")
    known = _parts([one for one in chosen.values() if one], days[0], round(now.timestamp() * 1000))
    labels = {(source.pk, field): f"{source}{'.' if field else ''}{field}" for source, field in sources}
    labels[derived.pk, ""] = str(derived)
    return [
        Row(labels[key], key[0] == derived.pk, _cells(days, known.get(one.pk, {}) if one else {}))
        for key, one in chosen.items()
    ]


def level(part: float | None) -> str:
    """How much of a day is covered, as a word."""
    if not part:
        return "none"
    if part >= FULL:
        return "full"
    return "most" if part >= MOST else "half" if part >= HALF else "little"


def _series(source: Source, field: str) -> Series | None:
    found = {one.field: one for one in source.series.all()}
    names: Iterable[str] = (field,) if field else FIELDS
    return next((found[name] for name in names if name in found), None)


def _parts(series: Collection[Series], first: date, now: int) -> dict[int, dict[date, float]]:
    """The covered part of each local day so far, by series: of counters by how many readings there are."""
    cadences = {one.pk: (one.kind, one.cadence) for one in series}
    found: dict[int, dict[date, float]] = {}
    rollups = Rollup.objects.filter(
        source__in={one.source_id for one in series}, series__in=cadences, day__gte=first
    )
    for number, day, count, covered, starts in rollups.values_list(
        "series", "day", "count", "covered", "starts"
    ):
        lasting = (min(starts[-1], max(now, starts[0] + 1)) - starts[0]) / 1000
        kind, cadence = cadences[number]
        told = count * cadence if kind == Kind.COUNTER and cadence else covered
        found.setdefault(number, {})[day] = min(1.0, told / lasting)
    return found


def _cells(days: Iterable[date], known: dict[date, float]) -> list[Cell]:
    return [Cell(day, known.get(day), level(known.get(day))) for day in days]
