"""Sealing: the readings of a source before a local midnight are dropped, its hours and days are final.

What is worked out from readings must be so before they go: a source is sealed only where nothing before the
seal waits for compaction or is marked, neither of its own days nor of those that are worked out from them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction

from apps.readings import calendar, compaction, locks, working
from apps.readings.models import QuarantinedStep, QuarantinedStepQuerySet, Source
from apps.readings.samples import DAY
from apps.readings.sql import fetch, run

PIECE = timedelta(days=31)
"""How much one transaction seals."""

_TABLES = ("readings_segment", "readings_clock")

_GOING = """
SELECT count(DISTINCT day), coalesce(sum(readings), 0)::bigint, coalesce(sum(bytes), 0)::bigint FROM (
    SELECT day, count AS readings, octet_length(payload) AS bytes FROM readings_segment
    WHERE source_id = %(source)s::bigint AND day < %(end)s::int
    UNION ALL
    SELECT day, 0, octet_length(payload) FROM readings_clock
    WHERE source_id = %(source)s::bigint AND day < %(end)s::int
) AS held
"""

_WAITING_ROWS = """
SELECT DISTINCT day FROM readings_tail
WHERE source_id = %(source)s::bigint AND day < %(end)s::int ORDER BY day
"""

# The day that holds the seal shapes the local day before it; a derived day reads its inputs within its reach.
_UNFINISHED = """
SELECT EXISTS (
    SELECT FROM readings_invalidation WHERE source_id = %(source)s::bigint AND day <= %(day)s::int
) OR EXISTS (
    SELECT FROM readings_dependency AS reads
    JOIN readings_invalidation AS work ON work.source_id = reads.source_id
    WHERE reads.input_id = %(source)s::bigint AND work.recompute IS NOT NULL
        AND (work.day - reads.before) * 86400000::bigint < %(before)s::bigint
)
"""

_FIRST_DAY = """
SELECT min(day) FROM (
    SELECT min(day) AS day FROM readings_segment WHERE source_id = %(source)s::bigint
    UNION ALL
    SELECT min(day) FROM readings_tail WHERE source_id = %(source)s::bigint
) AS held
"""


class UnfinishedError(Exception):
    """Hours and days before the seal are still being worked out: try again later."""


@dataclass(frozen=True)
class Going:
    """What sealing drops: whole UTC days, readings, their bytes, and steps nobody has decided on."""

    days: int = 0
    readings: int = 0
    bytes: int = 0
    steps: int = 0

    def __add__(self, other: Going) -> Going:
        return Going(
            self.days + other.days,
            self.readings + other.readings,
            self.bytes + other.bytes,
            self.steps + other.steps,
        )


def midnight(source: Source, day: date) -> int:
    """Where a local day of the source's house begins, ms."""
    return calendar.day_bounds(source.house.time_zone, day)[0]


def going(source: Source, before: int) -> Going:
    """What sealing `source` before that stamp (ms) would drop. Two queries."""
    ((days, readings, size),) = fetch(_GOING, {"source": source.pk, "end": before // DAY})
    return Going(days, readings, size, _undecided(source, before).waiting().count())


def seal(*, source: Source, day: date) -> Iterator[Going]:
    """Drop the readings of `source` before local `day`, oldest first, yielding what each transaction dropped.

    Ended early it leaves the source sealed so far. A source sealed up to a later day stays as it is. Raises
    UnfinishedError where hours and days are not worked out yet.
    """
    for piece in _pieces(source, day):
        dropped = _seal(source.pk, midnight(source, piece))
        if dropped is not None:
            yield dropped


def _pieces(source: Source, day: date) -> Iterator[date]:
    """The days to seal up to, one after the other."""
    ((first,),) = fetch(_FIRST_DAY, {"source": source.pk})
    if first is not None:
        piece = calendar.local_date(source.house.time_zone, first * DAY) + PIECE
        while piece < day:
            yield piece
            piece += PIECE
    yield day


def _seal(source_id: int, before: int) -> Going | None:
    """Seal in one transaction; None where the source is sealed up to there already, or is gone."""
    _finish(source_id, before)
    with transaction.atomic():
        locks.hold(source_id)
        source = Source.objects.select_related("house").filter(pk=source_id).first()
        if source is None or before <= (source.sealed_before or 0):
            return None
        if _waiting_rows(source_id, before) or _unfinished(source_id, before):
            raise UnfinishedError(f"{source} is still being worked out.")
        dropped = going(source, before)
        _drop(source, before)
        Source.objects.filter(pk=source_id).update(sealed_before=before)
    return dropped


def _finish(source_id: int, before: int) -> None:
    """Compact and roll up what waits before the seal; what another worker is busy with is left to it."""
    for day in _waiting_rows(source_id, before):
        compaction.compact(source_id, day)
    if _unfinished(source_id, before):
        working.follow(source_id)


def _waiting_rows(source_id: int, before: int) -> Collection[int]:
    """The days before the seal with tail rows."""
    return [day for (day,) in fetch(_WAITING_ROWS, {"source": source_id, "end": -(-before // DAY)})]


def _unfinished(source_id: int, before: int) -> bool:
    asked = {"source": source_id, "day": before // DAY, "before": before}
    return bool(fetch(_UNFINISHED, asked)[0][0])


def _undecided(source: Source, before: int) -> QuarantinedStepQuerySet:
    """Steps before the seal: nothing can follow from a decision on them any more."""
    return QuarantinedStep.objects.filter(series__source=source, stamp__lt=before)


def _drop(source: Source, before: int) -> None:
    _undecided(source, before).delete()
    for table in _TABLES:
        run(
            f"DELETE FROM {table} WHERE source_id = %(source)s::bigint AND day < %(end)s::int",  # noqa: S608
            {"source": source.pk, "end": before // DAY},
        )
