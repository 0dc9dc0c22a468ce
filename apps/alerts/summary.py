"""What is wrong now, for pages: the start page of the admin and the pages of houses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.alerts import words
from apps.alerts.kinds import FOR_OPERATORS, Kind
from apps.alerts.models import Alert, AlertQuerySet, State
from apps.houses.models import House

MOST_PER_HOUSE = 5


@dataclass(frozen=True)
class Line:
    """An alert as a page shows it."""

    alert: Alert
    text: str

    @property
    def began_at(self) -> datetime:
        """When the fault began."""
        return self.alert.began_at

    @property
    def acknowledged(self) -> bool:
        """Whether somebody has seen it."""
        return self.alert.acknowledged_at is not None


@dataclass(frozen=True)
class HouseAlerts:
    """What is wrong at a house: the first few lines, newest first, and how many there are in all."""

    lines: list[Line]
    count: int

    @property
    def more(self) -> int:
        """How many are not among the lines."""
        return self.count - len(self.lines)


def open_alerts(*, user: User, now: datetime) -> dict[int, HouseAlerts]:
    """What nobody has acknowledged yet, by house, of the houses `user` sees; none of those in maintenance.

    Houses where nothing is wrong are no keys. One query.
    """
    found = Alert.objects.visible_to(user).filter(state=State.OPEN).audible(now)
    by_house: dict[int, list[Alert]] = {}
    for alert in found.select_related("source", "house"):
        by_house.setdefault(alert.house_id, []).append(alert)
    return {
        house: HouseAlerts(lines(alerts[:MOST_PER_HOUSE], user), len(alerts))
        for house, alerts in by_house.items()
    }


def of_house(*, house: House, user: User) -> AlertQuerySet:
    """The alerts of `house` that concern `user`: who only lives there is spared the technical ones."""
    alerts = Alert.objects.filter(house=house).select_related("source")
    return alerts.exclude(kind__in=FOR_OPERATORS) if _lives_there(user) else alerts


def lines(alerts: Iterable[Alert], user: User) -> list[Line]:
    """The alerts in words that `user` understands."""
    return [Line(alert, _text(alert, user)) for alert in alerts]


def text(alert: Alert) -> str:
    """The alert in an operator's words."""
    return words.describe(Kind(alert.kind), _name(alert), alert.evidence)


def _text(alert: Alert, user: User) -> str:
    return words.plainly(Kind(alert.kind), _name(alert)) if _lives_there(user) else text(alert)


def _name(alert: Alert) -> str:
    return "The agent" if alert.source is None else str(alert.source)


def _lives_there(user: User) -> bool:
    return user.role == Role.HOMEOWNER
