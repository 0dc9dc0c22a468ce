"""The chart of a report, as a Plotly figure without colours: the page's script knows the theme.

x is the instant (ms) at which a bin begins, as in the chart of the house's page: Plotly knows no zones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from apps.analytics.reports import courses, words
from apps.analytics.reports.courses import Array
from apps.analytics.reports.report import Line, Report, Trace

_FILLED = 0.86
"""The part of a bin's width that its bars take."""

_TICKS = 12
_DOTS = 40
"""More points than that are a line without dots."""


def figure(report: Report) -> dict[str, Any]:
    """Bars of energy, the running sum or the level as a line, and a hatched band over what is not known."""
    names = [words.bin_name(start, report.every, report.zone) for start in report.starts]
    lasting = np.diff(report.starts, append=report.period.end).astype(np.float64)
    data = [_bars(report, place, trace, lasting, names) for place, trace in enumerate(report.traces)]
    if report.line is not None:
        data.append(_line(report, report.line, lasting, names))
    data.append(_gaps(report, lasting, names))
    return {"data": data, "layout": _layout(report)}


def _bars(report: Report, place: int, trace: Trace, lasting: Array, names: list[str]) -> dict[str, Any]:
    width = lasting * _FILLED / len(report.traces)
    return {
        "type": "bar",
        "name": trace.bar.energy,
        "meta": {"item": trace.bar.item, "tone": trace.bar.tone, "unit": "kWh"},
        "x": report.starts,
        "y": numbers(trace.values),
        "width": width.tolist(),
        "offset": (lasting * (1 - _FILLED) / 2 + place * width).tolist(),
        "text": names,
        "customdata": numbers(trace.coverage, 4),
        # A bar over which something is missing looks it, beside the band that says so.
        "marker": {"pattern": {"shape": ["/" if part < courses.FULL else "" for part in trace.coverage]}},
    }


def _line(report: Report, line: Line, lasting: Array, names: list[str]) -> dict[str, Any]:
    """A running total is known where a bin ends, a level in its middle."""
    shift = lasting / 2 if line.unit == "%" else lasting
    return {
        "type": "scatter",
        "mode": "lines" if len(names) > _DOTS else "lines+markers",
        "name": line.name,
        "meta": {"line": True, "unit": line.unit},
        "x": (np.array(report.starts) + shift).tolist(),
        "y": numbers(line.values),
        "yaxis": "y2",
        "text": names,
        "connectgaps": False,
    }


def _gaps(report: Report, lasting: Array, names: list[str]) -> dict[str, Any]:
    """Bars of full height where less than the usual part of a bin was measured."""
    lacking = report.coverage < courses.FULL
    return {
        "type": "bar",
        "name": "Not measured",
        "meta": {"gaps": True},
        "x": np.array(report.starts)[lacking].tolist(),
        "y": [1] * int(lacking.sum()),
        "width": lasting[lacking].tolist(),
        "offset": 0,
        "yaxis": "y3",
        "text": [name for name, gap in zip(names, lacking.tolist(), strict=True) if gap],
        "hoverinfo": "skip",
    }


def _layout(report: Report) -> dict[str, Any]:
    step = -(-len(report.starts) // _TICKS)
    shown = report.starts[::step]
    return {
        "xaxis": {
            "type": "linear",
            "range": [report.period.start, report.period.end],
            "tickmode": "array",
            "tickvals": shown,
            "ticktext": [words.tick(start, report.every, report.zone) for start in shown],
        },
        "yaxis": {"title": {"text": "kWh"}, "rangemode": "tozero"},
        "yaxis2": _second_axis(report.line),
        "yaxis3": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        "barmode": "overlay",
        "showlegend": False,
        "hovermode": "x",
    }


def _second_axis(line: Line | None) -> dict[str, Any]:
    axis: dict[str, Any] = {"overlaying": "y", "side": "right", "rangemode": "tozero", "showgrid": False}
    if line is None:
        return {**axis, "visible": False}
    if line.unit == "%":
        return {**axis, "title": {"text": "%"}, "range": [0, 100]}
    return {**axis, "title": {"text": "kWh, running total"}}


def numbers(values: Array, decimals: int = 6) -> list[float | None]:
    """Rounded for the wire, with None for what is missing."""
    return [round(value, decimals) if math.isfinite(value) else None for value in values.tolist()]
