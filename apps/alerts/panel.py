"""The alerts of a house on its page: what is wrong now, and the outages of today that are over."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q

from apps.accounts.models import User
from apps.alerts.models import Alert, Maintenance, State
from apps.alerts.summary import Line, lines, of_house
from apps.houses.models import House
from apps.houses.panels import LiveData, Panel
from apps.readings import calendar
from apps.readings.sql import fetch

MOST = 20


def alerts_today(*, house: House, user: User, now: datetime) -> dict[str, Any]:
    """What the panel shows, as JSON.

    `open` lists {"text", "since", "seen"}, `over` {"text", "from", "to"}, both newest first and at most 20,
    `more` how many are left out; `maintenance` is None, or {"reason", "until"} while alerts are kept quiet.
    Times are texts in the house's zone.
    """
    midnight = _midnight(house, now)
    window = Maintenance.objects.at(now).filter(house=house).order_by("ends_at").last()
    if window is not None:
        until = {"reason": window.reason, "until": _time(house, window.ends_at, midnight)}
        return {"open": [], "over": [], "more": 0, "maintenance": until}
    found = list(of_house(house=house, user=user).filter(_today(house, now)))
    lasting = [alert for alert in found if alert.state != State.CLEARED]
    over = [alert for alert in found if alert.state == State.CLEARED]
    return {
        "open": [_open(house, line, midnight) for line in _first(lasting, user)],
        "over": [_over(house, line, midnight) for line in _first(over, user)],
        "more": max(0, len(lasting) - MOST) + max(0, len(over) - MOST),
        "maintenance": None,
    }


def _midnight(house: House, now: datetime) -> datetime:
    return datetime.fromtimestamp(calendar.start_of_today(house.time_zone, now) / 1000, UTC)


def _today(house: House, now: datetime) -> Q:
    """What is wrong now, and what was over today."""
    return ~Q(state=State.CLEARED) | Q(cleared_at__gte=_midnight(house, now))


def _first(alerts: Iterable[Alert], user: User) -> list[Line]:
    return lines(list(alerts)[:MOST], user)


def _open(house: House, line: Line, midnight: datetime) -> dict[str, Any]:
    since = _time(house, line.began_at, midnight)
    return {"text": line.text, "since": since, "seen": line.acknowledged}


def _over(house: House, line: Line, midnight: datetime) -> dict[str, Any]:
    ended = line.alert.cleared_at or line.began_at
    times = {"from": _time(house, line.began_at, midnight), "to": _time(house, ended, midnight)}
    return {"text": line.text, **times}


def _time(house: House, moment: datetime, midnight: datetime) -> str:
    """The local time, with the day unless it is today."""
    local = moment.astimezone(ZoneInfo(house.time_zone))
    return f"{local:%H:%M}" if moment >= midnight else f"{local:%a} {local.day} {local:%b}, {local:%H:%M}"


def panel_context(house: House, user: User, now: datetime) -> dict[str, Any]:
    """The panel is always on the page, hidden while there is nothing: it may come with a refresh."""
    return {"alerts": alerts_today(house=house, user=user, now=now), "may_acknowledge": _may(user)}


def _may(user: User) -> bool:
    return user.is_staff and user.has_perm("alerts.change_alert")


def panel_live(house: House, user: User, now: datetime) -> LiveData:
    """The same, anew when any of it changes."""
    shown = alerts_today(house=house, user=user, now=now)
    return LiveData(version=repr(shown), data=lambda: {"alerts": shown})


_PULSE = """
SELECT id, state FROM alerts_alert
WHERE house_id = %(house)s AND (state <> 'cleared' OR cleared_at >= %(midnight)s)
UNION ALL
SELECT id, reason FROM alerts_maintenance
WHERE house_id = %(house)s AND starts_at <= %(now)s AND ends_at > %(now)s
ORDER BY 1, 2
"""


def pulse(house: House, now: datetime) -> object:
    """The alerts of today and the windows of now, by their numbers and states."""
    return fetch(_PULSE, {"house": house.pk, "midnight": _midnight(house, now), "now": now})


PANEL = Panel(
    "alerts", "desk/panels/alerts.html", order=10, context=panel_context, live=panel_live, pulse=pulse
)
