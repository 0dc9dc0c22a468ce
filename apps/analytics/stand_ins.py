"""Items with a role stand in on a house's page where no device has that role."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from apps.alerts import detection
from apps.analytics.formula import FormulaError
from apps.analytics.inputs import Bound
from apps.analytics.live import Live, live
from apps.analytics.models import AnalyticsItem
from apps.analytics.reports.asking import HouseAsk
from apps.analytics.required import NAMES
from apps.devices.stand_ins import Means, StandIn
from apps.houses.models import House
from apps.readings.models import Dependency
from apps.readings.sql import array, fetch
from apps.readings.times import milliseconds

LATELY = 2
"""UTC days, with that of tomorrow, that a local day can touch."""

_VERSIONS = """
SELECT source.id, max(tail.newest), sum(held.revision)::bigint, sum(held.count)::bigint
FROM unnest(%(sources)s::bigint[]) AS source (id)
CROSS JOIN LATERAL (SELECT max(id) AS newest FROM readings_tail WHERE source_id = source.id) AS tail
LEFT JOIN readings_segment AS held ON held.source_id = source.id AND held.day >= %(since)s
GROUP BY source.id
"""


def find(house: House, roles: Collection[str], now: datetime) -> Sequence[StandIn]:
    """The stand-ins of the house's items; none of an item that means nothing or reads what is disabled."""
    items = _items(house, roles)
    ask = HouseAsk(house, milliseconds(now))
    bounds = {item.role: bound for item in items if (bound := _usable(ask.bound(item.name)))}
    if not bounds:
        return []
    values, silent, arrived = live(bounds), _silent(bounds, now), _arrived(bounds, now)
    return [
        _stand_in(item, bounds[item.role], ask, values[item.role], silent, arrived)
        for item in items
        if item.role in bounds
    ]


def _items(house: House, roles: Collection[str]) -> list[AnalyticsItem]:
    """One for each role: that of the sixteen required ones if there are several, else the first by name."""
    found: dict[str, AnalyticsItem] = {}
    items = AnalyticsItem.objects.filter(house=house, role__in=roles)
    for item in sorted(items, key=lambda one: (one.name not in NAMES, one.name)):
        found.setdefault(item.role, item)
    return list(found.values())


def _usable(bound: Bound | None) -> Bound | None:
    if bound is None or not bound.series:
        return None
    return bound if all(one.source.enabled for one in bound.series.values()) else None


def _stand_in(
    item: AnalyticsItem,
    bound: Bound,
    ask: HouseAsk,
    found: Live,
    silent: Collection[int],
    arrived: Mapping[int, str],
) -> StandIn:
    return StandIn(
        role=item.role,
        name=str(item),
        value=found.value if found.value is not None and np.isfinite(found.value) else None,
        stamp=found.stamp,
        cadence=max(one.cadence or 0 for one in bound.series.values()),
        silent=any(source in silent for source in bound.source_ids),
        version=repr((item.version, sorted(arrived[source] for source in bound.source_ids))),
        means=_means(ask, item.name),
    )


def _means(ask: HouseAsk, item: str) -> Means:
    def means(start: int, end: int) -> NDArray[np.float64]:
        try:
            course = ask.course(item, every="5m", start=start, end=end, aggregate="mean")
        except FormulaError:  # it reads more than may be read at once
            course = None
        return np.empty(0) if course is None else course.values

    return means


def _silent(bounds: Mapping[str, Bound], now: datetime) -> set[int]:
    """The sources that are silent; a computed one is when any of those is that it is computed from."""
    sources = _sources(bounds)
    inputs = list(Dependency.objects.filter(source__in=sources).order_by().values_list("source", "input"))
    silent = detection.silent(sources.union(one for _, one in inputs), now)
    return silent.union(source for source, one in inputs if one in silent)


def _arrived(bounds: Mapping[str, Bound], now: datetime) -> dict[int, str]:
    """What differs whenever anything changes in the readings of a source that a local today can hold."""
    since = milliseconds(now) // 86_400_000 - LATELY
    rows = fetch(_VERSIONS, {"sources": array(_sources(bounds)), "since": since})
    return {source: repr(rest) for source, *rest in rows}


def _sources(bounds: Mapping[str, Bound]) -> set[int]:
    return {source for bound in bounds.values() for source in bound.source_ids}
