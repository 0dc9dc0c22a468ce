"""The admin's first page: how every house is doing, worst first, and what to do next where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.models import User
from apps.alerts import detection
from apps.alerts.rhythm import SHORTEST
from apps.alerts.summary import HouseAlerts, open_alerts
from apps.devices.cards import ago
from apps.houses.models import House
from apps.readings.models import Namespace, Source
from apps.readings.times import milliseconds


@dataclass(frozen=True)
class Silence:
    """A device that should have been heard of by now, by the rule of alerts, or that never was.

    `since` is its last reading, None for none ever.
    """

    device: Source
    since: datetime | None
    now: datetime

    @property
    def text(self) -> str:
        """What the page says of it."""
        return f"silent for {span(self.now - self.since)}" if self.since else "never heard"


@dataclass(frozen=True)
class HouseState:
    """One row of the page."""

    house: House
    devices: int
    meters: int
    last_reading: datetime | None
    silent: list[Silence]
    now: datetime
    alerts: HouseAlerts

    @property
    def last_reading_text(self) -> str:
        """When the last reading was, in words; empty for never."""
        return _in_words(self.last_reading, self.now) if self.last_reading else ""

    @property
    def agent_seen(self) -> datetime | None:
        """When the agent of the house was last heard: what is silent while it speaks is the device."""
        unit = getattr(self.house, "edge_unit", None)
        return unit.last_seen_at if unit else None

    @property
    def agent_text(self) -> str:
        """The same in words."""
        return (
            f"Agent heard {_in_words(self.agent_seen, self.now)}" if self.agent_seen else "Agent never heard"
        )

    @property
    def verdict(self) -> str:
        """`disabled`, `empty` (nothing to read), `waiting` (never a reading), `silent`, `alert`, `good`."""
        if not self.house.enabled:
            return "disabled"
        if not self.devices and not self.meters:
            return "empty"
        if self.last_reading is None:
            return "waiting"
        if self.silent:
            return "silent"
        return "alert" if self.alerts.count else "good"


@dataclass(frozen=True)
class _Count:
    """What is read in a house: its enabled devices, its meters, and the newest reading (ms) of any."""

    devices: int
    meters: int
    newest: int | None


NOTHING_THERE = _Count(0, 0, None)
NOTHING_WRONG = HouseAlerts([], 0)
WORST_FIRST = ["silent", "alert", "waiting", "empty", "good", "disabled"]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add `houses` (HouseState, worst first) to what the page knows."""
    states = house_states(cast(User, request.user), timezone.now())
    return {**context, "houses": states}


def house_states(user: User, now: datetime) -> list[HouseState]:
    """How the houses `user` sees are doing. Six queries, however many houses and devices there are."""
    houses = list(House.objects.visible_to(user).select_related("edge_unit"))
    counts, silences = _counts(houses), _silences(houses, now)
    alerts = open_alerts(user=user, now=now)
    states = [
        _state(
            house,
            counts.get(house.pk, NOTHING_THERE),
            silences.get(house.pk, []),
            alerts.get(house.pk, NOTHING_WRONG),
            now,
        )
        for house in houses
    ]
    return sorted(states, key=lambda state: (WORST_FIRST.index(state.verdict), state.house.name))


def _enabled(houses: list[House]) -> QuerySet[Source]:
    return Source.objects.filter(house__in=houses, enabled=True).order_by()


def _counts(houses: list[House]) -> dict[int, _Count]:
    """By house what is read there. Of the silence of meters and plants, alerts tell."""
    read = Q(namespace__in=[Namespace.METER, Namespace.PLANT])
    rows = (
        _enabled(houses)
        .filter(read | Q(device__isnull=False))
        .values("house")
        .annotate(devices=Count("device"), meters=Count("pk", filter=read), newest=Max("latest__newest"))
    )
    return {row["house"]: _Count(row["devices"], row["meters"], row["newest"]) for row in rows}


def _silences(houses: list[House], now: datetime) -> dict[int, list[Silence]]:
    """By house the devices that should have been heard of. Nobody counts as silent before `SHORTEST`."""
    late = Q(latest__newest=None) | Q(latest__newest__lt=milliseconds(now) - SHORTEST)
    devices = _enabled(houses).filter(late, device__isnull=False)
    newest = dict(devices.values_list("pk", "latest__newest"))
    never = {pk for pk, stamp in newest.items() if stamp is None}
    heard = newest.keys() - never
    missed = never | (detection.silent(heard, now) if heard else set())
    found: dict[int, list[Silence]] = {}
    for device in Source.objects.filter(pk__in=missed).order_by("name") if missed else []:
        stamp = newest[device.pk]
        since = None if stamp is None else _instant(stamp)
        found.setdefault(device.house_id, []).append(Silence(device, since, now))
    return found


def _state(
    house: House, count: _Count, silences: list[Silence], alerts: HouseAlerts, now: datetime
) -> HouseState:
    last = None if count.newest is None else _instant(count.newest)
    return HouseState(house, count.devices, count.meters, last, silences, now, alerts)


def _instant(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp / 1000, tz=UTC)


def _in_words(moment: datetime, now: datetime) -> str:
    return "just now" if now - moment < timedelta(minutes=1) else f"{span(now - moment)} ago"


def span(length: timedelta) -> str:
    """A length of time in its largest whole unit, as everywhere else: “7 min”."""
    return ago(max(0, round(length.total_seconds() * 1000)))
