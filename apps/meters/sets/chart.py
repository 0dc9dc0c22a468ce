"""The chart of a house's meters: the derived one and what it is made of, over yesterday and today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from apps.houses.models import House
from apps.meters.physics.balance import Role, Target
from apps.meters.physics.derivation import at
from apps.meters.physics.summary import field_of
from apps.readings import calendar
from apps.readings.samples import EMPTY, Samples

TITLES = {
    Target.UTILITY: "Utility",
    Target.LOAD: "Load",
    Target.SOLAR: "Solar",
    Target.RESIDUAL: "Left over",
    Target.SUM: "Sum",
}
LOOKS = {Role.SOLAR: "solar", Role.LOAD: "load", Role.UTILITY: "grid", Role.BATTERY: "battery"}
"""The colour of each role, as on the rest of the page."""
HOURS = 6


def figure(house: House, target: Target, fields: Mapping[str, Samples], now: int) -> dict[str, Any]:
    """A Plotly figure of mean powers (kW) of intervals; x is an interval's begin (ms), a gap is null."""
    begin, end = calendar.day_bounds(house.time_zone, calendar.local_date(house.time_zone, now))
    before = calendar.day_bounds(house.time_zone, calendar.local_date(house.time_zone, begin - 1))[0]
    lengths = fields.get("_length", EMPTY)
    parts = [(TITLES[target], "derived", fields.get("power", EMPTY))]
    parts += [
        (role.title(), look, fields.get(field_of(target, role), EMPTY))
        for role, look in LOOKS.items()
        if role.value != target.value
    ]
    traces = [
        _trace(house, title, look, samples.between(before + 1, end + 1), lengths)
        for title, look, samples in parts
        if len(samples)
    ]
    return {"data": traces, "layout": _layout(house.time_zone, before, end)}


def _trace(house: House, title: str, look: str, power: Samples, lengths: Samples) -> dict[str, Any]:
    begins = power.stamps - at(power.stamps, lengths).astype(np.int64)
    x, y = _steps(begins.tolist(), power.stamps.tolist(), power.values.tolist())
    return {
        "type": "scatter",
        "mode": "lines",
        "name": title,
        "meta": {"look": look},
        "line": {"shape": "hv"},
        "x": x,
        "y": y,
        "text": _texts(house.time_zone, x),
        "hovertemplate": "%{text}  %{y:.2f} kW",
        "connectgaps": False,
    }


def _steps(
    begins: Sequence[int], ends: Sequence[int], values: Sequence[float]
) -> tuple[list[int], list[float | None]]:
    """A step for each interval; a break where the next begins later than one ends."""
    x: list[int] = []
    y: list[float | None] = []
    for place, (begin, end, value) in enumerate(zip(begins, ends, values, strict=True)):
        x.append(begin)
        y.append(round(value, 3))
        if place + 1 == len(begins) or begins[place + 1] > end:
            x += [end, end]
            y += [round(value, 3), None]
    return x, y


def _texts(zone: str, instants: Sequence[int]) -> list[str]:
    tz = ZoneInfo(zone)
    return [datetime.fromtimestamp(instant / 1000, tz).strftime("%a %H:%M") for instant in instants]


def _layout(zone: str, begin: int, end: int) -> dict[str, Any]:
    hours = calendar.edges(zone, "1h", begin, end).tolist()
    tz = ZoneInfo(zone)
    local = [datetime.fromtimestamp(hour / 1000, tz) for hour in hours]
    kept = [(hour, moment) for hour, moment in zip(hours, local, strict=True) if moment.hour % HOURS == 0]
    return {
        "xaxis": {
            "type": "linear",
            "range": [begin, end],
            "tickmode": "array",
            "tickvals": [hour for hour, _ in kept],
            "ticktext": [
                f"{moment:%a} {moment.day}" if moment.hour == 0 else f"{moment:%H:%M}" for _, moment in kept
            ],
        },
        "yaxis": {"title": {"text": "kW"}, "fixedrange": True, "zeroline": True},
        "hovermode": "x unified",
        "showlegend": True,
        "uirevision": begin,
    }
