"""How late readings usually are, learnt from the files that brought them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.houses.models import House
from apps.meters import delays, health
from apps.meters.models import Logger, LoggerDevice, Meter, MeterSet
from apps.meters.sets.mutations import Spec, declare_set
from apps.meters.sets.standing import standing
from apps.readings.models import Source
from apps.readings.series import FieldSpec, declare
from tests.meters.conftest import Box, lines, row

pytestmark = pytest.mark.usefixtures("noon")
MINUTE, HOUR = 60_000, 3_600_000


def device() -> int:
    return LoggerDevice.objects.get().pk


def bring(box: Box, noon: Any, *, hours: float, rows: int = 4) -> None:
    """Let `hours` go by, and bring the last rows of them, a quarter of an hour apart, up to a minute ago."""
    noon.shift(hours * 3600)
    last = timezone.now() - timedelta(minutes=1)
    times = [last - timedelta(minutes=15 * n) for n in reversed(range(rows))]
    box.log(lines(*[row(at, at.timestamp(), 10) for at in times]), device_class=4)


def test_nothing_is_known_of_the_first_files(box: Box, noon: Any) -> None:
    for _ in range(delays.LEAST - 1):
        bring(box, noon, hours=1)
    assert delays.usual([device()]) == {}
    bring(box, noon, hours=1)
    assert delays.usual([device()]) == {device(): 46 * MINUTE}


def test_it_is_what_nearly_all_files_keep(box: Box, noon: Any) -> None:
    bring(box, noon, hours=48, rows=190)  # one long outage in many files
    for _ in range(20):
        bring(box, noon, hours=1)
    assert delays.usual([device()]) == {device(): 46 * MINUTE}


def test_files_that_repeat_rows_tell_nothing(box: Box, noon: Any) -> None:
    for _ in range(3):
        bring(box, noon, hours=1)
    for _ in range(3):
        bring(box, noon, hours=0.25, rows=40)  # the same and one more
    assert delays.usual([device()])[device()] == 46 * MINUTE


def test_a_derived_meter_waits_twice_as_long_for_it(box: Box, noon: Any, house_a: House) -> None:
    for _ in range(3):
        bring(box, noon, hours=1)
    solar = Source.objects.create(house=house_a, name="inverter")
    declare(source=solar, fields=[FieldSpec("ac", "power", "kW", "gauge", 900)])
    members = [Spec(solar, "solar", field="ac"), Spec(Meter.objects.get().source, "load")]
    declare_set(house=house_a, topology="no_utility", members=members, now=timezone.now())
    found = standing(MeterSet.objects.get(), now=timezone.now())
    assert found is not None
    assert {one.role: one.waits for one in found.inputs} == {"solar": "0.75 h", "load": "1.53 h"}


def test_the_loggers_page_says_it(box: Box, noon: Any, logger: Logger) -> None:
    assert health.usual_delay(logger) == ""
    for _ in range(3):
        bring(box, noon, hours=24, rows=96)
    assert health.usual_delay(logger) == "23 h 46 min"
    admin = Client()
    admin.force_login(User.objects.create_superuser("root@example.org", "x" * 12))
    page = admin.get(f"/admin/meters/logger/{logger.pk}/change/")
    assert "23 h 46 min" in page.content.decode()
