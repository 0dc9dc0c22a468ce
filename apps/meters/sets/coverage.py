"""Which part of each day the meters of a house cover: a calendar, from the rollups."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from apps.houses.models import House
from apps.readings import bins, calendar
from apps.readings.models import Kind, Series, Source
from apps.readings.rollups import Columns
from apps.readings.times import milliseconds

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
    today = calendar.local_date(house.time_zone, milliseconds(now))
    days = [today - timedelta(days=passed) for passed in range(DAYS - 1, -1, -1)]
    chosen = {(source.pk, field): _series(source, field) for source, field in sources}
    chosen[derived.pk, ""] = _series(derived, "power")
    wanted = [one for one in chosen.values() if one]
    known = _parts(house, wanted, days[0], milliseconds(now))
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


def _parts(house: House, series: Collection[Series], first: date, now: int) -> dict[int, dict[date, float]]:
    """The covered part of each local day so far, by series: of counters by how many readings there are."""
    start = calendar.day_bounds(house.time_zone, first)[0]
    names = ("count", "covered")
    found = bins.binned(list(series), zone=house.time_zone, every="1d", start=start, end=now + 1, names=names)
    return {one.pk: _days(house, one, found[one.pk], now) for one in series}


def _days(house: House, series: Series, columns: Columns, now: int) -> dict[date, float]:
    begins, ends = columns.edges[:-1], np.minimum(columns.edges[1:], now)
    covered = columns.covered * 1000
    if series.kind == Kind.COUNTER and series.cadence:
        covered = columns.count * series.cadence * 1000.0
    parts = np.minimum(covered / np.maximum(ends - begins, 1), 1.0)
    days = [calendar.local_date(house.time_zone, begin) for begin in begins.tolist()]
    return {day: part for day, part in zip(days, parts.tolist(), strict=True) if part}


def _cells(days: Iterable[date], known: dict[date, float]) -> list[Cell]:
    return [Cell(day, known.get(day), level(known.get(day))) for day in days]
