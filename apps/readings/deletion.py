"""Deleting all that was ever stored of sources, in pieces that keep nobody waiting."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from django.db import transaction

from apps.houses.models import House
from apps.readings import locks, marks
from apps.readings.models import Source
from apps.readings.samples import DAY
from apps.readings.sql import fetch, run

PIECE = 30
"""Days of a source that one transaction deletes."""

TABLES = ("readings_tail", "readings_segment", "readings_clock", "readings_boundary", "readings_invalidation")

# Local days that begin before a UTC day ends; those before have lost their readings with an earlier piece.
_ROLLUPS = "DELETE FROM readings_rollup WHERE source_id = %(source)s::bigint AND starts[1] < %(end)s::bigint"

_DAYS = " UNION ".join(
    f"SELECT source_id, day FROM {table} WHERE source_id = ANY(%(sources)s::bigint[])"  # noqa: S608
    for table in TABLES
)
_IN_ORDER = f"{_DAYS} ORDER BY source_id, day"


def delete_readings(source_ids: Collection[int]) -> Iterator[tuple[int, int]]:
    """Delete the days of sources, oldest first, yielding how many of how many are gone.

    Ended early, or called again, it leaves whole days. What was worked out from them is marked. The sources,
    and what is known to be newest of them, stay: delete them next, or what arrives meanwhile stays too.
    """
    days = fetch(_IN_ORDER, {"sources": list(source_ids)})
    for done in range(0, len(days), PIECE):
        _delete(days[done : done + PIECE])
        _mark_next(days[done : done + PIECE + 1])
        yield min(done + PIECE, len(days)), len(days)


def delete_readings_of(house: House) -> Iterator[tuple[int, int]]:
    """Delete the days of all sources of a house, as `delete_readings` does."""
    return delete_readings(list(Source.objects.filter(house=house).values_list("pk", flat=True)))


def _delete(days: Collection[tuple[int, ...]]) -> None:
    for source_id in sorted({source_id for source_id, _ in days}):
        _delete_of(source_id, [day for other, day in days if other == source_id])


@transaction.atomic
def _delete_of(source_id: int, days: Sequence[int]) -> None:
    locks.hold(source_id)  # first, so that no compaction writes these days again
    span = {"source": source_id, "first": days[0], "last": days[-1]}
    for table in TABLES:
        run(
            f"DELETE FROM {table} WHERE source_id = %(source)s::bigint"  # noqa: S608
            " AND day BETWEEN %(first)s::int AND %(last)s::int",
            span,
        )
    run(_ROLLUPS, {"source": source_id, "end": (days[-1] + 1) * DAY})
    marks.inputs_gone(source_id, days)


def _mark_next(days: Sequence[tuple[int, ...]]) -> None:
    """Should the deletion end here, the first day left has lost the one before it."""
    if len(days) > PIECE:
        source_id, day = days[-1]
        marks.neighbours(source_id, [day])
