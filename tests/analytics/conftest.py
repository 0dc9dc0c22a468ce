"""House A with the playbook's meter and battery, and ways to write items of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.analytics.models import AnalyticsItem
from apps.analytics.mutations import create_item
from apps.devices.models import Device
from apps.devices.mutations import create_device
from apps.houses.models import House

KEYS = ["A.Solar", "A.GridPower", "A.Load", "A.L1_Voltage"]

MakeItem = Callable[..., AnalyticsItem]


@pytest.fixture
def meter(house_a: House) -> Device:
    return create_device(
        house=house_a, name="egauge", type="egauge", config={"ip": "192.0.2.7", "keys": KEYS}
    )


@pytest.fixture
def sonnen(house_a: House) -> Device:
    return create_device(house=house_a, name="sonnen", type="sonnen", config={"ip": "192.0.2.8"})


@pytest.fixture
def make(house_a: House, meter: Device, sonnen: Device) -> MakeItem:
    """A function that creates an item of house A: `make("sun", "pos(egauge.A.Solar)")`."""

    def made(name: str, formula: str, **more: Any) -> AnalyticsItem:
        return create_item(house=house_a, name=name, formula=formula, **more)

    return made
