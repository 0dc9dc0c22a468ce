"""The panel “Energy today” of a house's page."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import msgspec

from apps.accounts.models import User
from apps.analytics.reports import today
from apps.analytics.reports.asking import HouseAsk
from apps.analytics.reports.today import Amount
from apps.houses.models import House
from apps.houses.panels import LiveData, Panel, patient
from apps.readings import calendar
from apps.readings.times import milliseconds

REFRESH = timedelta(minutes=1)
"""For how long an answer stands: a page asks every five seconds, and a day's energy changes slowly."""

_REMEMBERED = 1_000  # houses, in each process
_known: dict[tuple[int, int], tuple[datetime, list[Amount]]] = {}


def forget() -> None:
    """Work everything out anew when next asked."""
    _known.clear()


def panel_context(house: House, user: User, now: datetime) -> dict[str, Any] | None:
    """The amounts so far; None, no panel, where the house has no item of them."""
    found = _remembered(house, now)
    return (
        {"amounts": [vars(one) | {"text": one.text, "note": today.note(one)} for one in found]}
        if found
        else None
    )


def panel_live(house: House, user: User, now: datetime) -> LiveData:
    """The same for the page's refresh: at most once a minute it is worked out anew."""
    found = _remembered(house, now)
    data = today.as_json(found) if found else {}
    version = hashlib.sha256(msgspec.json.encode(data)).hexdigest()
    return LiveData(version=version, data=lambda: {"today": data} if data else {})


def _remembered(house: House, now: datetime) -> list[Amount]:
    """The amounts of this minute, by house and day; where there are none, items may come at any time."""
    key = house.pk, calendar.start_of_today(house.time_zone, now)
    made, found = _known.get(key, (None, []))
    if not found or made is None or not timedelta(0) <= now - made < REFRESH:
        found = _amounts(house, now)
        if len(_known) >= _REMEMBERED:
            _known.clear()
        _known[key] = now, found
    return found


def _amounts(house: House, now: datetime) -> list[Amount]:
    instant = milliseconds(now)
    start, end = calendar.day_bounds(house.time_zone, calendar.local_date(house.time_zone, instant))
    return today.amounts(HouseAsk(house, instant), start=start, end=end, now=instant)


PANEL = Panel(
    "energy", "analytics/today.html", order=30, context=panel_context, live=panel_live, pulse=patient
)
