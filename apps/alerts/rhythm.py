"""When a source is silent: by the cadence it declares and by how it is used to arrive.

A meter that uploads a whole day at once says nothing for a day and is not silent; an inverter that measures
zero all night says so and is not silent either. Pure; stamps and spans in Unix ms.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

NOTED_EVERY = 5 * MINUTE
"""How often the arrival of a lively source is written down."""
LIVELY = 2 * NOTED_EVERY
"""Shorter pauses are none: they are not measured more finely than they are written down."""
SHORTEST = 5 * MINUTE
UNKNOWN = 26 * HOUR
"""Patience with a source whose rhythm is not learnt: it may well upload once a day."""
LEARNT_AFTER = 3  # arrivals
DAYS = 7
FACTOR = 1.5


@dataclass(frozen=True)
class Rhythm:
    """How a source arrives.

    `newest` is its newest stamp when it last arrived, at `heard_at`; `arrivals` counts how often that was
    noted; `pauses` is the longest pause that ended on each of the last seven UTC days with arrivals.
    """

    heard_at: int
    newest: int | None = None
    arrivals: int = 0
    pauses: Mapping[int, int] = field(default_factory=dict)


def heard(rhythm: Rhythm, newest: int | None, now: int) -> Rhythm:
    """The rhythm after a look at the source's newest stamp; the same object when there is nothing to note."""
    if newest is None or (rhythm.newest is not None and newest <= rhythm.newest):
        return rhythm
    if rhythm.newest is None:
        return replace(rhythm, heard_at=now, newest=newest)
    pause = now - rhythm.heard_at
    if pause < NOTED_EVERY:
        return rhythm
    day = now // DAY
    longest = max(rhythm.pauses.get(day, 0), 0 if pause < LIVELY else pause)
    pauses = dict(sorted({**rhythm.pauses, day: longest}.items())[-DAYS:])
    # A lively source may have come some minutes before it is noted; then its reading tells when.
    at = newest if pause < LIVELY and rhythm.heard_at < newest < now else now
    return Rhythm(at, newest, rhythm.arrivals + 1, pauses)


def patience(rhythm: Rhythm, cadence_ms: float) -> int:
    """How long the source may say nothing.

    The median of the days' longest pauses counts, so that a few outages within a week teach no patience.
    """
    declared = max(SHORTEST, 3 * cadence_ms)
    if rhythm.arrivals < LEARNT_AFTER:
        return round(max(declared, UNKNOWN))
    return round(max(declared, FACTOR * statistics.median_high(rhythm.pauses.values())))


def last_heard(rhythm: Rhythm, newest: int | None, now: int) -> int:
    """When the source was heard last: a lively one is heard more often than it is noted."""
    return max(rhythm.heard_at, min(newest or 0, now))


def is_silent(rhythm: Rhythm, newest: int | None, cadence_ms: float, now: int) -> bool:
    """Whether nothing newer came for longer than the source's rhythm explains."""
    return now - last_heard(rhythm, newest, now) > patience(rhythm, cadence_ms)
