"""A chart of what a formula would have given lately."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from apps.analytics import definitions
from apps.analytics.evaluation import evaluate
from apps.analytics.formula import Shape
from apps.analytics.load import TooMuchError
from apps.analytics.models import AnalyticsItem
from apps.devices.chart import local_texts
from apps.houses.models import House
from apps.readings import calendar
from apps.readings.samples import Stamps, Values
from apps.readings.times import milliseconds


class Span(NamedTuple):
    """How far back a chart goes, in which means, and where its axis has marks."""

    back: timedelta
    every: str
    means: str
    marks: str


SPANS = {
    "day": Span(timedelta(days=1), "5m", "means of 5 minutes", "1h"),
    "week": Span(timedelta(days=7), "1h", "hourly means", "1d"),
}


def of(item: AnalyticsItem, span: str, now: datetime) -> dict[str, Any]:
    """What `item`, saved or not, gave up to `now`.

    A Plotly figure, None where there is nothing to draw; a summary for those who do not see it, and a note.
    Raises FormulaError for a formula that cannot be evaluated.
    """
    definition = definitions.define(item)
    end = milliseconds(now)
    start = end - round(SPANS[span].back.total_seconds() * 1000)
    if definition.shape is Shape.NUMBER:
        return _words("It is a number that never changes; there is nothing to draw.")
    happened = definition.shape is Shape.EVENTS
    try:
        answer = evaluate(
            definition.bound, start=start, end=end, every=None if happened else SPANS[span].every
        )
    except TooMuchError as error:
        return _words(str(error))
    stamps, values, unit = answer.stamps, answer.values, item.unit or answer.unit
    if stamps is None or values is None or not np.isfinite(values).any():
        return _words(f"It gave nothing in the last {span}: there are no readings, or none at the same time.")
    least, most = np.nanmin(values), np.nanmax(values)
    summary = f"The last {span}: from {least:.4g} to {most:.4g} {unit}".strip().replace("-", "−")
    shown = "each event" if happened else SPANS[span].means
    return {
        "figure": {
            "data": [_trace(item.house, stamps, values, unit, happened=happened)],
            "layout": _layout(item.house, unit, SPANS[span].marks, start, end),
        },
        "summary": summary,
        "note": f"{summary}. Drawn: {shown}, in the time of {item.house.time_zone}.",
    }


def _trace(house: House, stamps: Stamps, values: Values, unit: str, *, happened: bool) -> dict[str, Any]:
    present = np.concatenate(([False], np.isfinite(values), [False]))
    alone = present[1:-1] & ~present[:-2] & ~present[2:]  # what no line leads to is a dot
    dots = np.ones(values.size, bool) if happened else alone
    return {
        "type": "scatter",
        "x": stamps.tolist(),
        "y": [float(f"{value:.6g}") if math.isfinite(value) else None for value in values.tolist()],
        "text": _texts(house, stamps.tolist()),
        "hovertemplate": f"%{{text}}  %{{y}} {unit}<extra></extra>",
        "connectgaps": False,
        "mode": "markers" if happened else "lines+markers",
        "marker": {"size": np.where(dots, 6, 0).tolist()},
    }


def _texts(house: House, stamps: Sequence[int]) -> list[str]:
    zone = ZoneInfo(house.time_zone)
    days = (datetime.fromtimestamp(stamp / 1000, zone) for stamp in stamps)
    clocks = local_texts(house.time_zone, stamps)
    return [f"{day:%a} {clock}" for day, clock in zip(days, clocks, strict=True)]


def _layout(house: House, unit: str, marks: str, start: int, end: int) -> dict[str, Any]:
    zone = ZoneInfo(house.time_zone)
    instants = [
        one for one in calendar.edges(house.time_zone, marks, start, end).tolist() if start <= one <= end
    ]
    words = "%H:%M" if marks == "1h" else "%a %-d"
    return {
        "xaxis": {
            "type": "linear",
            "range": [start, end],
            "tickmode": "array",
            "tickvals": instants,
            "ticktext": [f"{datetime.fromtimestamp(one / 1000, zone):{words}}" for one in instants],
        },
        "yaxis": {"title": {"text": unit}, "zeroline": True},
        "showlegend": False,
        "hovermode": "closest",
    }


def _words(note: str) -> dict[str, Any]:
    return {"figure": None, "summary": "", "note": note}
