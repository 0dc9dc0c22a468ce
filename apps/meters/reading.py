"""From the rows of a log to readings of meters: which are new, the same, or changed.

Readings are compared with what is stored, so that what comes twice writes nothing. Of files that contradict
each other the last to arrive counts, in whatever order they are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from apps.meters import layouts
from apps.meters.acquisuite.logfile import LogFile
from apps.meters.models import Assignment, Layout, Point
from apps.readings import store
from apps.readings.models import Source
from apps.readings.samples import DAY, Stamps, Values
from apps.readings.series import series_ids

Rows = NDArray[np.bool_]
Span = tuple[int, int]


@dataclass
class Counts:
    """What came of the rows of a file."""

    new: int = 0
    same: int = 0
    changed: int = 0
    rejected: int = 0
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say something odd, once."""
        if text not in self.notes:
            self.notes.append(text)


def take(
    *,
    log: LogFile,
    rows: Rows,
    layout: Layout,
    assignment: Assignment,
    later: Sequence[Span],
    received_at: datetime,
    counts: Counts,
) -> None:
    """Store the good `rows` (n,) of a log as readings of the assignment's meter, by `layout`.

    `later` are the spans [first, last] of files that arrived after this one: there, what is stored stays.
    """
    source = assignment.meter.source
    rows = _taken(log, rows, source, counts)
    points = [point for point in layouts.points_of(layout) if point.used and point.number < log.width]
    if not rows.any() or not points:
        counts.rejected += int(rows.sum()) if not points else 0
        return
    fields = tuple(point.field for point in points)
    stamps, values = _last_of_each(log.stamps[rows], _values(log, rows, points))
    known = _stored(source.pk, fields, stamps)
    fresh = _fresh(stamps, values, known, later)
    _count(counts, values, known, fresh, repeats=int(rows.sum()) - len(stamps))
    if fresh.any():
        kept = values if fresh.all() else np.where(fresh, values, np.nan)
        wanted = fresh.any(axis=0)
        block = store.Block(fields, stamps[wanted], kept[:, wanted])
        store.append([store.Upload(source.pk, (block,))], received_at=received_at, held=True)
        for day in np.unique(stamps[wanted] // DAY).tolist():
            store.compact_soon(source.pk, day)


def _taken(log: LogFile, rows: Rows, source: Source, counts: Counts) -> Rows:
    """Those of the rows that the meter takes."""
    if not source.enabled:
        counts.note(f"The meter {source.name} is disabled.")
        counts.rejected += int(rows.sum())
        return np.zeros_like(rows)
    sealed = rows & (log.stamps < (source.sealed_before or 0))
    if sealed.any():
        counts.note("Some rows are of a time that is sealed.")
        counts.rejected += int(sealed.sum())
    return rows & ~sealed


def _values(log: LogFile, rows: Rows, points: Sequence[Point]) -> Values:
    """In the series' units, with the sign as sent."""
    factors = np.array([point.factor for point in points])
    sent = log.values[[point.number for point in points]][:, rows]
    return sent if (factors == 1).all() else sent * factors[:, None]


def _last_of_each(stamps: Stamps, values: Values) -> tuple[Stamps, Values]:
    """In order of time; rows of the same stamp are one, in which a later value counts before an earlier."""
    if (stamps[1:] > stamps[:-1]).all():
        return stamps, values
    order = np.argsort(stamps, kind="stable")
    stamps, values = stamps[order], values[:, order]
    first = np.append(True, stamps[1:] != stamps[:-1])
    places = np.cumsum(first) - 1
    merged = np.full((len(values), places[-1] + 1), np.nan)
    for column, place in enumerate(places.tolist()):
        there = ~np.isnan(values[:, column])
        merged[there, place] = values[there, column]
    return stamps[first], merged


def _stored(source_id: int, fields: Sequence[str], stamps: Stamps) -> Values:
    """What is stored at these stamps, in the shape of the values; NaN where there is nothing."""
    numbers = series_ids(source_id, fields)
    found = store.read(list(numbers.values()), start=int(stamps[0]), end=int(stamps[-1]) + 1)
    known = np.full((len(fields), len(stamps)), np.nan)
    clock, places, there = None, stamps, stamps == 0
    for row, name in enumerate(fields):
        samples = found[numbers[name]]
        if not len(samples):
            continue
        if samples.stamps is not clock:  # fields of one meter share theirs
            clock = samples.stamps
            places = np.searchsorted(clock, stamps).clip(max=len(clock) - 1)
            there = clock[places] == stamps
        known[row] = np.where(there, samples.values[places], np.nan)
    return known


def _fresh(stamps: Stamps, values: Values, known: Values, later: Sequence[Span]) -> NDArray[np.bool_]:
    """Which values differ from what is stored, and are to be stored."""
    fresh = ~np.isnan(values) & (values != known)  # NaN differs from everything
    decided = np.zeros(len(stamps), bool)
    for first, last in later:
        decided |= (stamps >= first) & (stamps <= last)
    new: NDArray[np.bool_] = fresh & (np.isnan(known) | ~decided)
    return new


def _count(counts: Counts, values: Values, known: Values, fresh: NDArray[np.bool_], *, repeats: int) -> None:
    there = ~np.isnan(known).all(axis=0)
    touched = fresh.any(axis=0)
    counts.new += int((touched & ~there).sum())
    counts.changed += int((touched & there).sum())
    counts.same += int((~touched).sum()) + repeats
    if (fresh & ~np.isnan(known)).any():
        counts.note("Some values contradict earlier ones, which they replace.")
