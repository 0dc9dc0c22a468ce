"""A metered house whose items reports can read: two days of sun, load and grid that balance."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine

from apps.analytics.mutations import create_required
from apps.analytics.reports import panel
from apps.houses.models import House
from tests.devices.test_chart import HOUR, feed, meter, ms

NOON = datetime(2026, 6, 3, 12, tzinfo=ZoneInfo("Europe/Brussels"))
MIDNIGHT = ms(NOON.replace(hour=0))
DAY = 24 * HOUR


@pytest.fixture
def noon() -> datetime:
    """Noon of the third day; the clock of the test stands there."""
    return NOON


@pytest.fixture(autouse=True)
def _forgetful() -> None:
    panel.forget()


@pytest.fixture
def metered(house_a: House) -> House:
    """House A: on each of two days the sun gives 3 kW from 8 to 16 o'clock and the load takes 1 kW all day.

    A gap of two hours lies on the first day, from 20 to 22 o'clock.
    """
    device = meter(house_a, "egauge", "A.Solar", "A.GridPower", "A.Load")
    for day in (MIDNIGHT - 2 * DAY, MIDNIGHT - DAY):
        feed(device, day, day + 8 * HOUR, Solar=0.0, GridPower=-1.0, Load=-1.0)
        feed(device, day + 8 * HOUR, day + 16 * HOUR, Solar=3.0, GridPower=2.0, Load=-1.0)
        feed(device, day + 16 * HOUR, day + 20 * HOUR, Solar=0.0, GridPower=-1.0, Load=-1.0)
    feed(device, MIDNIGHT - 2 * HOUR - DAY, MIDNIGHT - DAY, Solar=0.0, GridPower=-1.0, Load=-1.0)
    feed(device, MIDNIGHT - 4 * HOUR, MIDNIGHT, Solar=0.0, GridPower=-1.0, Load=-1.0)
    feed(device, MIDNIGHT, MIDNIGHT + 12 * HOUR, Solar=1.0, GridPower=0.5, Load=-0.5)
    create_required(house=house_a)
    return house_a


@pytest.fixture
def at_noon() -> object:
    """Stop the clock at noon."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller
