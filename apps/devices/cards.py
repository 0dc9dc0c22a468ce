"""The cards of a house's page: what each role does this minute.

Powers are in kW and the house's convention (see `roles`); instants are Unix milliseconds UTC.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from apps.devices.roles import LOOKS, Look, RoleField, with_role
from apps.devices.stand_ins import StandIn
from apps.readings.latest import AHEAD

State = Literal["fresh", "stale", "offline"]
Newest = Mapping[int, Mapping[str, tuple[int, float | str | bool]]]

MINUTE = 60_000
STALE_AFTER = MINUTE
OFFLINE_AFTER = 10 * MINUTE
IDLE_BELOW = 0.02
"""kW. A measured zero is never quite zero; less than this is no direction."""


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
        age = None if self.timestamp is None else now - self.timestamp
        shown = None if age is None else max(0, age)
        return {**vars(self), "display": self.display, "unit": "kW", "age": shown, "note": self._note(age)}

    def _note(self, age: int | None) -> str:
        if self.missing and self.state != "offline":
            return f"Nothing from {', '.join(self.missing)}"
        if age is None:
            return "No reading yet"
        if age < -AHEAD:
            return f"Clock {ago(-age)} ahead"
        return f"No reading for {ago(age)}" if self.state == "offline" else f"{ago(max(0, age))} ago"


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
    offline. A value of a clock that is far ahead is stale: nobody knows how old it is.
    """
    if -age > AHEAD:
        return "stale"
    if age > _offline_after(cadence):
        return "offline"
    return "stale" if age > _stale_after(cadence) else "fresh"


def _stale_after(cadence: float) -> int:
    return max(STALE_AFTER, round(3000 * cadence))


def _offline_after(cadence: float) -> int:
    return max(OFFLINE_AFTER, round(6000 * cadence))


def changes(
    fields: Sequence[RoleField], newest: Newest, *, now: int, others: Sequence[StandIn] = ()
) -> list[int]:
    """The instants (ms) after `now` at which a reading goes stale or offline if no other one comes.

    For stand-ins that is when they go stale: nobody knows beforehand when they count as silent.
    """
    limits = [
        reading.stamp + limit(field.cadence) + 1
        for reading, field in zip(readings(fields, newest, now), fields, strict=True)
        if reading.stamp is not None
        for limit in (_stale_after, _offline_after)
    ]
    limits += [one.stamp + _stale_after(one.cadence) + 1 for one in others if one.stamp is not None]
    return [limit for limit in limits if limit > now]


def of(
    fields: Sequence[RoleField], newest: Newest, *, now: int, others: Sequence[StandIn] = ()
) -> list[Card]:
    """A card for each role that `fields` hold, or `others` stand in for, in the page's order."""
    found = {role: readings(with_role(fields, role), newest, now) for role in (*LOOKS, "soc")}
    for one in others:
        found[one.role] = found.get(one.role) or [_reading_of(one, now)]
    soc = _mean(_lately(found["soc"]))
    return [_card(role, found[role], soc if role == "battery" else None) for role in LOOKS if found[role]]


def _reading_of(one: StandIn, now: int) -> Reading:
    """However old it is it counts, unless it is overdue: what meters measured may come by the day."""
    if one.value is None or one.stamp is None:
        return Reading(one.name, None, None, "offline")
    if one.silent:
        return Reading(one.name, one.stamp, one.value, "offline")
    age = now - one.stamp
    fresh = -AHEAD <= age <= _stale_after(one.cadence)
    return Reading(one.name, one.stamp, one.value, "fresh" if fresh else "stale")


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
