"""Simulated loggers against the real server: over HTTP, and with everything that they are able to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from apps.houses.models import House
from apps.inbox.models import Receipt, State
from apps.inbox.parsing import parse
from apps.meters.loggers import add_logger
from apps.meters.models import ConfigVersion, Logger, Meter, Point, UploadFile
from apps.readings import store
from apps.readings.models import Series
from collectors.simulation.acquisuite import Box
from collectors.simulation.acquisuite import Logger as Simulated
from collectors.simulation.world import World
from tests.meters.conftest import NOW, PASSWORD, SERIAL, START, URL, ms
from tests.meters.test_metering import work

DAY = 86_400


def post(body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    answer = Client(raise_request_exception=False).generic("POST", URL, body, headers["Content-Type"])
    return answer.status_code, answer.content.decode("latin-1")


def read_all() -> None:
    """What workers would do."""
    for receipt in Receipt.objects.filter(state=State.RECEIVED):
        parse(receipt.pk)
    work()


def energy(name: str) -> tuple[float, int]:
    """The sum of a meter's powers, and how many there are."""
    series = Series.objects.get(source__name=name, field="power")
    samples = store.read([series.pk], start=0, end=4 * 10**12)[series.pk]
    return float(samples.values.sum()), len(samples)


@pytest.mark.usefixtures("noon")
class TestSessions:
    @pytest.fixture
    def building(self, house_a: House) -> tuple[Simulated, Simulated]:
        """Two loggers of one building, of which the second one's clock is slow."""
        world = World(7, ms(START))
        boxes = [
            Box(SERIAL, PASSWORD, meters=("load", "solar"), period=900),
            Box("001EC6005678", PASSWORD, meters=("utility",), period=900, skew=-40),
        ]
        for box in boxes:
            add_logger(house=house_a, serial=box.serial, password=PASSWORD, now=NOW)
        first, second = (Simulated(world, box, start=START.timestamp()) for box in boxes)
        return first, second

    def test_a_day_of_a_building_arrives_and_balances(self, building: tuple[Simulated, Simulated]) -> None:
        for one in building:
            one.log(START.timestamp() + DAY)
            steps = one.session(post, NOW.timestamp())
            assert all(step.success or step.mode == "CONFIGFILEMANIFEST" for step in steps)
            assert one.files == []
        read_all()
        assert {meter.source.name for meter in Meter.objects.all()} == {"Load", "Solar", "Utility"}
        (load, count), (solar, _), (utility, _) = energy("Load"), energy("Solar"), energy("Utility")
        assert 85 <= count <= 96
        assert load == pytest.approx(solar + utility, rel=0.05)
        logger = Logger.objects.get(serial=SERIAL)
        assert (logger.firmware, logger.period_s) == ("v02.14.0914", 900)

    def test_the_next_session_brings_the_names_of_the_points(
        self, building: tuple[Simulated, Simulated]
    ) -> None:
        first, _ = building
        first.log(START.timestamp() + DAY / 2)
        first.session(post, NOW.timestamp())
        assert [one.name for one in ConfigVersion.objects.all()] == ["loggerconfig.ini"]
        first.log(START.timestamp() + DAY)
        first.session(post, NOW.timestamp() + 60)
        read_all()
        names = ConfigVersion.objects.order_by("name").values_list("name", flat=True)
        assert list(names) == ["loggerconfig.ini", "modbus/mb-001.ini", "modbus/mb-002.ini"]
        power = Point.objects.get(layout__device__address=2, role="power")
        assert (power.number, power.name) == (10, "Total Net Instantaneous Real Power")
        assert not Point.objects.filter(layout__device__address=2, name="-", used=True).exists()
        assert energy("Solar")[1] > 85

    def test_what_was_lost_on_the_way_comes_again_and_counts_once(
        self, building: tuple[Simulated, Simulated]
    ) -> None:
        """The answer gets lost, so that the logger sends again what has arrived."""
        first, _ = building

        def lossy(body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
            status, text = post(body, headers)
            return (200, "") if b"LOGFILEUPLOAD" in body else (status, text)

        first.log(START.timestamp() + DAY)
        first.session(lossy, NOW.timestamp())
        assert len(first.files) == 2
        first.session(post, NOW.timestamp() + 60)
        assert first.files == []
        read_all()
        assert UploadFile.objects.filter(repeat=True, device__address=1).count() == 3
        assert Receipt.objects.count() == 2
        assert energy("Load")[1] <= 96

    def test_a_clock_that_is_slow_shows_in_the_stamps(self, building: tuple[Simulated, Simulated]) -> None:
        for one in building:
            one.log(START.timestamp() + DAY)
            one.session(post, NOW.timestamp())
        read_all()
        series = Series.objects.get(source__name="Utility", field="power")
        stamps = store.read([series.pk], start=0, end=4 * 10**12)[series.pk].stamps
        assert (stamps % 900_000 > 850_000).any()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_command_brings_a_backlog_over_http(live_server: LiveServer, house_a: House) -> None:
    from django.utils import timezone

    add_logger(house=house_a, serial=SERIAL, password=PASSWORD, now=timezone.now())
    command = [sys.executable, "-m", "collectors", "simulate", "acquisuite", "--once", "--days", "1"]
    command += ["--url", live_server.url + URL, "--logger", f"{SERIAL}:{PASSWORD}:load", "--basic"]
    done: Any = subprocess.run(
        command, cwd=Path(settings.BASE_DIR), capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{SERIAL}: " in done.stdout
    assert "0 files wait" in done.stdout
    assert UploadFile.objects.filter(mode="LOGFILEUPLOAD", reply_status=200).count() >= 1
