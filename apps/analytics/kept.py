"""Items in bins: from what is kept of them as far as that is up to date, and from there on by their formula.

Both give the same numbers. What is kept answers at once over years, and of days whose readings are sealed it
is all there is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from apps.analytics.evaluation import Answer, evaluate
from apps.analytics.formula import Shape
from apps.analytics.inputs import Bound
from apps.analytics.models import AnalyticsItem
from apps.readings import bins, calendar
from apps.readings.models import Series
from apps.readings.names import VALUE
from apps.readings.samples import DAY, Stamps
from apps.readings.sql import fetch
from apps.readings.units import of_aggregate

AGGREGATES = ("mean", "integral")
"""What kept results tell in the formula's stead: over pieces of time, not over values, which may differ."""

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


def binned(
    item: AnalyticsItem, bound: Bound, *, start: int, end: int, every: str, aggregate: str, now: int
) -> Answer:
    """`item`, whose formula is `bound`, in bins that cover [start, end) ms, as of `now` (ms).

    The answer and the errors are those of `evaluate`.
    """
    edges = calendar.edges(bound.house.time_zone, every, start, end)
    series = _series(item) if every in bins.STORED and aggregate in AGGREGATES else None
    until = kept_until(item, now=now) if series else 0
    cut = max(0, int(np.searchsorted(edges, until, "right")) - 1)
    fresh = None
    if series is None or cut == 0:
        return evaluate(bound, start=start, end=end, every=every, aggregate=aggregate)
    if cut < edges.size - 1:
        begin, last = int(edges[cut]), int(edges[-1])
        fresh = evaluate(bound, start=begin, end=last, every=every, aggregate=aggregate)
    return _joined(_kept(series, bound, edges[: cut + 1], every, aggregate), fresh)


def _series(item: AnalyticsItem) -> Series | None:
    if not item.aggregated or item.source_id is None:
        return None
    return Series.objects.filter(source=item.source_id, field=VALUE).first()


def _kept(series: Series, bound: Bound, edges: Stamps, every: str, aggregate: str) -> Answer:
    start, end = int(edges[0]), int(edges[-1])
    found = bins.binned([series], zone=bound.house.time_zone, every=every, start=start, end=end)[series.pk]
    values = np.where(found.covered > 0, getattr(found, aggregate), np.nan)
    unit = of_aggregate(aggregate, series.unit)
    return Answer(unit, Shape.SIGNAL, found.edges[:-1], values, found.coverage)


def _joined(kept: Answer, fresh: Answer | None) -> Answer:
    if fresh is None:
        return kept
    columns: dict[str, Any] = {
        name: np.concatenate((getattr(kept, name), getattr(fresh, name)))
        for name in ("stamps", "values", "coverage")
    }
    return replace(fresh, **columns)
