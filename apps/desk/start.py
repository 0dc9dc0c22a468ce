"""The admin's first page: how every house is doing, worst first, and what to do next where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.models import User
from apps.alerts import detection
from apps.alerts.summary import HouseAlerts, open_alerts
from apps.devices.cards import ago
from apps.devices.models import Device
from apps.houses.models import House
from apps.readings.models import Namespace, Source
from apps.readings.store import latest


@dataclass(frozen=True)
class Silence:
    """A device that should have been heard of by now, by the rule of alerts, or that never was.

    `since` is its last reading, None for none ever.
    """

    device: Device
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


NOTHING_WRONG = HouseAlerts([], 0)
WORST_FIRST = ["silent", "alert", "waiting", "empty", "good", "disabled"]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add `houses` (HouseState, worst first) to what the page knows."""
    states = house_states(cast(User, request.user), timezone.now())
    return {**context, "houses": states}


def house_states(user: User, now: datetime) -> list[HouseState]:
    """How the houses `user` sees are doing. Six queries, however many houses and devices there are."""
    houses = list(House.objects.visible_to(user).select_related("edge_unit"))
    devices, meters = _devices_by_house(houses), _meters_by_house(houses)
    sources = [device.pk for found in devices.values() for device in found]
    others = [meter for found in meters.values() for meter in found]
    newest, silent = _newest([*sources, *others]), detection.silent(sources, now)
    alerts = open_alerts(user=user, now=now)
    states = [
        _state(
            house,
            devices[house.pk],
            meters[house.pk],
            newest,
            silent,
            alerts.get(house.pk, NOTHING_WRONG),
            now,
        )
        for house in houses
    ]
    return sorted(states, key=lambda state: (WORST_FIRST.index(state.verdict), state.house.name))


def _devices_by_house(houses: list[House]) -> dict[int, list[Device]]:
    """The enabled devices of each house."""
    found: dict[int, list[Device]] = {house.pk: [] for house in houses}
    devices = Device.objects.filter(source__house__in=houses, source__enabled=True)
    for device in devices.select_related("source"):
        found[device.source.house_id].append(device)
    return found


def _meters_by_house(houses: list[House]) -> dict[int, list[int]]:
    """The sources of each house that loggers and providers fill; of their silence, alerts tell."""
    found: dict[int, list[int]] = {house.pk: [] for house in houses}
    sources = Source.objects.filter(
        house__in=houses, enabled=True, namespace__in=[Namespace.METER, Namespace.PLANT]
    )
    for house, source in sources.order_by().values_list("house", "pk"):
        found[house].append(source)
    return found


def _newest(sources: list[int]) -> dict[int, datetime]:
    """When each source that was ever heard of was so last."""
    stamps = {source: [stamp for stamp, _ in fields.values()] for source, fields in latest(sources).items()}
    return {source: _instant(max(found)) for source, found in stamps.items() if found}


def _state(
    house: House,
    devices: list[Device],
    meters: list[int],
    newest: dict[int, datetime],
    silent: set[int],
    alerts: HouseAlerts,
    now: datetime,
) -> HouseState:
    own = [*(device.pk for device in devices), *meters]
    heard = [newest[source] for source in own if source in newest]
    silences = [
        Silence(device, newest.get(device.pk), now)
        for device in devices
        if device.pk in silent or device.pk not in newest
    ]
    last = max(heard, default=None)
    return HouseState(house, len(devices), len(meters), last, silences, now, alerts)


def _instant(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp / 1000, tz=UTC)


def _in_words(moment: datetime, now: datetime) -> str:
    return "just now" if now - moment < timedelta(minutes=1) else f"{span(now - moment)} ago"


def span(length: timedelta) -> str:
    """A length of time in its largest whole unit, as everywhere else: “7 min”."""
    return ago(max(0, round(length.total_seconds() * 1000)))
