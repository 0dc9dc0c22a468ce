"""The chart of a house's page: today's power by role.

Powers are in kW and the house's convention (see `roles`); instants are Unix milliseconds UTC.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from apps.devices.roles import LOOKS, RoleField, with_role
from apps.devices.stand_ins import StandIn
from apps.houses.models import House
from apps.readings import bins, calendar

Array = NDArray[np.float64]


def today(
    house: House, fields: Sequence[RoleField], *, now: int, others: Sequence[StandIn] = ()
) -> dict[str, Any]:
    """A Plotly figure of the powers of the day of `now` (ms) as 5-minute means, from midnight to midnight.

    Of the roles that `fields` hold, or `others` stand in for. x is the instant (ms): Plotly knows no zones,
    and on the day the clocks go back an hour of local times comes twice. The local times travel as texts, at
    each point and at each tick. A gap is null.
    """
    begin, end = calendar.day_bounds(house.time_zone, calendar.local_date(house.time_zone, now))
    starts = calendar.edges(house.time_zone, "5m", begin, now + 1)[:-1].tolist()
    texts = local_texts(house.time_zone, starts)
    powers = _means(house, fields, begin, now) | {
        one.role: means for one in others if (means := one.means(begin, now + 1)).size == len(starts)
    }
    traces = [_trace(role, powers[role], starts, texts) for role in LOOKS if role in powers]
    return {"data": traces, "layout": _layout(house.time_zone, begin, end)}


def _means(house: House, fields: Sequence[RoleField], begin: int, now: int) -> dict[str, Array]:
    """The sum over the fields of each role."""
    known = [field for field in fields if field.role in LOOKS]
    means = bins.binned_means(
        [field.series for field in known], zone=house.time_zone, every="5m", start=begin, end=now + 1
    )
    return {
        role: np.sum([means[one.series.pk].values * one.factor for one in members], axis=0)
        for role in LOOKS
        if (members := with_role(known, role))
    }


def _trace(role: str, values: Array, starts: Sequence[int], texts: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": LOOKS[role].title,
        "meta": {"role": role},
        "x": starts,
        "y": [round(value, 3) if math.isfinite(value) else None for value in values.tolist()],
        "text": texts,
        "hovertemplate": "%{text}  %{y:.2f} kW",
        "connectgaps": False,
        **marks(values),
    }


def marks(values: Array) -> dict[str, Any]:
    """Lines; a value between two gaps has no line to be on and is a dot."""
    present = np.concatenate(([False], np.isfinite(values), [False]))
    alone = present[1:-1] & ~present[:-2] & ~present[2:]
    if not alone.any():
        return {"mode": "lines"}
    return {"mode": "lines+markers", "marker": {"size": np.where(alone, 5, 0).tolist()}}


def local_texts(zone: str, instants: Sequence[int]) -> list[str]:
    """Instants (ms) as local hours and minutes, with the zone's abbreviation when that changes among them."""
    local = [datetime.fromtimestamp(instant / 1000, ZoneInfo(zone)) for instant in instants]
    changes = len({moment.utcoffset() for moment in local}) > 1
    return [moment.strftime("%H:%M %Z" if changes else "%H:%M") for moment in local]


def day_axis(zone: str, begin: int, end: int) -> dict[str, Any]:
    """The x axis of a day, with a tick at each hour."""
    hours = calendar.edges(zone, "1h", begin, end).tolist()
    return {
        "type": "linear",
        "range": [begin, end],
        "tickmode": "array",
        "tickvals": hours,
        "ticktext": [text[:5] for text in local_texts(zone, hours)],
        "title": {"text": f"Local time, {zone}"},
    }


def _layout(zone: str, begin: int, end: int) -> dict[str, Any]:
    return {
        "xaxis": day_axis(zone, begin, end),
        "yaxis": {"title": {"text": "kW"}, "fixedrange": True, "zeroline": True},
        "hovermode": "x",
        "showlegend": False,
        # The zoom survives a refresh within the day.
        "uirevision": begin,
    }
