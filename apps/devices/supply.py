"""What the mains delivers: today's voltage and frequency of a house, as a panel of its page.

Voltages are in V, frequencies in Hz; instants are Unix milliseconds UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import numpy as np

from apps.accounts.models import User
from apps.devices import chart
from apps.houses.models import House
from apps.houses.panels import LiveData, Panel, patient
from apps.readings import bins, calendar
from apps.readings.models import Kind, Namespace, Series, Tail
from apps.readings.times import milliseconds

VOLTAGE, FREQUENCY = "voltage", "frequency"
UNITS = {VOLTAGE: "V", FREQUENCY: "Hz"}
MOST_LINES = 6
LEAST_MAINS = 80.0
"""V. What lies below is a battery or a module, not the mains."""


def series_of(house: House) -> list[Series]:
    """The voltages and the one frequency to show, by name.

    They are of one device, the first by name that measures both, else the first that measures any: the mains
    is the same all over a house, and the inside of other devices is not the mains.
    """
    found = Series.objects.filter(
        source__house=house,
        source__namespace=Namespace.DEVICE,
        source__enabled=True,
        quantity__in=UNITS,
        unit__in=UNITS.values(),
    )
    known = found.exclude(kind=Kind.COUNTER).select_related("source").order_by("source__name", "field")
    by_source = [list(group) for _, group in groupby(known, key=lambda one: one.source_id)]
    if not by_source:
        return []
    chosen = max(by_source, key=lambda group: len({one.quantity for one in group}))  # the first of equals
    voltages = [one for one in chosen if one.quantity == VOLTAGE]
    return voltages[:MOST_LINES] + [one for one in chosen if one.quantity == FREQUENCY][:1]


def today(house: House, shown: Sequence[Series], *, now: int) -> dict[str, Any]:
    """`figure` for Plotly, of 5-minute means from midnight to midnight, and `summary` for who cannot see it.

    Lines carry their quantity and their place among `shown` in `meta`. Voltages have the upper axis, the
    frequency the lower. A gap is null.
    """
    zone = house.time_zone
    begin, end = calendar.day_bounds(zone, calendar.local_date(zone, now))
    means = bins.binned_means(shown, zone=zone, every="5m", start=begin, end=now + 1)
    lines = {place: one for place, one in enumerate(shown) if _is_mains(one, means[one.pk].values)}
    texts = chart.local_texts(zone, calendar.edges(zone, "5m", begin, now + 1)[:-1].tolist())
    traces = [_trace(one, means[one.pk], texts, place) for place, one in lines.items()]
    layout = {"xaxis": chart.day_axis(zone, begin, end), "uirevision": begin, "showlegend": False}
    return {"figure": {"data": traces, "layout": layout}, "summary": _summary(list(lines.values()), means)}


def _is_mains(series: Series, values: chart.Array) -> bool:
    """Whether a line is of the mains, as far as its values of today tell."""
    present = values[np.isfinite(values)]
    return series.quantity != VOLTAGE or present.size == 0 or bool(present.max() >= LEAST_MAINS)


def _trace(series: Series, mean: bins.Binned, texts: Sequence[str], place: int) -> dict[str, Any]:
    starts, places = mean.starts.tolist(), 1 if series.quantity == VOLTAGE else 3
    return {
        "type": "scatter",
        "name": name_of(series),
        "meta": {"quantity": series.quantity, "line": place},
        "yaxis": "y" if series.quantity == VOLTAGE else "y2",
        "x": starts,
        "y": [round(value, places) if np.isfinite(value) else None for value in mean.values.tolist()],
        "text": texts,
        "hovertemplate": f"%{{text}}  %{{y:.{places}f}} {UNITS[series.quantity]}",
        "connectgaps": False,
        **chart.marks(mean.values),
    }


def name_of(series: Series) -> str:
    """The last part of the field's name, as words: “L1 Voltage”."""
    return series.field.rpartition(".")[2].replace("_", " ")


def _summary(lines: Sequence[Series], means: Mapping[int, bins.Binned]) -> str:
    """From where to where each quantity went today; empty before the first reading."""
    told = []
    for quantity, places in ((VOLTAGE, 1), (FREQUENCY, 2)):
        values = [means[one.pk].values for one in lines if one.quantity == quantity]
        present = [value for value in np.concatenate(values or [np.empty(0)]).tolist() if np.isfinite(value)]
        if present:
            spread = f"{min(present):.{places}f} to {max(present):.{places}f} {UNITS[quantity]}"
            told.append(f"{quantity} {spread}")
    text = ", ".join(told)
    return f"Today's {text}." if text else ""


def panel_context(house: House, user: User, now: datetime) -> dict[str, Any] | None:
    """The lines' names; no panel where nothing measures the mains. The chart comes with the refresh."""
    shown = series_of(house)
    if not shown:
        return None
    return {"lines": [{"name": name_of(one), "quantity": one.quantity} for one in shown]}


def panel_live(house: House, user: User, now: datetime) -> LiveData:
    """The chart, anew when something arrived or the day ended."""
    shown, at = series_of(house), milliseconds(now)
    sources = {one.source_id for one in shown}
    arrived = Tail.objects.filter(source_id__in=sources).order_by("-id").values_list("id", flat=True).first()
    names = [(one.pk, one.field) for one in shown]
    return LiveData(
        version=repr((arrived, names, calendar.start_of_today(house.time_zone, now))),
        data=lambda: {"supply": today(house, shown, now=at) if shown else None},
    )


# All that arrives in a house is in the pulse of the live panel.
PANEL = Panel(
    "supply", "desk/panels/supply.html", order=60, context=panel_context, live=panel_live, pulse=patient
)
