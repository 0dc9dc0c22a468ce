"""Hints that a source-day is worth compacting now. The sweep finds all work without them."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock

from config.hints import send_soon

ROWS = 48
QUIET = timedelta(seconds=5)  # after a hint: an agent that empties its spool would ask many times a second
_SWEPT_AFTER = timedelta(seconds=90)  # by then the sweep has come by, and counting starts again
_COUNTERS = 10_000


class Arrivals:
    """Counts tail rows per source-day in this process: a number in memory, no query.

    With several web processes the hint comes later than at 48 rows, never wrongly.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[int, int], tuple[int, datetime]] = {}
        self._lock = Lock()

    def full(self, source_id: int, day: int, at: datetime) -> bool:
        """Count one row; whether it is the 48th since the sweep may have come by, or since the last hint."""
        with self._lock:
            count, since = self._counts.get((source_id, day), (0, at))
            if timedelta(0) < since - at <= QUIET:
                return False
            if at - since > _SWEPT_AFTER:
                count, since = 0, at
            full = count + 1 >= ROWS
            if len(self._counts) >= _COUNTERS:
                self._counts.clear()
            self._counts[source_id, day] = (0, at + QUIET) if full else (count + 1, since)
            return full


_arrivals = Arrivals()


def arrived(source_id: int, day: int, *, at: datetime) -> None:
    """Note one new tail row; the 48th in a short time asks for compaction, at most every five seconds."""
    if _arrivals.full(source_id, day, at):
        compact_soon(source_id, day)


def compact_soon(source_id: int, day: int) -> None:
    """Ask a worker to compact the source-day once the transaction has committed."""
    send_soon("readings.compact_day", source_id, day)
