"""The demo's office: two loggers, two meters, and a third that is derived."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import Client

from apps.accounts.models import User
from apps.desk import demo_building
from apps.desk.demo_building import BOXES, PATH
from apps.houses.models import House
from apps.inbox.models import Receipt, State
from apps.inbox.parsing import parse
from apps.meters import passwords
from apps.meters.models import Layout, Meter, MeterSet
from apps.meters.sets import computing
from apps.readings import store, working
from apps.readings.models import Series
from collectors.simulation.acquisuite import Box, Logger
from collectors.simulation.world import World

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
DAY_S = 86_400


@pytest.fixture
def office(db: None, settings: Any, tmp_path: Path, clean_cache: None, alice: User) -> House:
    settings.VAR = tmp_path
    passwords.forget()
    with time_machine.travel(NOW, tick=False):
        yield demo_building.seed(now=NOW, members=[alice])


def post(body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    answer = Client(raise_request_exception=False).generic("POST", PATH, body, headers["Content-Type"])
    return answer.status_code, answer.content.decode("latin-1")


def test_what_the_loggers_bring_makes_the_derived_meter(office: House) -> None:
    start = NOW.timestamp() - 2 * DAY_S
    world = World(demo_building.SEED, int(start * 1000))
    for box in BOXES:
        logger = Logger(
            world, Box(box.serial, demo_building._password(box), (box.meter,), period=300), start=start
        )
        logger.log(NOW.timestamp() // DAY_S * DAY_S)
        logger.log(NOW.timestamp())
        assert all(step.success for step in logger.session(post, NOW.timestamp()))
    for receipt in Receipt.objects.filter(state=State.RECEIVED):
        parse(receipt.pk)
    assert set(Receipt.objects.filter(kind="acquisuite.log").values_list("state", flat=True)) == {
        State.PARSED
    }
    assert not Layout.objects.exclude(state=Layout.State.MAPPED).exists()
    assert Meter.objects.filter(source__house=office).count() == 3
    working.sweep(now=NOW + timedelta(minutes=11))
    computing.run_due()
    derived = MeterSet.objects.get().derived
    assert derived is not None
    series = Series.objects.get(source=derived.source, field="power")
    found = store.read([series.pk], start=0, end=4 * 10**12)[series.pk]
    assert len(found) > 0.9 * 2 * 288


def test_a_second_start_adds_nothing_and_keeps_the_passwords(office: House, alice: User) -> None:
    before = [demo_building._password(box) for box in BOXES]
    assert demo_building.seed(now=NOW, members=[alice]) == office
    assert [demo_building._password(box) for box in BOXES] == before
    assert MeterSet.objects.get().version == 1
    assert Meter.objects.count() == 3


def test_the_loggers_call_with_what_they_missed_and_one_makes_itself_awaited(office: House) -> None:
    first, second = demo_building.children(office, url="http://127.0.0.1:9", now=NOW)
    argv = list(first.argv)
    assert argv[argv.index("--days") + 1] == "14.000"
    assert argv[argv.index("--logger") + 1].startswith("001EC6D0A001:")
    assert second.after is not None
    assert not second.after()  # it is early, and nobody answers there


def test_a_lost_file_of_passwords_is_made_up_for(office: House) -> None:
    demo_building.clear()
    demo_building.children(office, url="http://127.0.0.1:9", now=NOW)
    passwords.forget()
    for box in BOXES:
        assert passwords.verify(box.serial, demo_building._password(box), now=NOW) is not None


def test_it_stands_behind_the_demo_house_in_every_list(office: House) -> None:
    House.objects.create(name="demo", label="Demo house")
    assert House.objects.filter(name__in=["demo", "office"]).first() == House.objects.get(name="demo")
