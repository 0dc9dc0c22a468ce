"""What becomes of logs: readings, events, and questions; twice, late, out of order, with errors between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.devices.models import Event
from apps.inbox import replaying
from apps.inbox.models import Receipt, State
from apps.inbox.parsing import parse
from apps.meters import layouts, metering
from apps.meters.acquisuite import modes
from apps.meters.acquisuite.mapping import named
from apps.meters.acquisuite.points import ROLES
from apps.meters.models import Layout, Logger, LoggerDevice, Meter, UploadFile
from apps.readings import store
from apps.readings.models import Series, Source, Tail
from tests.meters.conftest import NOW, START, Box, Reader, counts, last_file, lines, ms, row, rows, states

pytestmark = pytest.mark.usefixtures("noon")
QUARTER = timedelta(minutes=15)
HEADER = "time(utc),error,low alarm,high alarm,'Energy (kWh)','Real Power (kW)'"


def at(n: int) -> Any:
    """The nth quarter of an hour."""
    return START + n * QUARTER


def small(*points: object, n: int = 0, **more: Any) -> str:
    """A row of a device of class 4: energy and power."""
    return row(at(n), *points, **more)


def device(address: int = 1) -> LoggerDevice:
    return LoggerDevice.objects.get(address=address)


def events(*, states_too: bool = False) -> list[tuple[str, int]]:
    found = Event.objects.order_by("timestamp", "pk")
    found = found if states_too else found.exclude(type="STATE")
    return [(event.type, event.timestamp) for event in found]


def told(field: str) -> list[tuple[int, str]]:
    """The states of a field, in order."""
    found = Event.objects.filter(type="STATE", data__field=field).order_by("timestamp")
    return [(event.timestamp, event.data["value"]) for event in found]


def replay(receipt: Receipt | None = None) -> Receipt:
    receipt = receipt or Receipt.objects.latest("pk")
    replaying.replay(receipt=receipt, by=None)
    parse(receipt.pk)
    receipt.refresh_from_db()
    return receipt


class TestReadings:
    def test_a_new_device_of_a_known_class_becomes_a_meter(self, box: Box, logger: Logger) -> None:
        box.log(rows())
        meter = Meter.objects.get()
        assert (meter.source.name, meter.source.namespace, meter.source.house) == (
            "Main",
            "meter",
            logger.house,
        )
        power = Series.objects.get(source=meter.source, field="power")
        assert (power.unit, power.kind, power.cadence, power.sign) == (
            "kW",
            "gauge",
            900,
            "as the meter sends it",
        )
        assert Series.objects.get(source=meter.source, field="energy").kind == "counter"
        assert Series.objects.get(source=meter.source, field="demand").kind == "interval"

    @pytest.mark.parametrize(
        ("name", "expected"), [("Main-Panel #2", "Main_Panel_2"), ("", "meter_1"), ("7th", "meter_1")]
    )
    def test_it_is_named_after_the_device_where_formulas_can_say_that(
        self, box: Box, name: str, expected: str
    ) -> None:
        box.log(rows(), MODBUSDEVICENAME=name)
        assert Meter.objects.get().source.name == expected

    def test_a_name_that_is_taken_gets_a_number(self, box: Box) -> None:
        box.log(rows(), device=1)
        box.log(rows(), device=2)
        assert sorted(Source.objects.values_list("name", flat=True)) == ["Main", "Main_2"]

    def test_two_devices_of_a_logger_are_two_meters(self, box: Box, readings: Reader) -> None:
        box.log(small(1, 10) + "\n", device=1, device_class=4, MODBUSDEVICENAME="one")
        box.log(small(1, 20) + "\n", device=2, device_class=4, MODBUSDEVICENAME="two")
        assert readings(source="one") == {ms(at(0)): 10}
        assert readings(source="two") == {ms(at(0)): 20}

    def test_values_keep_their_sign_and_are_turned_into_the_series_unit(
        self, box: Box, readings: Reader
    ) -> None:
        box.log(row(at(0), *[-5] * 28, *[89.1] * 4, *[1] * 32) + "\n", device_class=12)
        assert readings("power") == {ms(at(0)): -5}
        assert readings("power_factor") == {ms(at(0)): pytest.approx(0.891)}

    def test_rows_off_the_grid_keep_their_seconds(self, box: Box, readings: Reader) -> None:
        odd = at(0) + timedelta(seconds=373)
        box.log(row(odd, 1, 10), device_class=4)
        assert list(readings()) == [ms(odd)]

    def test_a_logger_that_opens_no_meters_waits_for_people(
        self, box: Box, logger: Logger, readings: Reader
    ) -> None:
        Logger.objects.update(opens_meters=False)
        box.log(rows())
        receipt = Receipt.objects.get()
        assert (receipt.state, receipt.error) == (
            State.NEEDS_MAPPING,
            "No meter is assigned to the device at the time of some rows.",
        )
        meter = metering.create_meter(house=logger.house, name="roof")
        metering.assign(device=device(), meter=meter)
        assert replay().state == State.PARSED
        assert len(readings(source="roof")) == 4

    def test_a_disabled_meter_takes_nothing(self, box: Box, readings: Reader) -> None:
        box.log(rows(2))
        metering.update_meter(meter=Meter.objects.get(), enabled=False)
        box.log(rows(4))
        assert counts(last_file()) == (0, 0, 0, 4)
        assert last_file().notes == ["The meter Main is disabled."]
        assert len(readings()) == 2

    def test_what_is_sealed_is_rejected(self, box: Box, readings: Reader) -> None:
        box.log(rows(1))
        Source.objects.update(sealed_before=ms(at(2)))
        box.log(rows(4))
        assert counts(last_file()) == (2, 0, 0, 2)

    def test_an_ignored_device_is_kept_and_not_read(self, box: Box, readings: Reader) -> None:
        box.log(rows(1))
        LoggerDevice.objects.update(ignored=True)
        box.log(rows(4))
        assert states() == [State.PARSED, State.PARSED]
        assert len(readings()) == 1

    def test_rows_wider_or_narrower_than_the_class_are_told(self, box: Box, readings: Reader) -> None:
        box.log(rows(2, width=28))
        assert last_file().notes == ["Its rows have 28 points instead of 26."]
        box.log(rows(4, width=3))
        assert len(readings()) == 4

    def test_bad_lines_are_counted_and_the_first_is_told(self, box: Box) -> None:
        box.log(lines(small(1, 10), "rubbish, rubbish, rubbish", small(2, 11, n=1)), device_class=4)
        assert counts(last_file()) == (2, 0, 0, 1)
        assert last_file().notes == ["Line 2: it does not begin with a time."]

    def test_an_empty_log_is_fine(self, box: Box) -> None:
        assert box.log("\n").content == b"\nSUCCESS\n"
        assert (states(), counts(last_file())) == ([State.PARSED], (0, 0, 0, 0))


class TestTwiceAndLate:
    def test_a_replay_writes_nothing(self, box: Box, readings: Reader) -> None:
        box.log(rows())
        before, tails = readings(), Tail.objects.count()
        assert replay().state == State.PARSED
        assert (readings(), Tail.objects.count()) == (before, tails)
        assert counts(last_file()) == (0, 4, 0, 0)

    def test_out_of_order_is_the_same_as_in_order(self, box: Box, readings: Reader) -> None:
        for n in (2, 0, 3, 1):
            box.log(small(n, 10 + n, n=n), device_class=4)
        assert readings() == {ms(at(n)): 10 + n for n in range(4)}
        assert device().newest_row == ms(at(3))

    def test_of_files_that_contradict_each_other_the_last_to_arrive_counts(
        self, box: Box, readings: Reader
    ) -> None:
        box.log(small(1, 10), device_class=4)
        box.log(small(1, 99), device_class=4)
        assert readings() == {ms(at(0)): 99}
        assert counts(last_file()) == (0, 0, 1, 0)
        assert "contradict" in last_file().notes[0]

    def test_whatever_the_order_they_are_read_in(
        self, box: Box, readings: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        box.log(small(0, 5, n=1), device_class=4)
        monkeypatch.setattr(modes, "CHEAP", 0)
        box.log(small(1, 10), device_class=4)
        monkeypatch.setattr(modes, "CHEAP", 10**6)
        box.log(small(1, 99), device_class=4)
        for receipt in Receipt.objects.all():
            parse(receipt.pk)
        assert readings()[ms(at(0))] == 99
        replay(Receipt.objects.order_by("pk")[1])
        assert readings()[ms(at(0))] == 99

    def test_an_error_row_never_overwrites_a_good_one(self, box: Box, readings: Reader) -> None:
        box.log(small(1, 10), device_class=4)
        box.log(small(None, None, error=139), device_class=4)
        assert readings() == {ms(at(0)): 10}
        assert counts(last_file()) == (0, 0, 0, 0)
        assert last_file().faulty == 1

    def test_a_good_row_fills_what_an_error_row_left(self, box: Box, readings: Reader) -> None:
        box.log(small(None, None, error=139), device_class=4)
        box.log(small(1, 10), device_class=4)
        assert readings() == {ms(at(0)): 10}

    def test_a_null_never_overwrites_a_value_and_a_value_fills_a_null(
        self, box: Box, readings: Reader
    ) -> None:
        box.log(small(1, "NULL"), device_class=4)
        box.log(small("NULL", 10), device_class=4)
        assert (readings("energy"), readings("power")) == ({ms(at(0)): 1}, {ms(at(0)): 10})

    def test_of_rows_of_one_stamp_within_a_file_the_last_value_counts(
        self, box: Box, readings: Reader
    ) -> None:
        text = lines(small(1, 10), small(None, 11), small(None, None, error=139), small(2, None, n=1))
        box.log(text, device_class=4)
        assert (readings("energy"), readings()) == ({ms(at(0)): 1, ms(at(1)): 2}, {ms(at(0)): 11})
        assert counts(last_file()) == (2, 1, 0, 0)


class TestEvents:
    @pytest.mark.parametrize(
        ("code", "type_"),
        [
            (160, "LOG_STARTED"),
            (161, "LOG_STOPPED"),
            (162, "CLOCK_CHANGED"),
            (163, "LOG_RESTARTED"),
            (164, "LOG_CORRUPT"),
            (165, "METER_RESTARTED"),
        ],
    )
    def test_codes_of_events(self, box: Box, code: int, type_: str) -> None:
        box.log(lines(small(1, 10), small(None, None, n=1, error=code)), device_class=4)
        replay()
        assert events() == [(type_, ms(at(1)))]
        event = Event.objects.get(type=type_)
        assert event.source == Meter.objects.get().source
        assert event.data == {"code": code, "logger": "001EC6001234", "address": 1}

    def test_a_clock_that_was_set_is_known_of_the_logger(self, box: Box, logger: Logger) -> None:
        box.log(lines(small(1, 10), small(None, None, n=3, error=162)), device_class=4)
        logger.refresh_from_db()
        assert logger.clock_changed_at == at(3)

    def test_faults_are_states_that_change(self, box: Box) -> None:
        made = [small(n, n, n=n) if n in (0, 1, 5) else small(n=n, error=139) for n in range(6)]
        box.log(lines(*made), device_class=4)
        expected = [(ms(at(2)), "139: the meter does not answer"), (ms(at(5)), "none")]
        assert told("fault")[-2:] == expected

    def test_a_meter_without_faults_has_no_such_state(self, box: Box) -> None:
        box.log(rows())
        assert not Event.objects.exists()
        assert "fault" not in store.latest([Meter.objects.get().pk])[Meter.objects.get().pk]

    def test_a_fault_goes_on_over_files_and_late_ones_fit_in(self, box: Box) -> None:
        def one(n: int, *, good: bool) -> str:
            return small(n, n, n=n) if good else small(n=n, error=110)

        for n, good in [(0, True), (1, False), (4, True), (2, False), (3, False)]:
            box.log(one(n, good=good), device_class=4)
        found = told("fault")
        assert found[0] == (ms(at(1)), "110: timed out")
        assert found[-1] == (ms(at(4)), "none")
        assert [value for _, value in found].count("none") == 1

    def test_alarms_name_their_points(self, box: Box) -> None:
        made = [small(1, 10), small(1, 10, n=1, low="0x1"), small(1, 10, n=2, low="0x3", high="0x8")]
        box.log(lines(*made, small(1, 10, n=3)), device_class=4)
        low = [(ms(at(1)), "energy"), (ms(at(2)), "energy, power"), (ms(at(3)), "none")]
        assert told("alarm.low")[-3:] == low
        assert told("alarm.high")[-2:] == [(ms(at(2)), "point 3"), (ms(at(3)), "none")]

    def test_a_device_that_does_not_answer_is_known(self, box: Box) -> None:
        box.log(lines(small(1, 1), small(n=1, error=139), small(n=2, error=139)), device_class=4)
        assert (device().error_code, device().failing_since) == (139, ms(at(1)))
        box.log(small(n=3, error=139), device_class=4)
        assert device().failing_since == ms(at(1))
        box.log(small(2, 2, n=4), device_class=4)
        assert (device().error_code, device().failing_since) == (0, None)


class TestLayouts:
    def answer(self, layout: Layout, **fields: int) -> None:
        targets = [named(number, name, "", ROLES[name]) for name, number in fields.items()]
        layouts.map_layout(layout=layout, targets=targets, now=NOW, by=None)

    @pytest.mark.parametrize("number", [None, 999, 22, 4025])
    def test_a_class_without_a_table_waits_and_is_read_once_mapped(
        self, box: Box, readings: Reader, number: int | None
    ) -> None:
        box.log(lines(small(1, 10), small(2, 11, n=1)), device_class=number)
        assert states() == [State.NEEDS_MAPPING]
        assert not Meter.objects.exists()
        self.answer(Layout.objects.get(), power=0, energy=1)
        assert replay().state == State.PARSED
        assert readings() == {ms(at(0)): 1, ms(at(1)): 2}

    def test_a_table_for_a_local_class_is_not_used(self, box: Box) -> None:
        from apps.meters.models import ClassPoint, DeviceClass

        local = DeviceClass.objects.create(number=4000, title="Inverter", width=2)
        ClassPoint.objects.create(device_class=local, number=0, role="power")
        box.log(small(1, 10), device_class=4000)
        assert states() == [State.NEEDS_MAPPING]

    @pytest.mark.parametrize("code", [192, 193])
    def test_another_device_at_the_address_stops_the_reading_there(
        self, box: Box, readings: Reader, code: int
    ) -> None:
        text = lines(small(1, 10), small(n=1, error=code), small(7, 70, n=2), small(8, 80, n=3))
        box.log(text, device_class=4)
        assert states() == [State.NEEDS_MAPPING]
        assert readings() == {ms(at(0)): 10}
        asks = Layout.objects.get(state="asks")
        assert (asks.valid_from, "its log" in asks.reason.lower()) == (ms(at(1)), True)
        assert len(events()) == 1
        box.log(small(9, 90, n=4), device_class=4)
        assert states()[1] == State.NEEDS_MAPPING
        self.answer(asks, power=0, energy=1)
        for receipt in Receipt.objects.order_by("pk"):
            replay(receipt)
        assert readings() == {ms(at(0)): 10, ms(at(2)): 7, ms(at(3)): 8, ms(at(4)): 9}
        assert Layout.objects.count() == 2

    def test_the_same_news_again_asks_once(self, box: Box) -> None:
        box.log(small(1, 10), device_class=4)
        for n in range(1, 4):
            box.log(small(n=n, error=192), device_class=4)
        assert Layout.objects.filter(state="asks").count() == 1
        self.answer(Layout.objects.get(state="asks"), energy=0, power=1)
        box.log(small(n=4, error=192), device_class=4)
        assert not Layout.objects.filter(state="asks").exists()
        box.log(lines(small(1, 10, n=5), small(n=6, error=192)), device_class=4)
        assert Layout.objects.filter(state="asks").count() == 1

    def test_a_changed_class_stops_the_reading(self, box: Box, readings: Reader) -> None:
        box.log(small(1, 10), device_class=4)
        box.log(row(at(1), *[5] * 26), device_class=2)
        assert states() == [State.PARSED, State.NEEDS_MAPPING]
        assert Layout.objects.get(state="asks").reason == "The device's class changed from 4 to 2."
        assert readings() == {ms(at(0)): 10}
        box.log(small(3, 30, n=-1), device_class=4)  # older, and late
        assert states()[2] == State.PARSED

    def test_a_changed_header_stops_the_reading(self, box: Box, readings: Reader) -> None:
        box.log(lines(HEADER, small(1, 10)), device_class=4)
        box.log(lines(HEADER, small(2, 11, n=1)), device_class=4)
        assert states() == [State.PARSED] * 2
        swapped = "time(utc),error,low alarm,high alarm,'Real Power (kW)','Energy (kWh)'"
        box.log(lines(swapped, small(20, 3, n=2)), device_class=4)
        assert states()[2] == State.NEEDS_MAPPING
        assert readings() == {ms(at(0)): 10, ms(at(1)): 11}
        suggested = layouts.suggestion(Layout.objects.get(state="asks"))
        assert [one.role for one in suggested] == ["power", "energy"]

    def test_a_first_header_that_contradicts_the_class_stops_the_reading(self, box: Box) -> None:
        box.log(small(1, 10), device_class=4)
        swapped = "time(utc),error,low alarm,high alarm,'Real Power (kW)','Energy (kWh)'"
        box.log(lines(swapped, small(10, 2, n=1)), device_class=4)
        assert states() == [State.PARSED, State.NEEDS_MAPPING]

    def test_a_header_decides_for_a_new_device(self, box: Box, readings: Reader) -> None:
        swapped = "time(utc),error,low alarm,high alarm,'Real Power (kW)','Energy (kWh)'"
        box.log(lines(swapped, small(10, 2)), device_class=4)
        assert (readings("power"), readings("energy")) == ({ms(at(0)): 10}, {ms(at(0)): 2})

    def test_the_same_as_before_is_an_answer(self, box: Box, readings: Reader) -> None:
        box.log(lines(small(1, 10), small(n=1, error=193), small(2, 11, n=2)), device_class=4)
        asks = Layout.objects.get(state="asks")
        layouts.map_layout(layout=asks, targets=layouts.as_before(asks), now=NOW, by=None)
        replay()
        assert readings() == {ms(at(0)): 10, ms(at(2)): 11}


def test_data_is_compacted_soon(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(store, "compact_soon", lambda *which: asked.append(which))
    box.log(lines(small(1, 10), small(2, 11, n=96)), device_class=4)
    day = ms(START) // store.DAY
    assert asked == [(Meter.objects.get().pk, day), (Meter.objects.get().pk, day + 1)]


def test_a_file_of_which_the_logger_is_gone_fails_plainly(box: Box) -> None:
    box.log(rows())
    Logger.objects.all().delete()
    assert replay().error == "Its logger is gone."
    assert not UploadFile.objects.exists()
