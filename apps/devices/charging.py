"""The charging sessions of a house, newest first, as a panel of its page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from apps.accounts.models import User
from apps.devices.models import ChargingSession
from apps.devices.roles import role_fields, with_role
from apps.houses.models import House
from apps.houses.panels import LiveData, Panel, patient

MOST = 8
MWH_PER_KWH = 1_000_000


def recent(house: House, *, now: datetime) -> list[dict[str, str]]:
    """The newest sessions in words: `charger`, `start` in the house's zone, `duration` and `energy`."""
    found = ChargingSession.objects.filter(source__house=house).select_related("source")
    return [_line(session, house, now) for session in found[:MOST]]


def _line(session: ChargingSession, house: House, now: datetime) -> dict[str, str]:
    return {
        "charger": str(session.source),
        "start": "not known" if session.started_at is None else _local(session.started_at, house, now),
        "duration": _duration(session),
        "energy": "–" if session.energy_mwh is None else f"{session.energy_mwh / MWH_PER_KWH:.1f} kWh",
    }


def _local(stamp: int, house: House, now: datetime) -> str:
    """“Mon 9 Mar, 18:05”, with the year where it is another one."""
    zone = ZoneInfo(house.time_zone)
    at = datetime.fromtimestamp(stamp / 1000, UTC).astimezone(zone)
    year = "" if at.year == now.astimezone(zone).year else f" {at.year}"
    return f"{at:%a} {at.day} {at:%b}{year}, {at:%H:%M}"


def _duration(session: ChargingSession) -> str:
    """In hours and minutes; of one that nobody ended, that."""
    if session.ended_at is None:
        return "no end yet"
    if session.duration_ms is None:
        return "–"
    minutes = round(session.duration_ms / 60_000)
    return f"{minutes // 60} h {minutes % 60:02} min"


def panel_context(house: House, user: User, now: datetime) -> Mapping[str, Any] | None:
    """The sessions; no panel where no car is charged and none ever was."""
    sessions = recent(house, now=now)
    if not sessions and not with_role(role_fields(house), "ev"):
        return None
    return {"sessions": sessions, "may_list": user.is_staff and user.has_perm("devices.view_chargingsession")}


def panel_live(house: House, user: User, now: datetime) -> LiveData:
    """The same, anew when any of it changes."""
    shown = recent(house, now=now)
    return LiveData(version=repr(shown), data=lambda: {"sessions": shown})


PANEL = Panel(
    "charging", "desk/panels/charging.html", order=40, context=panel_context, live=panel_live, pulse=patient
)
