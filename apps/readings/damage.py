"""Source-days that cannot be worked on because what is stored of them, or near them, is damaged.

The work stays marked and is tried again by each sweep, after all other work. Who repaired a day, say from a
backup, has nothing else to do.
"""

from __future__ import annotations

from enum import StrEnum

from apps.readings.codec import CorruptPayload
from apps.readings.sql import run


class Step(StrEnum):
    """What cannot be done to a source-day."""

    COMPACT = "compact"
    COMPUTE = "compute"
    ROLL = "roll"


_NOTE = """
INSERT INTO readings_damage (source_id, day, step, error)
VALUES (%(source)s::bigint, %(day)s::int, %(step)s::text, %(error)s::text)
ON CONFLICT (source_id, day, step) DO UPDATE SET error = excluded.error
"""

# What is no longer waiting was done, or went with its readings.
_OVER = """
DELETE FROM readings_damage AS damage WHERE NOT CASE step
    WHEN 'compact' THEN EXISTS (
        SELECT FROM readings_tail AS tail WHERE (tail.source_id, tail.day) = (damage.source_id, damage.day)
    )
    ELSE EXISTS (
        SELECT FROM readings_invalidation AS work
        WHERE (work.source_id, work.day) = (damage.source_id, damage.day)
            AND (work.recompute IS NOT NULL OR step = 'roll')
    )
END
"""


def note(source_id: int, day: int, step: Step, error: CorruptPayload) -> None:
    """Remember that `step` cannot be done to a source-day."""
    run(_NOTE, {"source": source_id, "day": day, "step": step, "error": str(error)[:300]})


def forget_repaired() -> None:
    """Forget what is not waiting any more."""
    run(_OVER, {})
