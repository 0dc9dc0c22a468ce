"""How a house fares this minute and today: the cards and the chart of its page.

Powers are in kW and the house's convention (see `roles`); instants are Unix milliseconds UTC.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Max
from django.urls import reverse
from numpy.typing import NDArray

from apps.accounts.models import User
from apps.devices.roles import RoleField, role_fields
from apps.houses.models import House
from apps.houses.panels import LiveData, Panel
from apps.readings import bins, calendar, store
from apps.readings.models import Tail

State = Literal["fresh", "stale", "offline"]
Newest = Mapping[int, Mapping[str, tuple[int, float | str | bool]]]
Array = NDArray[np.float64]

MINUTE = 60_000
STALE_AFTER = MINUTE
OFFLINE_AFTER = 10 * MINUTE
IDLE_BELOW = 0.02
"""kW. A measured zero is never quite zero; less than this is no direction."""


@dataclass(frozen=True)
class Look:
    """How a role is spoken of: its title, and what more than, about and less than zero mean."""

    title: str
    positive: str
    zero: str
    negative: str
    directed: bool = False
    """Whether the word says the sign, so that the number need not."""


LOOKS = {
    "solar": Look("Solar", "generating", "idle", "drawing"),
    "battery": Look("Battery", "discharging", "idle", "charging", directed=True),
    "ev": Look("EV", "charging", "idle", "discharging"),
    "load": Look("Load", "consuming", "idle", "feeding in"),
    "grid": Look("Grid", "importing", "balanced", "exporting", directed=True),
}
"""The cards and traces, in the page's order."""


@dataclass(frozen=True)
class Reading:
    """A field's newest value in the house's convention; a field that never reported has neither."""

    source: str
    stamp: int | None
    value: float | None
    state: State


@dataclass(frozen=True)
class Card:
    """What one role does now.

    `value` is the sum over its fields, None unless each of them reported lately: half a sum would be wrong.
    `timestamp` is the oldest reading in it (ms). `missing` names the sources that are offline.
    """

    role: str
    title: str
    value: float | None
    direction: str
    state: State
    timestamp: int | None
    missing: list[str]
    soc: float | None

    @property
    def display(self) -> str:
        """The value for people; the sign is left out where the direction says it."""
        if self.value is None:
            return "–"
        return power_text(abs(self.value) if LOOKS[self.role].directed else self.value)

    def as_json(self, now: int) -> dict[str, Any]:
        """The card with its age in ms at `now`."""
        age = None if self.timestamp is None else max(0, now - self.timestamp)
        return {**vars(self), "display": self.display, "unit": "kW", "age": age, "note": self._note(age)}

    def _note(self, age: int | None) -> str:
        if self.missing and self.state != "offline":
            return f"Nothing from {', '.join(self.missing)}"
        if age is None:
            return "No reading yet"
        return f"No reading for {ago(age)}" if self.state == "offline" else f"{ago(age)} ago"


def ago(age: int) -> str:
    """A span of ms in its largest whole unit, as the page's script words it too."""
    seconds = age // 1000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 172_800 else f"{seconds // 86_400} d"


def power_text(value: float) -> str:
    """A power in kW with two decimals and a true minus sign; no zero is negative."""
    text = f"{abs(value):.2f}"
    return f"−{text}" if value < 0 and float(text) else text


def readings(fields: Sequence[RoleField], newest: Newest, now: int) -> list[Reading]:
    """The newest reading of each field, in the fields' order. Texts and truth values count as never."""
    return [_reading(field, newest.get(field.source_id, {}).get(field.field), now) for field in fields]


def _reading(field: RoleField, entry: tuple[int, float | str | bool] | None, now: int) -> Reading:
    stamp, value = entry or (None, "")
    if stamp is None or isinstance(value, str | bool):
        return Reading(field.source, None, None, "offline")
    return Reading(field.source, stamp, value * field.factor, state_of(now - stamp, field.cadence))


def state_of(age: int, cadence: float) -> State:
    """Stale when older than 3 cadences and a minute, offline when older than 6 cadences and 10 minutes.

    `age` in ms, `cadence` in seconds. Six, so that what is read every five minutes is stale before it is
    offline.
    """
    if age > max(OFFLINE_AFTER, 6000 * cadence):
        return "offline"
    return "stale" if age > max(STALE_AFTER, 3000 * cadence) else "fresh"


def cards(fields: Sequence[RoleField], newest: Newest, *, now: int) -> list[Card]:
    """A card for each role that `fields` hold, in the page's order."""
    soc = _mean(_lately(readings(_with_role(fields, "soc"), newest, now)))
    return [
        _card(role, readings(members, newest, now), soc if role == "battery" else None)
        for role in LOOKS
        if (members := _with_role(fields, role))
    ]


def _with_role(fields: Sequence[RoleField], role: str) -> list[RoleField]:
    return [field for field in fields if field.role == role]


def _lately(found: Iterable[Reading]) -> list[float]:
    return [one.value for one in found if one.value is not None and one.state != "offline"]


def _mean(values: Sequence[float]) -> float | None:
    return round(math.fsum(values) / len(values), 1) if values else None


def _card(role: str, found: Sequence[Reading], soc: float | None) -> Card:
    values, stamps = _lately(found), [one.stamp for one in found if one.stamp is not None]
    value = round(math.fsum(values), 3) if len(values) == len(found) else None
    return Card(
        role=role,
        title=LOOKS[role].title,
        value=value,
        direction=_direction(LOOKS[role], value),
        state=_worst(found),
        timestamp=min(stamps, default=None),
        missing=list(dict.fromkeys(one.source for one in found if one.state == "offline")),
        soc=soc,
    )


def _direction(look: Look, value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) < IDLE_BELOW:
        return look.zero
    return look.positive if value > 0 else look.negative


def _worst(found: Sequence[Reading]) -> State:
    """Offline when every reading is; stale when any is not fresh."""
    states = {one.state for one in found}
    if states == {"offline"}:
        return "offline"
    return "fresh" if states == {"fresh"} else "stale"


def chart(house: House, fields: Sequence[RoleField], *, now: datetime) -> dict[str, Any]:
    """A Plotly figure of today's powers as 5-minute means, from the house's midnight to its next.

    x is the instant (ms): Plotly knows no zones, and on the day the clocks go back an hour of local times
    comes twice. The local times travel as texts, at each point and at each tick. A gap is null.
    """
    begin, end = calendar.day_bounds(house.time_zone, calendar.local_date(house.time_zone, _ms(now)))
    known = [field for field in fields if field.role in LOOKS]
    means = bins.binned_means(
        [field.series for field in known], zone=house.time_zone, every="5m", start=begin, end=_ms(now) + 1
    )
    traces = [
        _trace(role, [(means[one.series.pk], one.factor) for one in members], house.time_zone)
        for role in LOOKS
        if (members := _with_role(known, role))
    ]
    return {"data": traces, "layout": _layout(house.time_zone, begin, end)}


def _trace(role: str, parts: Sequence[tuple[bins.Binned, float]], zone: str) -> dict[str, Any]:
    starts = parts[0][0].starts.tolist()
    values = np.sum([part.values * factor for part, factor in parts], axis=0)
    return {
        "type": "scatter",
        "name": LOOKS[role].title,
        "meta": {"role": role},
        "x": starts,
        "y": [round(value, 3) if math.isfinite(value) else None for value in values.tolist()],
        "text": local_texts(zone, starts),
        "hovertemplate": "%{text}  %{y:.2f} kW",
        "connectgaps": False,
        **_marks(values),
    }


def _marks(values: Array) -> dict[str, Any]:
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


def _layout(zone: str, begin: int, end: int) -> dict[str, Any]:
    hours = calendar.edges(zone, "1h", begin, end).tolist()
    return {
        "xaxis": {
            "type": "linear",
            "range": [begin, end],
            "tickmode": "array",
            "tickvals": hours,
            "ticktext": [text[:5] for text in local_texts(zone, hours)],
            "title": {"text": f"Local time, {zone}"},
        },
        "yaxis": {"title": {"text": "kW"}, "fixedrange": True, "zeroline": True},
        "hovermode": "x",
        "showlegend": False,
        # The zoom survives a refresh within the day.
        "uirevision": begin,
    }


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _newest(fields: Sequence[RoleField]) -> Newest:
    return store.latest({field.source_id for field in fields})


def panel_context(house: House, user: User, now: datetime) -> dict[str, Any]:
    """What the page shows before its first refresh: the cards; the chart comes with the refresh."""
    fields = role_fields(house)
    shown = cards(fields, _newest(fields), now=_ms(now))
    may_add = user.has_perm("devices.add_device")
    return {
        "cards": [card.as_json(_ms(now)) for card in shown],
        "add_device_url": reverse("admin:devices_device_add") if may_add else None,
    }


def panel_live(house: House, user: User, now: datetime) -> LiveData:
    """Cards and chart, anew when something arrived, a card changed its state, or the day or devices did."""
    fields = role_fields(house)
    shown = cards(fields, _newest(fields), now=_ms(now))
    return LiveData(
        version=repr((_arrived(fields), shown, fields, calendar.start_of_today(house.time_zone, now))),
        data=lambda: {
            "cards": [card.as_json(_ms(now)) for card in shown],
            "chart": chart(house, fields, now=now),
        },
    )


def _arrived(fields: Sequence[RoleField]) -> int | None:
    """The newest upload not compacted yet: late readings change the chart but no newest value."""
    sources = {field.source_id for field in fields}
    newest: int | None = Tail.objects.filter(source_id__in=sources).aggregate(newest=Max("id"))["newest"]
    return newest


PANEL = Panel("live", "desk/panels/live.html", order=20, context=panel_context, live=panel_live)
