"""The mirror of configuration files: versions, secrets, names of points, and offers to the logger."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import User
from apps.inbox.models import Body
from apps.meters import configs, layouts, mirror
from apps.meters.models import ConfigVersion, Layout, Logger, Point
from tests.meters.conftest import NOW, Box, Reader, lines, md5, ms, states
from tests.meters.test_metering import work
from tests.meters.test_parsing import at, small

pytestmark = pytest.mark.usefixtures("noon")
MAIN = "LOOPNAME=Tower\r\nPASSWORD=swordfish\r\nADMINPASSWORD=hunter2\r\nLOGPERIOD=15\r\n"
MAIN_DEVICE = {"MODBUSDEVICE": "0", "MODBUSDEVICECLASS": "0"}
METER = {"MODBUSDEVICE": "1", "MODBUSDEVICECLASS": "4"}
NAMES = "POINT00NAME=Main register\r\nPOINT00UNITS=kWh\r\nPOINT01NAME=Real Power\r\nPOINT01UNITS=kW\r\n"


class TestMirror:
    def test_every_version_is_kept_byte_by_byte(self, box: Box) -> None:
        for text in (MAIN, MAIN.replace("Tower", "Hall"), MAIN):
            assert box.config("loggerconfig.ini", text, **MAIN_DEVICE).content == b"\nSUCCESS\n"
        assert ConfigVersion.objects.count() == 2
        version = ConfigVersion.objects.get(md5=md5(MAIN.encode()))
        assert mirror.content(version) == MAIN.encode()
        assert version.file_time is not None

    def test_secrets_are_in_no_table_in_clear_and_on_no_page(self, box: Box) -> None:
        from django.db import connection

        box.config("loggerconfig.ini", MAIN, **MAIN_DEVICE)
        with connection.cursor() as cursor:
            cursor.execute("SELECT meters_configversion::text FROM meters_configversion")
            assert "swordfish" not in str(cursor.fetchall())
        assert not Body.objects.exists()
        shown = configs.text(ConfigVersion.objects.get())
        assert "LOOPNAME=Tower" in shown
        assert "swordfish" not in shown
        assert "hunter2" not in shown

    def test_what_changed_is_told_without_secrets(self, box: Box) -> None:
        box.config("loggerconfig.ini", MAIN, **MAIN_DEVICE)
        changed = MAIN.replace("Tower", "Hall").replace("swordfish", "trout")
        box.config("loggerconfig.ini", changed, **MAIN_DEVICE)
        new = ConfigVersion.objects.latest("pk")
        old = configs.before(new)
        assert old is not None
        told = configs.difference(old, new)
        assert "-LOOPNAME=Tower" in told
        assert "+LOOPNAME=Hall" in told
        assert "trout" not in told

    @pytest.mark.parametrize(
        ("filename", "form", "name"),
        [
            ("x.ini", {"MODBUSDEVICE": "7", "MODBUSDEVICECLASS": "2"}, "modbus/mb-007.ini"),
            ("mb-012.ini", {}, "modbus/mb-012.ini"),
            ("LOGGERCONFIG.INI", {}, "loggerconfig.ini"),
            ("mb-012.ini", MAIN_DEVICE, "loggerconfig.ini"),
        ],
    )
    def test_variables_say_which_file_it_is(
        self, box: Box, filename: str, form: dict[str, str], name: str
    ) -> None:
        box.config(filename, "A=1\r\n", **form)
        assert ConfigVersion.objects.get().name == name

    def test_a_file_that_is_none_of_them_is_406(self, box: Box) -> None:
        assert box.config("passwd", "A=1\r\n").status_code == 406
        assert box.config("mb-001.ini", "A=1\r\n", MD5CHECKSUM="0" * 32).status_code == 406
        assert box.config("mb-001.ini", "A=\0", **METER).status_code == 406
        assert not ConfigVersion.objects.exists()

    def test_the_log_period_is_taken_from_it(self, box: Box, logger: Logger) -> None:
        box.config("loggerconfig.ini", MAIN.replace("15", "1"), **MAIN_DEVICE)
        logger.refresh_from_db()
        assert logger.period_s == 60


class TestNames:
    def test_names_that_come_after_the_first_log_make_the_layout_anew(
        self, box: Box, readings: Reader
    ) -> None:
        box.log(lines(small(1, 10)), device_class=4)
        swapped = NAMES.replace("Main register", "x").replace("Real Power", "Real Energy")
        swapped = swapped.replace("POINT00NAME=x", "POINT00NAME=Real Power").replace("kWh", "?")
        swapped = swapped.replace("kW", "kWh").replace("?", "kW")
        box.config("mb-001.ini", swapped, **METER)
        work()
        assert (readings("power"), readings("energy")) == ({ms(at(0)): 1}, {ms(at(0)): 10})

    def test_names_that_come_before_it_are_used(self, box: Box) -> None:
        box.config("mb-001.ini", NAMES, **METER)
        box.log(lines(small(1, 10)), device_class=4)
        assert list(Point.objects.values_list("name", "role")) == [
            ("Main register", "energy"),
            ("Real Power", "power"),
        ]

    def test_later_another_name_is_just_that(self, box: Box, readings: Reader) -> None:
        self.test_names_that_come_before_it_are_used(box)
        box.config("mb-001.ini", NAMES.replace("Main register", "Tenant 4"), **METER)
        assert Point.objects.get(number=0).name == "Tenant 4"
        box.log(lines(small(2, 11, n=1)), device_class=4)
        assert states() == ["parsed", "parsed"]

    @pytest.mark.parametrize(
        ("before", "after", "reason"),
        [
            ("POINT01UNITS=kW", "POINT01UNITS=W", "unit of point 1"),
            (
                "POINT00NAME=Main register\r\nPOINT00UNITS=kWh\r\nPOINT01NAME=Real Power",
                "POINT00NAME=Real Power\r\nPOINT00UNITS=kWh\r\nPOINT01NAME=Main register",
                "moved “Main register”",
            ),
        ],
    )
    def test_another_unit_or_order_stops_the_reading(
        self, box: Box, noon: Any, before: str, after: str, reason: str
    ) -> None:
        self.test_names_that_come_before_it_are_used(box)
        box.config("mb-001.ini", NAMES.replace(before, after), **METER)
        asks = Layout.objects.get(state="asks")
        assert reason in asks.reason
        box.log(lines(small(2, 11, n=1)), device_class=4)  # from before
        noon.shift(3600)
        box.log(lines(small(2, 11, n=147)), device_class=4)
        assert states() == ["parsed", "parsed", "needs_mapping"]

    def test_they_are_suggested_for_a_class_that_nobody_knows(self, box: Box) -> None:
        box.log(lines(small(1, 10)), device_class=4025)
        box.config("mb-001.ini", NAMES, **{**METER, "MODBUSDEVICECLASS": "4025"})
        suggested = layouts.suggestion(Layout.objects.get())
        assert [(one.name, one.role) for one in suggested] == [
            ("Main register", "energy"),
            ("Real Power", "power"),
        ]


class TestOffers:
    @pytest.fixture
    def old(self, box: Box, noon: Any) -> ConfigVersion:
        """The first of two versions."""
        box.config("loggerconfig.ini", MAIN, **MAIN_DEVICE)
        noon.shift(60)
        box.config("loggerconfig.ini", MAIN.replace("Tower", "Hall"), **MAIN_DEVICE)
        return ConfigVersion.objects.earliest("pk")

    def test_an_offer_is_newer_in_the_manifest_and_can_be_fetched(
        self, box: Box, old: ConfigVersion, alice: User
    ) -> None:
        configs.offer(version=old, now=NOW, by=alice)
        line = f"CONFIGFILE,loggerconfig.ini,{md5(MAIN.encode())},2026-06-01 12:00:00"
        assert line in box.post("CONFIGFILEMANIFEST").content.decode()
        answer = box.post("CONFIGFILEDOWNLOAD", **MAIN_DEVICE)
        assert (answer.status_code, answer.content) == (200, MAIN.encode())
        old.refresh_from_db()
        assert old.fetched_at is not None

    def test_a_withdrawn_one_cannot(self, box: Box, old: ConfigVersion) -> None:
        configs.offer(version=old, now=NOW, by=None)
        configs.withdraw(version=old)
        assert box.post("CONFIGFILEDOWNLOAD", **MAIN_DEVICE).status_code == 406
        assert "0000-00-00 00:00:00" in box.post("CONFIGFILEMANIFEST").content.decode()

    def test_what_the_logger_sends_afterwards_ends_it(self, box: Box, old: ConfigVersion) -> None:
        configs.offer(version=old, now=NOW, by=None)
        box.config("loggerconfig.ini", MAIN.replace("Tower", "Yard"), **MAIN_DEVICE)
        assert box.post("CONFIGFILEDOWNLOAD", **MAIN_DEVICE).status_code == 406
