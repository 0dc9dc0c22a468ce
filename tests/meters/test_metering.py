"""Meters and assignments: series belong to the meter, and survive the loggers and devices that fill them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from apps.houses.models import House
from apps.inbox.models import Receipt, State
from apps.jobs.models import Job
from apps.jobs.run import perform
from apps.meters import layouts, metering, refilling
from apps.meters.acquisuite.mapping import named
from apps.meters.acquisuite.points import ROLES
from apps.meters.loggers import add_logger
from apps.meters.models import ALWAYS, Assignment, Layout, Logger, LoggerDevice, Meter
from apps.readings.models import Series
from tests.meters.conftest import NOW, Box, Reader, lines, ms, states
from tests.meters.test_parsing import at, device, small

pytestmark = pytest.mark.usefixtures("noon")
OTHER = "001EC6005678"


@pytest.fixture
def second(house_a: House) -> Box:
    """Another logger of house A, which opens no meters by itself."""
    add_logger(house=house_a, serial=OTHER, password="other-pass-1", opens_meters=False, now=NOW)
    return Box(OTHER, "other-pass-1", {"MODBUSDEVICENAME": "New box"})


def send(box: Box, *quarters: int, power: int, address: int = 1) -> None:
    assert (
        box.log(lines(*(small(n, power, n=n) for n in quarters)), device=address, device_class=4).status_code
        == 200
    )


def work() -> None:
    """What a worker would do."""
    for job in Job.objects.filter(state="queued").order_by("pk"):
        perform(job.pk)
    assert set(Job.objects.values_list("state", flat=True)) <= {"done"}


class TestSwaps:
    def test_series_survive_the_swap_of_a_logger(
        self, box: Box, second: Box, logger: Logger, readings: Reader
    ) -> None:
        send(box, 0, 1, power=10)
        send(second, 2, 3, power=20)
        assert states() == [State.PARSED, State.NEEDS_MAPPING]
        metering.take_over(old=logger, new=Logger.objects.get(serial=OTHER), at=ms(at(2)))
        work()
        assert readings() == {ms(at(0)): 10, ms(at(1)): 10, ms(at(2)): 20, ms(at(3)): 20}
        assert states() == [State.PARSED] * 2
        assert Meter.objects.count() == 1
        send(box, 4, power=99)  # the old one still sends
        assert ms(at(4)) not in readings()

    def test_a_meter_of_another_class_goes_on_in_the_same_series(self, box: Box, readings: Reader) -> None:
        send(box, 0, power=10)
        before = set(Series.objects.values_list("pk", flat=True))
        box.log(lines(small(n=1, error=193)), device_class=4)
        asks = Layout.objects.get(state="asks")
        targets = [named(0, "P", "W", ROLES["power"]), named(1, "E", "Wh", ROLES["energy"])]
        layouts.map_layout(layout=asks, targets=targets, now=NOW, by=None)
        metering.declare(device=device())
        box.log(lines(small(20_000, 5_000, n=2)), device_class=4)
        assert readings() == {ms(at(0)): 10, ms(at(2)): 20}
        assert readings("energy") == {ms(at(0)): 0, ms(at(2)): 5}
        assert set(Series.objects.values_list("pk", flat=True)) == before

    def test_an_address_becomes_another_meter(self, box: Box, logger: Logger, readings: Reader) -> None:
        send(box, 0, 1, 2, 3, power=10)
        other = metering.create_meter(house=logger.house, name="roof")
        metering.end(assignment=Assignment.objects.get(), ends=ms(at(2)))
        metering.assign(device=device(), meter=other, starts=ms(at(2)))
        work()
        assert list(readings()) == [ms(at(0)), ms(at(1))]
        assert list(readings(source="roof")) == [ms(at(2)), ms(at(3))]

    def test_what_a_meter_holds_from_another_device_stays(
        self, box: Box, second: Box, logger: Logger, readings: Reader
    ) -> None:
        send(box, 0, 1, power=10)
        metering.take_over(old=logger, new=Logger.objects.get(serial=OTHER), at=ms(at(2)))
        send(second, 2, 3, power=20)
        work()
        metering.remove(assignment=Assignment.objects.get(device__logger__serial=OTHER))
        work()
        assert readings() == {ms(at(0)): 10, ms(at(1)): 10}
        assert states() == [State.PARSED, State.NEEDS_MAPPING]

    def test_readings_whose_files_are_gone_are_not_taken_back(self, box: Box, readings: Reader) -> None:
        send(box, 0, 1, power=10)
        Receipt.objects.update(body=None, state=State.EXPIRED)
        send(box, 2, 3, power=20)
        layout = Layout.objects.get()
        layouts.map_layout(layout=layout, targets=[named(1, "", "W", ROLES["power"])], now=NOW, by=None)
        refilling.read_again(device=device(), starts=ALWAYS, by=None)
        work()
        assert readings() == {ms(at(0)): 10, ms(at(1)): 10, ms(at(2)): 0.02, ms(at(3)): 0.02}
        assert list(readings("energy")) == [ms(at(0)), ms(at(1))]

    def test_reading_again_twice_is_the_same_as_once(self, box: Box, readings: Reader) -> None:
        send(box, 0, 1, power=10)
        send(box, 1, 2, power=11)
        before = readings()
        for _ in range(2):
            assert refilling.read_again(device=device(), starts=ALWAYS, by=None) is not None
            work()
        assert readings() == before == {ms(at(0)): 10, ms(at(1)): 11, ms(at(2)): 11}

    def test_a_new_logger_takes_the_place_before_it_ever_called(
        self, box: Box, second: Box, logger: Logger, readings: Reader
    ) -> None:
        send(box, 0, power=10)
        moved = metering.take_over(old=logger, new=Logger.objects.get(serial=OTHER), at=ms(at(1)))
        assert [one.device.address for one in moved] == [1]
        send(second, 1, power=20)
        work()
        assert readings() == {ms(at(0)): 10, ms(at(1)): 20}


class TestRules:
    @pytest.fixture
    def known(self, box: Box) -> Assignment:
        send(box, 0, power=10)
        return Assignment.objects.get()

    def refused(self, change: Callable[[], Any], words: str) -> None:
        with pytest.raises(ValidationError) as caught:
            change()
        assert words in " ".join(caught.value.messages)

    def test_a_device_is_one_meter_at_a_time(self, known: Assignment, logger: Logger) -> None:
        other = metering.create_meter(house=logger.house, name="roof")
        self.refused(lambda: metering.assign(device=known.device, meter=other), "is Main at that time")
        metering.end(assignment=known, ends=ms(at(9)))
        self.refused(
            lambda: metering.assign(device=known.device, meter=other, starts=ms(at(8))), "at that time"
        )
        metering.assign(device=known.device, meter=other, starts=ms(at(9)))

    def test_a_meter_is_one_device_at_a_time(self, known: Assignment, logger: Logger) -> None:
        second = LoggerDevice.objects.create(logger=logger, address=2)
        self.refused(lambda: metering.assign(device=second, meter=known.meter), "is this meter at that time")

    def test_it_ends_after_it_starts(self, known: Assignment, logger: Logger) -> None:
        self.refused(lambda: metering.end(assignment=known, ends=0), "ends after it starts")

    def test_a_meter_of_another_house_is_none(self, known: Assignment, house_b: House) -> None:
        foreign = metering.create_meter(house=house_b, name="roof")
        self.refused(lambda: metering.assign(device=known.device, meter=foreign), "another house")

    def test_loggers_of_two_houses_take_over_nothing(self, known: Assignment, house_b: House) -> None:
        other, _ = add_logger(house=house_b, serial=OTHER, now=NOW)
        self.refused(
            lambda: metering.take_over(old=known.device.logger, new=other, at=1), "not of the same house"
        )

    @pytest.mark.parametrize("name", ["", "7up", "a b", "events", "Main"])
    def test_a_name_is_an_identifier_and_free(self, known: Assignment, logger: Logger, name: str) -> None:
        self.refused(lambda: metering.create_meter(house=logger.house, name=name), "")

    def test_a_field_keeps_its_unit(self, known: Assignment) -> None:
        Series.objects.filter(field="power").update(unit="MW")
        self.refused(lambda: metering.declare(device=known.device), "cannot become")


def test_series_follow_the_log_period_of_the_loggers_configuration(box: Box) -> None:
    send(box, 0, power=10)
    box.config("loggerconfig.ini", "LOGPERIOD=5\r\n", MODBUSDEVICE="0", MODBUSDEVICECLASS="0")
    assert set(Series.objects.values_list("cadence", flat=True)) == {300}
