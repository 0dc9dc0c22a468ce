"""Alerts about loggers: silence, mute devices, full flash, and clocks that were set."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.alerts import summary
from apps.alerts.evaluation import evaluate
from apps.alerts.kinds import Kind
from apps.alerts.models import Alert
from apps.meters import metering
from apps.meters.loggers import set_enabled
from apps.meters.models import Assignment, Logger, LoggerDevice
from tests.meters.conftest import NOW, START, Box, lines, rows
from tests.meters.test_parsing import small

pytestmark = pytest.mark.usefixtures("noon")
HOUR = 3600


def alerts(*kinds: Kind, minutes: int = 6) -> set[str]:
    """What is open of these kinds after some minutes, in words."""
    for minute in range(minutes + 1):
        evaluate(now=timezone.now() + timedelta(minutes=minute))
    found = Alert.objects.lasting().filter(kind__in=kinds).select_related("source")
    return {summary.text(alert) for alert in found}


class TestSilence:
    def test_a_logger_that_does_not_call(self, box: Box, logger: Logger, noon: Any) -> None:
        box.log(rows())
        assert alerts(Kind.LOGGER, Kind.SILENT) == set()
        noon.shift(30 * HOUR)
        assert alerts(Kind.LOGGER, Kind.SILENT) == {"The logger 001EC6001234 does not call"}
        assert Alert.objects.lasting().get().evidence["since"] == int(NOW.timestamp() * 1000)
        box.post("STATUS")
        assert alerts(Kind.LOGGER) == set()

    def test_it_is_waited_for_as_long_as_it_is_used_to(self, box: Box, noon: Any) -> None:
        for n in range(5):
            box.log(small(n, n, n=96 * n), device_class=4)
            noon.shift(24 * HOUR)
        assert alerts(Kind.LOGGER) == set()
        noon.shift(13 * HOUR)
        assert len(alerts(Kind.LOGGER)) == 1

    def test_one_that_never_called(self, logger: Logger, noon: Any) -> None:
        noon.shift(20 * HOUR)
        assert alerts(Kind.LOGGER) == set()
        noon.shift(7 * HOUR)
        assert alerts(Kind.LOGGER) == {"The logger 001EC6001234 has never called"}

    def test_a_disabled_one_is_silent_on_purpose(self, box: Box, logger: Logger, noon: Any) -> None:
        box.log(rows())
        set_enabled(logger=logger, enabled=False, by=None)
        alerts()
        noon.shift(60 * HOUR)
        assert alerts(Kind.LOGGER, Kind.SILENT) == set()

    def test_a_meter_that_no_device_is_any_more_is_not_silent(self, box: Box, noon: Any) -> None:
        box.log(rows())
        alerts()
        metering.end(assignment=Assignment.objects.get(), ends=int(NOW.timestamp() * 1000))
        noon.shift(60 * HOUR)
        Logger.objects.update(last_seen_at=timezone.now())
        assert alerts(Kind.SILENT) == set()


class TestMuteDevices:
    def test_one_that_did_not_answer_for_some_rows(self, box: Box) -> None:
        box.log(lines(small(1, 1), small(n=1, error=139), small(n=2, error=139)), device_class=4)
        assert alerts(Kind.MUTE) == set()
        box.log(small(n=3, error=139), device_class=4)
        assert alerts(Kind.MUTE) == {"Device 1 of the logger 001EC6001234 does not answer"}
        box.log(small(2, 2, n=4), device_class=4)
        assert alerts(Kind.MUTE) == set()

    def test_its_meter_is_silent_for_that_reason(self, box: Box, noon: Any) -> None:
        box.log(small(1, 1), device_class=4)
        alerts()
        noon.shift(40 * HOUR)
        box.log(lines(small(n=150, error=139), small(n=156, error=139)), device_class=4)
        assert alerts(Kind.MUTE, Kind.SILENT) == {"Device 1 of the logger 001EC6001234 does not answer"}

    def test_an_ignored_one_and_other_faults_are_none(self, box: Box) -> None:
        box.log(lines(small(n=1, error=110), small(n=5, error=110)), device_class=4)
        assert alerts(Kind.MUTE) == set()
        box.log(lines(small(n=6, error=139), small(n=9, error=139)), device_class=4)
        LoggerDevice.objects.update(ignored=True)
        assert alerts(Kind.MUTE) == set()


class TestFlash:
    @pytest.mark.parametrize(("percent", "count"), [("74", 0), ("75", 1), ("94", 1), ("95", 2), ("100", 2)])
    def test_from_75_and_from_95_per_cent(self, box: Box, percent: str, count: int) -> None:
        box.post("STATUS", PERCENTBLOCKSINUSE=percent)
        found = alerts(Kind.FLASH)
        assert len(found) == min(count, 1) or count == 2
        assert Alert.objects.lasting().filter(kind=Kind.FLASH).count() == count

    def test_it_clears_once_it_is_clearly_less(self, box: Box) -> None:
        for percent, count in [("96", 2), ("92", 2), ("88", 1), ("72", 1), ("60", 0)]:
            box.post("STATUS", PERCENTBLOCKSINUSE=percent)
            alerts()
            assert Alert.objects.lasting().filter(kind=Kind.FLASH).count() == count

    def test_what_a_silent_logger_said_is_old_news(self, box: Box, noon: Any) -> None:
        box.post("STATUS", PERCENTBLOCKSINUSE="80")
        assert len(alerts(Kind.FLASH)) == 1
        noon.shift(40 * HOUR)
        assert len(alerts(Kind.FLASH)) == 1


def test_a_clock_that_was_set_is_told_for_two_days(box: Box, noon: Any) -> None:
    box.log(lines(small(1, 1), small(n=1, error=162)), device_class=4)
    assert alerts(Kind.CLOCK_SET) == {"The clock of the logger 001EC6001234 was set"}
    noon.move_to(START + timedelta(days=3))
    assert alerts(Kind.CLOCK_SET) == set()


class TestMapping:
    def test_files_that_wait_for_a_day_are_brought_to_mind(self, box: Box, noon: Any) -> None:
        box.log(rows(), device_class=4025)
        assert alerts(Kind.MAPPING) == set()
        noon.shift(25 * HOUR)
        box.log(rows(5), device_class=4025)
        text = "2 files wait until somebody says what device 1 of the logger 001EC6001234 is"
        assert alerts(Kind.MAPPING) == {text}
        assert Alert.objects.lasting().get(kind=Kind.MAPPING).evidence["since"] == int(NOW.timestamp() * 1000)
        LoggerDevice.objects.update(ignored=True)
        assert alerts(Kind.MAPPING) == set()
