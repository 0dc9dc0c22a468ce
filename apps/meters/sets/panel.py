"""The part of a house's page about its meters: what they came to, how sure it is, what it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from apps.accounts.models import User
from apps.devices.panes import age
from apps.houses.models import House
from apps.houses.panels import LiveData, Panel
from apps.meters.models import Meter, MeterSet
from apps.meters.sets import chart, coverage
from apps.meters.sets.standing import Period, Standing, standing
from apps.readings.models import Source
from apps.readings.samples import DAY
from apps.readings.sql import fetch
from apps.readings.times import milliseconds

LATELY = 9
"""Days that the panel's numbers are of, and one for the zone."""
STATES = {
    "final": "settled",
    "provisional": "provisional: a meter may still correct it",
    "partial": "a meter covers too little",
    "waiting": "a meter is awaited",
    "gap": "missing for good",
}
"""What each state of an interval is called."""


@dataclass(frozen=True)
class Line:
    """A line of the table: a title and a text for each period."""

    title: str
    cells: Sequence[str]
    note: str = ""


def panel_context(house: House, user: User, now: datetime) -> dict[str, Any] | None:
    """What the panel shows; None where a house has no meters."""
    meter_set = MeterSet.objects.filter(house=house).first()
    may = user.is_staff and user.has_perm("meters.change_meterset")
    if meter_set is None:
        return _without_set(house, may=may)
    found = standing(meter_set, now=now)
    if found is None:
        return _without_set(house, may=may)
    stamp = milliseconds(now)
    return {
        "standing": found,
        "lines": lines(found.periods),
        "newest": _newest(found, stamp),
        "states": [(state, STATES[state], count) for state, count in found.states.items()],
        "inputs": [(one, age(stamp - one.newest) if one.newest else "never") for one in found.inputs],
        "coverage": _coverage(house, meter_set, found.meter, now),
        "figure": chart.figure(house, found.target, found.derived.fields, stamp),
        "version": version(house, now),
        "edit": reverse("admin:meters_meterset_change", args=[meter_set.pk]) if may else "",
    }


def panel_live(house: House, user: User, now: datetime) -> LiveData:
    """Only that there is something new: the page fetches the panel again then."""
    known = version(house, now)
    return LiveData(version=known, data=lambda: {"meters": known})


_VERSION = """
SELECT sum(segment.revision)::bigint, sum(segment.count)::bigint
FROM meters_meterset AS declared
JOIN meters_derivedmeter AS derived ON derived.meter_set_id = declared.id
JOIN readings_segment AS segment ON segment.source_id = derived.meter_id AND segment.day >= %(lately)s
WHERE declared.house_id = %(house)s
"""


def version(house: House, now: datetime) -> str:
    """Another one whenever anything changes that the panel draws of the derived meter; empty without one."""
    ((changes, values),) = fetch(_VERSION, {"house": house.pk, "lately": milliseconds(now) // DAY - LATELY})
    return f"{changes}-{values}" if values else ""


def lines(periods: Sequence[Period]) -> list[Line]:
    """The table; a line about which no period knows anything is left out."""
    found = [
        _line("Production", [one.summary.production for one in periods], "kWh"),
        _line("Consumption", [one.summary.consumption for one in periods], "kWh"),
        _line("Import", [one.summary.imported for one in periods], "kWh", "net of each interval"),
        _line("Export", [one.summary.exported for one in periods], "kWh", "net of each interval"),
        _line("Self-consumption", [_percent(one.summary.self_consumption) for one in periods], "%"),
        _line("Self-sufficiency", [_percent(one.summary.self_sufficiency) for one in periods], "%"),
        Line("Power factor at the connection", [_plain(one.summary.power_factor) for one in periods]),
        _line("Left over", [one.summary.residual for one in periods], "kWh"),
        _line("Left over, of the load", [one.summary.residual_percent for one in periods], "%"),
    ]
    kept = [line for line in found if any(cell != "–" for cell in line.cells)]
    return [*kept, _line("Known", [100 * one.known for one in periods], "%", "of the time")]


def _line(title: str, values: Sequence[float | None], unit: str, note: str = "") -> Line:
    digits = 0 if unit == "%" else 1
    cells = ["–" if value is None else f"{value:,.{digits}f} {unit}".replace("-", "−") for value in values]
    return Line(title, cells, note)


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _newest(found: Standing, now: int) -> dict[str, str] | None:
    if found.now is None:
        return None
    stamp, value, sigma = found.now
    return {
        "value": f"{value:.2f}".replace("-", "−"),
        "sigma": f"{sigma:.2f}",
        "relative": f"{100 * sigma / abs(value):.0f}" if abs(value) > sigma else "",
        "age": age(now - stamp),
    }


def _coverage(house: House, meter_set: MeterSet, derived: Source, now: datetime) -> list[coverage.Row]:
    members = meter_set.members.select_related("source").prefetch_related("source__series")
    sources = {(member.source_id, member.field): (member.source, member.field) for member in members}
    return coverage.rows(house, list(sources.values()), derived, now)


def _without_set(house: House, *, may: bool) -> dict[str, Any] | None:
    """For who can declare one: that there are meters of which nobody said what they are to each other."""
    if not may or not Meter.objects.filter(source__house=house).exists():
        return None
    return {"declare": f"{reverse('admin:meters_meterset_add')}?house={house.pk}"}


PANEL = Panel("meters", "meters/panel.html", order=30, context=panel_context, live=panel_live, pulse=version)
