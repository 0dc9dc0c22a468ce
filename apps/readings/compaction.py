"""Compaction: the tail of a source-day becomes segments, one per series, on as few clocks as there are.

Everything that rewrites a day holds the source's lock from its first statement to its commit, so that no two
ever start from the same old segments.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.db import transaction

from apps.readings import damage, days, locks, marks
from apps.readings.arrivals import after, decode_rows, settle, touched
from apps.readings.codec import Arrival, CorruptPayload, Tombstone
from apps.readings.models import Source
from apps.readings.samples import DAY
from apps.readings.sql import fetch

logger = logging.getLogger(__name__)

ROWS = 12
AGE = timedelta(minutes=10)
SWEEP_S = 45.0  # a sweep ends before the next begins

# A day that is over is compacted whenever something arrives for it.
_DUE = """
SELECT source_id, day FROM readings_tail
GROUP BY source_id, day
HAVING count(*) >= %(rows)s::int OR min(received_at) <= %(before)s::timestamptz OR day < %(today)s::int
ORDER BY min(id)
"""


def compact(source_id: int, day: int) -> bool:
    """Merge the tail of a source-day into its segments; False when another has the source's lock.

    A series whose samples do not change is not written, and only a day that changes is marked to be rolled
    up. Readings older than the seal are discarded.
    """
    with transaction.atomic():
        if not locks.try_hold(source_id):
            return False
        _merge_tail(days.load(source_id, day))
    return True


def sweep(*, now: datetime, seconds: float = SWEEP_S) -> int:
    """Compact what is due, oldest first, starting none after `seconds`; returns how many source-days it did.

    Due is what has 12 tail rows, one that waits for ten minutes, or a day that is over. What another worker
    is busy with, or what fails, is left to the next sweep.
    """
    until = time.monotonic() + seconds
    done = 0
    for source_id, day in _due(now):
        if time.monotonic() >= until:
            break
        done += _tried(source_id, day)
    return done


def _due(now: datetime) -> list[tuple[int, int]]:
    today = int(now.timestamp() * 1000) // DAY
    rows = fetch(_DUE, {"rows": ROWS, "before": now - AGE, "today": today})
    return [(source_id, day) for source_id, day in rows]


def _tried(source_id: int, day: int) -> bool:
    try:
        return compact(source_id, day)
    except Exception as error:
        logger.exception("Could not compact day %s of source %s", day, source_id)
        if isinstance(error, CorruptPayload):
            damage.note(source_id, day, damage.Step.COMPACT, error)
        return False


def _merge_tail(stored: days.StoredDay) -> frozenset[int]:
    """Returns the series that changed."""
    arrivals = _unsealed(stored)
    series = touched(arrivals)
    before = {number: stored.samples(number) for number in series}
    changed = days.write(stored, settle(before, arrivals, series))
    if changed:
        marks.changed(stored.source_id, [stored.day])
    days.drop_tail(stored)
    return changed


def _unsealed(stored: days.StoredDay) -> list[Arrival | Tombstone]:
    """What the tail holds, without readings that reached it while the source was being sealed."""
    arrivals = decode_rows(stored.tail)
    sealed_before = Source.objects.values_list("sealed_before", flat=True).filter(pk=stored.source_id).first()
    if sealed_before is None:
        return arrivals
    kept, dropped = after(sealed_before, arrivals)
    if dropped:
        logger.warning("Discarded %s readings of source %s: older than its seal", dropped, stored.source_id)
    return kept
