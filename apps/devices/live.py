"""The live panel of a house's page: its cards, and the chart of today."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Max
from django.urls import reverse

from apps.accounts.models import User
from apps.devices import cards, chart, stand_ins
from apps.devices.cards import Newest
from apps.devices.roles import LOOKS, RoleField, role_fields
from apps.devices.stand_ins import StandIn
from apps.houses.models import House
from apps.houses.panels import LiveData, Panel
from apps.readings import calendar, store
from apps.readings.models import Namespace, Tail
from apps.readings.sql import fetch
from apps.readings.times import milliseconds


def _newest(fields: Sequence[RoleField]) -> Newest:
    return store.latest({field.source_id for field in fields})


def _stand_ins(house: House, fields: Sequence[RoleField], now: datetime) -> list[StandIn]:
    """What stands in for the roles that no device has."""
    return stand_ins.of(house, {*LOOKS, "soc"} - {field.role for field in fields}, now)


def panel_context(house: House, user: User, now: datetime) -> dict[str, Any] | None:
    """What the page shows before its first refresh: the cards; the chart comes with the refresh.

    None, no panel, where other sources than devices measure the house, and no item says what.
    """
    fields = role_fields(house)
    others = _stand_ins(house, fields, now)
    shown = cards.of(fields, _newest(fields), now=milliseconds(now), others=others)
    if not shown and house.sources.exclude(namespace=Namespace.DEVICE).exists():
        return None
    may_add = user.has_perm("devices.add_device")
    return {
        "cards": [card.as_json(milliseconds(now)) for card in shown],
        "waiting": bool(fields) and all(card.timestamp is None for card in shown),
        "add_device_url": f"{reverse('admin:devices_device_add')}?house={house.pk}" if may_add else None,
    }


def panel_live(house: House, user: User, now: datetime) -> LiveData:
    """Cards and chart, anew when something arrived, a card changed its state, or the day or devices did."""
    at = milliseconds(now)
    fields = role_fields(house)
    newest, others = _newest(fields), _stand_ins(house, fields, now)
    shown = cards.of(fields, newest, now=at, others=others)
    midnight = calendar.day_bounds(house.time_zone, calendar.local_date(house.time_zone, at))[1]
    today = calendar.start_of_today(house.time_zone, now)
    return LiveData(
        until=min([midnight, *cards.changes(fields, newest, now=at, others=others)]),
        version=repr((_arrived(fields), shown, fields, others, today)),
        data=lambda: {
            "cards": [card.as_json(at) for card in shown],
            "chart": chart.today(house, fields, now=at, others=others),
        },
    )


def _arrived(fields: Sequence[RoleField]) -> int | None:
    """The newest upload not compacted yet: late readings change the chart but no newest value."""
    sources = {field.source_id for field in fields}
    newest: int | None = Tail.objects.filter(source_id__in=sources).aggregate(newest=Max("id"))["newest"]
    return newest


_PULSE = """
SELECT (SELECT config_version FROM devices_edgeunit WHERE house_id = %(house)s),
    max(tail.newest), max(latest.newest)
FROM readings_source AS source
LEFT JOIN readings_latest AS latest ON latest.source_id = source.id
CROSS JOIN LATERAL (SELECT max(id) AS newest FROM readings_tail WHERE source_id = source.id) AS tail
WHERE source.house_id = %(house)s
"""


def pulse(house: House, now: datetime) -> object:
    """The newest device list, upload and reading of the house."""
    return fetch(_PULSE, {"house": house.pk})


PANEL = Panel("live", "desk/panels/live.html", order=20, context=panel_context, live=panel_live, pulse=pulse)
