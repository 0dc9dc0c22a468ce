"""A clock that tests move, and evaluations by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import time_machine

from apps.alerts.evaluation import evaluate
from apps.alerts.kinds import Kind
from apps.alerts.models import Alert, State
from apps.devices import events
from apps.devices.edge import units
from apps.devices.edge.happenings import Happening
from apps.devices.models import Device
from apps.devices.mutations import create_device
from apps.houses import credentials
from apps.houses.models import House
from apps.readings import store
from apps.readings.models import Source

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KEYS = ["A.Solar", "A.Load", {"name": "L1_Voltage", "quantity": "voltage"}]


@pytest.fixture(autouse=True)
def _forgetful() -> None:
    """No memory of another test's agents and keys."""
    units.memory.clear()
    credentials.forget()


@dataclass
class Clock:
    """Where the tests' time stands; evaluations happen every minute of it."""

    now: datetime
    traveller: Any

    @property
    def ms(self) -> int:
        """Unix ms."""
        return round(self.now.timestamp() * 1000)

    def pass_by(self, span: timedelta, *speaking: Device, step: timedelta = MINUTE) -> None:
        """Let time pass with an evaluation at each step, and a reading of each device that speaks."""
        end = self.now + span
        while self.now < end:
            self.set(min(self.now + step, end))
            for device in speaking:
                report(device, self.now)
            evaluate(now=self.now)

    def set(self, now: datetime) -> None:
        """Move to another moment."""
        self.now = now
        self.traveller.move_to(now)


@pytest.fixture
def clock(db: None) -> Iterator[Clock]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield Clock(NOON, traveller)


@pytest.fixture
def egauge(house_a: House) -> Device:
    return meter(house_a)


def meter(house: House, name: str = "egauge", interval_s: int = 10) -> Device:
    config = {"ip": "192.0.2.7", "keys": KEYS}
    return create_device(house=house, name=name, type="egauge", config=config, interval_s=interval_s)


def report(device: Device, at: datetime, received_at: datetime | None = None, **values: float) -> None:
    """Store one reading; the load moves, the sun does not shine, and other fields are given by name."""
    stamp = round(at.timestamp() * 1000)
    load = (stamp // 60_000) % 7 + 0.5
    fields = {"A.Load": load, "A.Solar": 0.0, **values}
    block = store.Block(
        tuple(fields), np.array([stamp], np.int64), np.array([[value] for value in fields.values()])
    )
    store.append([store.Upload(device.pk, (block,))], received_at=received_at or at)


def warn(house: House, text: str, at: datetime, source: Source | None = None, **data: Any) -> None:
    """Store a WARNING event as an upload does."""
    stamp = round(at.timestamp() * 1000)
    event = Happening(None if source is None else source.pk, stamp, "WARNING", {"data": text, **data})
    events.add(house=house, happened=[event])


def seen(house: House, at: datetime, **said: int) -> None:
    """The agent of a house was heard of, and said this of itself."""
    units.memory.clear()
    sent_at = round(at.timestamp() * 1000) + said.pop("offset", 0)
    units.note(house=house, about=units.About(sent_at=sent_at, **said), now=at)  # type: ignore[arg-type]


def lasting(kind: Kind | None = None) -> list[Alert]:
    """The alerts that are not over, oldest first."""
    alerts = Alert.objects.exclude(state=State.CLEARED).order_by("opened_at", "id")
    return list(alerts if kind is None else alerts.filter(kind=kind))
