"""Up to when the kept results of an item are what its formula would give now."""

from __future__ import annotations

from apps.analytics.models import AnalyticsItem
from apps.readings.samples import DAY
from apps.readings.sql import fetch

# Days to be computed again, and days of inputs that hold something which no computation has seen yet.
_STALE = """
SELECT min(day) FROM (
    SELECT day FROM readings_invalidation WHERE source_id = %(source)s::bigint AND recompute IS NOT NULL
    UNION ALL
    SELECT day FROM analytics_itemday WHERE source_id = %(source)s::bigint AND due
    UNION ALL
    SELECT changed.day - reads.before - reads.after
    FROM readings_dependency AS reads
    CROSS JOIN LATERAL (
        SELECT day FROM readings_tail WHERE source_id = reads.input_id
        UNION ALL
        SELECT day FROM readings_invalidation WHERE source_id = reads.input_id AND recompute IS NOT NULL
    ) AS changed
    WHERE reads.source_id = %(source)s::bigint
) AS stale
"""


def kept_until(item: AnalyticsItem, *, now: int) -> int:
    """Before which instant (ms) what is kept of `item` is up to date; 0 when nothing is kept.

    The UTC day of `now` (ms) and the one before are never counted on: readings of theirs are on their way.
    """
    if not item.aggregated or item.source_id is None:
        return 0
    ((stale,),) = fetch(_STALE, {"source": item.source_id})
    recent = now // DAY - 1
    return int(recent if stale is None else min(stale, recent)) * DAY
