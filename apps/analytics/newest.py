"""The newest values of many items at once: their formulas on the newest readings, or what was kept last."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.analytics.definitions import Formulas, averages
from apps.analytics.formula import Field, FormulaError, Node, expand, references
from apps.analytics.inputs import Bound
from apps.analytics.live import Live, live
from apps.analytics.models import AnalyticsItem
from apps.devices.panes import age
from apps.readings import store
from apps.readings.models import Namespace, Series
from apps.readings.names import VALUE
from apps.readings.times import milliseconds

_Place = tuple[int, str, str]  # house, source, field


@dataclass(frozen=True)
class Newest:
    """A value in words, a dash where there is none, and how long ago its oldest reading was."""

    value: str = "–"
    age: str = ""


def newest_of(items: Sequence[AnalyticsItem], now: datetime) -> dict[int, Newest]:
    """The newest value of each item by its id; the queries do not grow with items and houses.

    A single reading does not tell an average: of that, what was kept last is the newest. Events have none.
    """
    computed = live(_bounds(items))
    kept = store.latest([item.source_id for item in items if item.source_id])
    return {
        item.pk: _shown(item, computed.get(str(item.pk)) or _last(kept.get(item.source_id or 0, {})), now)
        for item in items
    }


def _bounds(items: Sequence[AnalyticsItem]) -> dict[str, Bound]:
    """The formulas of the items, by their ids; those with averages, and those that fail, are left out."""
    nodes = _nodes(items)
    known = _series(items, nodes)
    bounds = {}
    for item in items:
        fields = references(nodes[item.pk]).series if item.pk in nodes else ()
        series = {one: known.get((item.house_id, one.source, one.field)) for one in fields}
        found = {field: one for field, one in series.items() if one is not None}
        if item.pk in nodes and len(found) == len(series) and not averages(nodes[item.pk]):
            bounds[str(item.pk)] = Bound(item.house, nodes[item.pk], found)
    return bounds


def _nodes(items: Sequence[AnalyticsItem]) -> dict[int, Node]:
    """The formulas of the items, written out; those that cannot be are left out."""
    texts: dict[int, dict[str, str]] = defaultdict(dict)
    stored = AnalyticsItem.objects.filter(house__in={item.house_id for item in items}).order_by()
    for house, name, formula in stored.values_list("house", "name", "formula"):
        texts[house][name] = formula
    formulas = {house: Formulas(own) for house, own in texts.items()}
    nodes = {}
    for item in items:
        try:
            nodes[item.pk] = expand(formulas[item.house_id][item.name], formulas[item.house_id])
        except FormulaError:
            continue
    return nodes


def _series(items: Sequence[AnalyticsItem], nodes: Mapping[int, Node]) -> dict[_Place, Series]:
    """The series that the formulas read, and of the same names in the other houses."""
    fields: set[Field] = {field for node in nodes.values() for field in references(node).series}
    found = Series.objects.filter(
        source__house__in={item.house_id for item in items},
        source__name__in={field.source for field in fields},
        field__in={field.field for field in fields},
    ).exclude(source__namespace=Namespace.ANALYTICS)
    return {(one.source.house_id, one.source.name, one.field): one for one in found.select_related("source")}


def _last(kept: Mapping[str, tuple[int, float | str | bool]]) -> Live | None:
    if VALUE not in kept:
        return None
    stamp, value = kept[VALUE]
    return Live(float(value), stamp, "")


def _shown(item: AnalyticsItem, found: Live | None, now: datetime) -> Newest:
    if found is None or found.value is None or not math.isfinite(found.value):
        return Newest()
    number = f"{found.value:.4g}" if abs(found.value) < 10_000 else f"{found.value:,.0f}"
    since = "" if found.stamp is None else age(milliseconds(now) - found.stamp)
    return Newest(f"{number.replace('-', '−')} {item.unit or found.unit}".strip(), since)
