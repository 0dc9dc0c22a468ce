"""Loggers, devices, meters and files in the admin: adopting, mapping, assigning, replaying."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import User
from apps.houses.confirmation import CONFIRMED
from apps.houses.models import House
from apps.inbox.models import State
from apps.meters import metering
from apps.meters.loggers import add_logger
from apps.meters.models import (
    Assignment,
    ConfigVersion,
    DeviceClass,
    Layout,
    Logger,
    LoggerDevice,
    Meter,
    UnclaimedLogger,
    UploadFile,
    UploadSession,
)
from tests.meters.conftest import NOW, PASSWORD, Box, Reader, last_file, lines, ms, rows, states
from tests.meters.test_configs import MAIN, MAIN_DEVICE
from tests.meters.test_metering import work
from tests.meters.test_parsing import at, device, small
from tests.people import AsUser

pytestmark = pytest.mark.usefixtures("noon")
SENT = {"_form_submitted": "on"}
"""What Unfold's dialogs send with their fields."""


@pytest.fixture
def client(alice: User, as_user: AsUser) -> Client:
    """Alice's: the operator of house A."""
    return as_user(alice)


@pytest.fixture
def desk(admin: User, as_user: AsUser) -> Client:
    """The administrator's."""
    return as_user(admin)


def url(model: str, page: str = "changelist", *args: object) -> str:
    return reverse(f"admin:meters_{model}_{page}", args=args)


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return " ".join(answer.content.decode().split())


class TestLoggers:
    def test_one_is_added_and_its_password_shown_once(
        self, client: Client, house_a: House, alice: User
    ) -> None:
        form = {"house": house_a.pk, "serial": "00:1e:c6:00:12:34", "label": "Roof", "opens_meters": "on"}
        answer = client.post(url("logger", "add"), form)
        logger = Logger.objects.get()
        assert answer["Location"] == url("logger", "change", logger.pk)
        assert (logger.serial, str(logger), logger.house) == ("001EC6001234", "Roof", house_a)
        page = text(client, answer["Location"])
        secret = page.split('<pre id="credential-text" tabindex="0">')[1].split("<")[0]
        assert "http://testserver/api/v1/loggers/acquisuite/" in page
        assert Box(logger.serial, secret).post("TEST").status_code == 200
        assert secret not in text(client, answer["Location"])
        assert logger.history.get().history_user == alice

    def test_a_typed_password_is_not_shown(self, client: Client, house_a: House) -> None:
        form = {"house": house_a.pk, "serial": "001EC6001234", "secret": PASSWORD}
        page = text(client, client.post(url("logger", "add"), form)["Location"])
        assert "credential-text" not in page
        assert Box().post("TEST").status_code == 200

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"serial": "?"}, "serial"),
            ({"serial": "001ec6001234"}, "serial"),
            ({"secret": "short"}, "secret"),
            ({"log_period_s": "0"}, "log_period_s"),
        ],
    )
    def test_what_is_wrong_stands_beside_its_field(
        self, client: Client, house_a: House, logger: Logger, changes: dict[str, str], field: str
    ) -> None:
        form = {"house": house_a.pk, "serial": "001EC6000099", **changes}
        assert field in client.post(url("logger", "add"), form).context["adminform"].form.errors

    def test_a_house_of_others_cannot_be_chosen(self, client: Client, house_b: House) -> None:
        form = {"house": house_b.pk, "serial": "001EC6000099"}
        assert "house" in client.post(url("logger", "add"), form).context["adminform"].form.errors

    def test_its_page_shows_health_devices_and_sessions(
        self, box: Box, client: Client, logger: Logger
    ) -> None:
        box.post("STATUS", PERCENTBLOCKSINUSE="96", LOOPNAME="<b>x</b>", BATTERYGOOD="NO")
        box.log(rows())
        page = text(client, url("logger", "change", logger.pk))
        for shown in ("96 %", "&lt;b&gt;x&lt;/b&gt;", "bad", "Main", "Last sessions"):
            assert shown in page
        assert "<b>x</b>" not in page

    def test_what_is_changed_leaves_its_health_alone(self, box: Box, client: Client, logger: Logger) -> None:
        box.log(rows())
        Logger.objects.update(uptime_s=77)
        form = {"label": "Roof", "opens_meters": "", "log_period_s": "60"}
        client.post(url("logger", "change", logger.pk), form)
        logger.refresh_from_db()
        assert (logger.label, logger.opens_meters, logger.period_s) == ("Roof", False, 60)
        assert (logger.uptime_s, logger.serial) == (77, "001EC6001234")
        assert metering.Source.objects.get().series.get(field="power").cadence == 60

    def test_disabled_it_is_refused_and_enabled_taken(self, box: Box, client: Client, logger: Logger) -> None:
        for action, status in (("disable", 403), ("enable", 200)):
            client.post(url("logger", action, logger.pk), SENT)
            assert box.log(rows()).status_code == status
        assert LogEntry.objects.count() == 2

    def test_a_changed_password_is_shown_once(self, box: Box, client: Client, logger: Logger) -> None:
        client.post(url("logger", "change_password", logger.pk), {**SENT, "secret": ""})
        page = text(client, url("logger", "change", logger.pk))
        secret = page.split('<pre id="credential-text" tabindex="0">')[1].split("<")[0]
        assert box.post("TEST").status_code == 401
        assert Box(password=secret).post("TEST").status_code == 200

    def test_one_takes_anothers_place(
        self, box: Box, client: Client, logger: Logger, house_a: House, readings: Reader
    ) -> None:
        box.log(small(1, 10), device_class=4)
        new, _ = add_logger(
            house=house_a, serial="001EC6005678", password=PASSWORD, opens_meters=False, now=NOW
        )
        form = {**SENT, "old": logger.pk, "at_0": "2026-05-31", "at_1": "00:15:00"}
        client.post(url("logger", "take_over", new.pk), form)
        Box(new.serial).log(small(2, 20, n=1), device_class=4)
        assert readings() == {ms(at(0)): 10, ms(at(1)): 20}

    def test_only_loggers_of_the_same_house_can_be_replaced(
        self, client: Client, logger: Logger, house_b: House
    ) -> None:
        foreign, _ = add_logger(house=house_b, serial="001EC6005678", now=NOW)
        form = {**SENT, "old": foreign.pk, "at_0": "2026-05-31", "at_1": "00:15:00"}
        assert (
            "Select a valid choice"
            in client.post(url("logger", "take_over", logger.pk), form).content.decode()
        )

    def test_one_that_never_called_may_be_deleted_and_others_not(
        self, box: Box, client: Client, logger: Logger, house_a: House
    ) -> None:
        unused, _ = add_logger(house=house_a, serial="001EC6005678", now=NOW)
        box.log(rows())
        assert client.post(url("logger", "delete", logger.pk), {"post": "yes"}).status_code == 403
        assert client.post(url("logger", "delete", unused.pk), {"post": "yes"}).status_code == 302
        assert Logger.objects.get() == logger


class TestUnclaimed:
    @pytest.fixture
    def caller(self, db: None) -> UnclaimedLogger:
        Box("0050C2300001", "set-on-the-box").post("STATUS", LOOPNAME="Tower")
        return UnclaimedLogger.objects.get()

    def test_one_is_adopted_with_the_password_it_has(
        self, client: Client, caller: UnclaimedLogger, house_a: House
    ) -> None:
        assert "Tower" in text(client, url("unclaimedlogger"))
        form = {
            **SENT,
            "house": house_a.pk,
            "label": "Roof",
            "secret": "set-on-the-box",
            "opens_meters": "on",
        }
        answer = client.post(url("unclaimedlogger", "adopt", caller.pk), form)
        logger = Logger.objects.get()
        assert answer["Location"] == url("logger", "change", logger.pk)
        assert (logger.house, logger.serial, logger.opens_meters) == (house_a, "0050C2300001", True)
        assert Box("0050C2300001", "set-on-the-box").post("STATUS").status_code == 200
        assert not UnclaimedLogger.objects.exists()

    def test_or_with_a_new_one_that_is_shown(
        self, client: Client, caller: UnclaimedLogger, house_a: House
    ) -> None:
        form = {**SENT, "house": house_a.pk, "label": "", "secret": ""}
        page = text(client, client.post(url("unclaimedlogger", "adopt", caller.pk), form)["Location"])
        assert "This is the only time it is shown" in page

    def test_not_for_a_house_of_others(self, client: Client, caller: UnclaimedLogger, house_b: House) -> None:
        form = {**SENT, "house": house_b.pk}
        assert client.post(url("unclaimedlogger", "adopt", caller.pk), form).status_code == 200
        assert not Logger.objects.exists()

    def test_an_empty_list_says_what_it_is_for(self, client: Client) -> None:
        assert "to be adopted for a house" in text(client, url("unclaimedlogger"))


class TestMapping:
    @pytest.fixture
    def asked(self, box: Box) -> str:
        """The page that asks what an unknown class is."""
        box.log(lines(small(1, 10), small(2, 11, n=1)), device_class=4025)
        box.log(small(3, 12, n=2), device_class=4025)
        return url("loggerdevice", "map", device().pk, Layout.objects.get().pk)

    def filled(self, *becomes: str, **more: str) -> dict[str, str]:
        form = {f"p{n}-becomes": role for n, role in enumerate(becomes)}
        return {**form, **{f"p{n}-name": f"Point {n}" for n in range(len(becomes))}, **more}

    def test_the_device_says_that_it_asks(self, client: Client, asked: str) -> None:
        assert "Needs mapping" in text(client, url("loggerdevice", "change", device().pk))
        assert "needs mapping" in text(client, f"{url('loggerdevice')}?state=asks")
        page = text(client, asked)
        assert "class 4025" in page
        assert '<td class="number">3</td>' in page  # the newest value of the first point

    def test_answered_it_is_read(self, client: Client, asked: str, readings: Reader) -> None:
        answer = client.post(asked, self.filled("power", "-"))
        assert answer["Location"] == url("loggerdevice", "change", device().pk)
        work()
        assert readings() == {ms(at(0)): 1, ms(at(1)): 2, ms(at(2)): 3}
        assert states() == [State.PARSED] * 2
        assert LogEntry.objects.latest("pk").change_message == "Mapped 1 points."
        assert "not stored" in text(client, url("loggerdevice", "change", device().pk))

    def test_a_point_without_a_role_keeps_its_name_and_unit(
        self, client: Client, asked: str, readings: Reader
    ) -> None:
        more = {"p0-name": "Water", "p0-unit": "gal", "p1-unit": "W"}
        client.post(asked, self.filled("", "power") | more)
        work()
        assert readings("Water") == {ms(at(0)): 1, ms(at(1)): 2, ms(at(2)): 3}
        assert readings("power")[ms(at(0))] == 0.01

    @pytest.mark.parametrize(
        ("form", "words"),
        [
            ({"p0-becomes": "power", "p1-becomes": "power"}, "Two points would become the field “power”."),
            ({"p0-becomes": "power", "p0-unit": "gal"}, "“gal” is no unit of real power"),
            ({"p0-becomes": "nonsense"}, "Select a valid choice"),
        ],
    )
    def test_what_is_wrong_is_told_and_nothing_saved(
        self, client: Client, asked: str, form: dict[str, str], words: str
    ) -> None:
        assert words in text_of(client.post(asked, form))
        assert Layout.objects.get().state == "asks"

    def test_a_field_that_was_of_another_unit_is_told(self, box: Box, client: Client, asked: str) -> None:
        client.post(asked, self.filled("", "") | {"p0-unit": "gal"})
        work()
        again = self.filled("", "") | {"p0-unit": "m3"}
        assert "cannot become" in text_of(client.post(asked, again))

    def test_a_mapping_that_is_changed_is_read_again(
        self, client: Client, asked: str, readings: Reader
    ) -> None:
        client.post(asked, self.filled("power", "energy"))
        work()
        client.post(asked, self.filled("energy", "power"))
        work()
        assert readings("power") == {ms(at(n)): 10 + n for n in range(3)}
        assert readings("energy") == {ms(at(n)): 1 + n for n in range(3)}

    def test_after_a_swap_the_same_as_before_is_offered(self, box: Box, client: Client) -> None:
        box.log(lines(small(1, 10), small(n=1, error=193), small(2, 20, n=2)), device_class=4)
        asks = Layout.objects.get(state="asks")
        page = client.get(url("loggerdevice", "map", device().pk, asks.pk) + "?from=before")
        assert [row.target.role for row in page.context["rows"]] == ["energy", "power"]

    def test_a_layout_of_another_device_is_404(self, box: Box, client: Client, asked: str) -> None:
        box.log(rows(), device=2)
        other = LoggerDevice.objects.get(address=2)
        assert client.get(url("loggerdevice", "map", other.pk, Layout.objects.first().pk)).status_code == 404  # type: ignore[union-attr]

    def test_only_operators_of_the_house_map(
        self, asked: str, bob: User, charlie: User, as_user: AsUser, house_b: House
    ) -> None:
        for person in (bob, charlie):
            assert as_user(person).post(asked, {}).status_code == 403

    def test_an_ignored_device_is_read_again_when_wanted(
        self, box: Box, client: Client, readings: Reader
    ) -> None:
        box.log(small(1, 10), device_class=4)
        client.post(url("loggerdevice", "ignore", device().pk), SENT)
        box.log(small(2, 11, n=1), device_class=4)
        assert len(readings()) == 1
        client.post(url("loggerdevice", "read", device().pk), SENT)
        work()
        assert len(readings()) == 2


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


class TestClasses:
    FORM = {
        "number": "900",
        "width": "2",
        "title": "New meter",
        "points-TOTAL_FORMS": "2",
        "points-INITIAL_FORMS": "0",
        "points-0-number": "0",
        "points-0-role": "power",
        "points-1-number": "1",
        "points-1-role": "energy",
    }

    def test_a_class_that_is_added_maps_what_waited_for_it(
        self, box: Box, desk: Client, readings: Reader
    ) -> None:
        box.log(small(5, 6), device_class=900)
        assert states() == [State.NEEDS_MAPPING]
        assert desk.post(url("deviceclass", "add"), self.FORM).status_code == 302
        work()
        assert (readings("power"), readings("energy")) == ({ms(at(0)): 5}, {ms(at(0)): 6})

    def test_a_unit_that_is_none_of_the_roles_is_told(self, desk: Client) -> None:
        answer = desk.post(url("deviceclass", "add"), {**self.FORM, "points-0-unit": "gal"})
        assert "is no unit of real power" in text_of(answer)

    def test_operators_look_and_administrators_edit(self, client: Client) -> None:
        assert "Veris H8036" in text(client, url("deviceclass"))
        assert client.post(url("deviceclass", "add"), self.FORM).status_code == 403
        found = client.get(url("deviceclass") + "?known=yes").context["cl"].queryset
        assert {one.number for one in found} == {2, 4, 7, 12, 48}

    def test_what_is_exported_can_be_imported_and_changes_nothing(self, desk: Client) -> None:
        before = {
            (p.device_class.number, p.number, p.role, p.unit)
            for c in DeviceClass.objects.all()
            for p in c.points.all()
        }
        exported = desk.get(url("deviceclass", "export_csv")).content
        assert b'""31"": ""power_factor %""' in exported
        DeviceClass.objects.all().delete()
        answer = desk.post(url("deviceclass", "import_csv"), {"file": SimpleUploadedFile("x.csv", exported)})
        assert answer.status_code == 302
        after = {
            (p.device_class.number, p.number, p.role, p.unit)
            for c in DeviceClass.objects.all()
            for p in c.points.all()
        }
        assert after == before

    @pytest.mark.parametrize(
        ("cells", "column"),
        [
            (["x", "T", "2", "{}"], "number"),
            (["", "T", "2", "{}"], "number"),
            (["900", "T", "-1", "{}"], "points"),
            (["900", "T", "2", "[1]"], "roles"),
            (["900", "T", "2", json.dumps({"a": "power"})], "roles"),
            (["900", "T", "2", json.dumps({"0": "magic"})], "points"),
            (["900", "T", "2", json.dumps({"0": "power gal"})], "unit"),
            (["900", "", "2", "{}"], "title"),
        ],
    )
    def test_a_wrong_row_is_told_by_its_column(self, desk: Client, cells: list[str], column: str) -> None:
        cells = [f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in cells]
        content = "number,title,points,roles\n" + ",".join(cells)
        answer = desk.post(
            url("deviceclass", "import_csv"), {"file": SimpleUploadedFile("x.csv", content.encode())}
        )
        assert [fault.column for fault in answer.context["faults"]] == [column]


class TestMetersAndAssignments:
    def test_a_meter_is_added_and_relabelled(self, client: Client, house_a: House, alice: User) -> None:
        assert client.post(url("meter", "add"), {"house": house_a.pk, "name": "roof"}).status_code == 302
        meter = Meter.objects.get()
        assert (meter.source.namespace, str(meter)) == ("meter", "roof")
        client.post(url("meter", "change", meter.pk), {"label": "Roof"})
        meter.refresh_from_db()
        assert (str(meter), meter.history.count()) == ("Roof", 2)

    def test_a_name_that_is_none_is_told(self, client: Client, house_a: House) -> None:
        answer = client.post(url("meter", "add"), {"house": house_a.pk, "name": "7 up"})
        assert "name" in answer.context["adminform"].form.errors

    def test_its_page_shows_fields_and_devices(self, box: Box, client: Client) -> None:
        box.log(rows())
        page = text(client, url("meter", "change", Meter.objects.get().pk))
        assert "power" in page
        assert "Main (001EC6001234, 1)" in page

    def test_switched_off_it_takes_nothing(self, box: Box, client: Client, readings: Reader) -> None:
        box.log(rows(1))
        meter = Meter.objects.get()
        client.post(url("meter", "disable", meter.pk), SENT)
        box.log(rows(2))
        assert len(readings()) == 1
        client.post(url("meter", "enable", meter.pk), SENT)
        box.log(rows(3))
        assert len(readings()) == 3 - 1 + 1

    def test_a_device_is_assigned_from_its_page(
        self, box: Box, client: Client, readings: Reader, house_a: House
    ) -> None:
        box.log(lines(*(small(n, n, n=n) for n in range(4))), device_class=4)
        roof = metering.create_meter(house=house_a, name="roof")
        form = {**SENT, "meter": roof.pk, "at_0": "2026-05-31", "at_1": "00:30:00"}
        client.post(url("loggerdevice", "assign", device().pk), form)
        work()
        assert len(readings()) == len(readings(source="roof")) == 2
        form = {**SENT, "meter": "", "at_0": "2026-05-31", "at_1": "00:45:00"}
        client.post(url("loggerdevice", "assign", device().pk), form)
        work()
        assert Meter.objects.count() == 3
        assert len(readings(source="roof")) == 1

    def test_an_assignment_is_added_ended_and_taken_back(
        self, box: Box, client: Client, readings: Reader, house_a: House
    ) -> None:
        Logger.objects.update(opens_meters=False)
        box.log(lines(*(small(n, n, n=n) for n in range(4))), device_class=4)
        roof = metering.create_meter(house=house_a, name="roof")
        form = {
            "device": device().pk,
            "meter": roof.pk,
            "from__0": "",
            "from__1": "",
            "until_0": "",
            "until_1": "",
        }
        assert client.post(url("assignment", "add"), form).status_code == 302
        work()
        assert len(readings(source="roof")) == 4
        one = Assignment.objects.get()
        client.post(url("assignment", "change", one.pk), {"until_0": "2026-05-31", "until_1": "00:30:00"})
        work()
        assert len(readings(source="roof")) == 2
        client.post(url("assignment", "delete", one.pk), {"post": "yes"})
        work()
        assert readings(source="roof") == {}

    def test_what_overlaps_is_told(self, box: Box, client: Client, house_a: House) -> None:
        box.log(small(1, 1), device_class=4)
        roof = metering.create_meter(house=house_a, name="roof")
        answer = client.post(url("assignment", "add"), {"device": device().pk, "meter": roof.pk})
        assert "is Main at that time" in str(answer.context["adminform"].form.errors)
        assert Assignment.objects.count() == 1


class TestUploads:
    def test_a_file_shows_what_came_of_it_and_can_be_downloaded(self, box: Box, client: Client) -> None:
        box.log(rows(width=27))
        page = text(client, url("uploadfile", "change", last_file().pk))
        assert "instead of 26" in page
        assert reverse("admin:inbox_receipt_body", args=[last_file().receipt_id]) in page

    def test_refused_repeated_and_waiting_files_are_told_apart(self, box: Box, client: Client) -> None:
        box.log(rows())
        box.log(rows())
        box.log(rows(5), MD5CHECKSUM="0" * 32)
        box.log(rows(), device=2, device_class=999)
        box.config("loggerconfig.ini", MAIN, **MAIN_DEVICE)
        page = text(client, url("uploadfile"))
        for state in ("Parsed", "known already", "refused", "Needs mapping", "the logger&#x27;s own"):
            assert state in page

    def test_one_is_replayed(self, box: Box, client: Client) -> None:
        box.log(rows(), device_class=999)
        client.post(url("uploadfile", "replay", last_file().pk), SENT)
        receipt = last_file().receipt
        assert receipt is not None
        assert receipt.state == State.RECEIVED
        chosen = {"action": "replay_selected", "_selected_action": [last_file().pk], CONFIRMED: "1"}
        answer = client.post(url("uploadfile"), chosen)
        assert "/admin/jobs/job/" in answer["Location"]

    def test_what_is_not_kept_cannot_be(self, box: Box, client: Client) -> None:
        box.log(rows(), MD5CHECKSUM="0" * 32)
        assert client.post(url("uploadfile", "replay", last_file().pk), SENT).status_code in (403, 404)

    def test_a_session_shows_its_files_and_report(self, box: Box, client: Client) -> None:
        box.post("STATUS", UPTIME="77")
        box.log(rows())
        page = text(client, url("uploadsession", "change", UploadSession.objects.get().pk))
        assert "UPTIME" in page
        assert "mb-001.63BD5AFD.log.gz" in page


class TestConfigs:
    @pytest.fixture
    def old(self, box: Box, noon: Any) -> ConfigVersion:
        box.config("loggerconfig.ini", MAIN, **MAIN_DEVICE)
        noon.shift(60)
        box.config("loggerconfig.ini", MAIN.replace("Tower", "Hall"), **MAIN_DEVICE)
        return ConfigVersion.objects.earliest("pk")

    def test_the_page_shows_the_file_and_what_changed_without_secrets(
        self, client: Client, old: ConfigVersion
    ) -> None:
        page = text(client, url("configversion", "change", ConfigVersion.objects.latest("pk").pk))
        assert "+LOOPNAME=Hall" in page
        for secret in ("swordfish", "hunter2"):
            assert secret not in page

    def test_an_old_version_is_offered_and_withdrawn(
        self, box: Box, client: Client, old: ConfigVersion, alice: User
    ) -> None:
        client.post(url("configversion", "offer", old.pk), SENT)
        old.refresh_from_db()
        assert old.offered_by == alice
        assert box.post("CONFIGFILEDOWNLOAD", **MAIN_DEVICE).content == MAIN.encode()
        assert "fetched" in text(client, url("configversion"))
        client.post(url("configversion", "withdraw", old.pk), SENT)
        assert box.post("CONFIGFILEDOWNLOAD", **MAIN_DEVICE).status_code == 406


LISTS = ["logger", "unclaimedlogger", "loggerdevice", "deviceclass", "meter", "assignment"]
LISTS += ["uploadsession", "uploadfile", "configversion"]


class TestLists:
    def fill(self, house: House, n: int) -> None:
        serial = f"001EC60000{n:02}"
        add_logger(house=house, serial=serial, password=PASSWORD, now=NOW)
        one = Box(serial)
        one.post("STATUS", UPTIME="1")
        one.log(rows(1), device=1)
        one.log(rows(1), device=2, device_class=999)
        one.config("loggerconfig.ini", MAIN, **MAIN_DEVICE)

    def test_ask_as_much_of_the_database_however_long_they_are(self, client: Client, house_a: House) -> None:
        def queries(name: str) -> int:
            with CaptureQueriesContext(connection) as found:
                text(client, url(name))
            return len(found)

        self.fill(house_a, 1)
        before = {name: queries(name) for name in LISTS}  # the first page also fills caches
        for n in (2, 3, 4):
            self.fill(house_a, n)
        after = {name: queries(name) for name in LISTS}
        assert {name for name in LISTS if after[name] > before[name] + 2} == set()

    def test_can_be_searched(self, client: Client, house_a: House) -> None:
        self.fill(house_a, 1)
        for name in LISTS:
            for asked in ("001EC6000001", "%27%3B"):
                assert client.get(f"{url(name)}?q={asked}").status_code == 200


def test_what_loggers_say_of_themselves_is_never_markup(box: Box, client: Client, logger: Logger) -> None:
    evil = "<script>alert(1)</script>"
    box.post("STATUS", LOOPNAME=evil, ACQUISUITEVERSION=evil, X=evil)
    header = f"time(utc),error,low alarm,high alarm,'{evil}','{evil}'"
    body = lines(header, small(1, 2))
    box.log(body, device_class=999, MODBUSDEVICENAME=evil, MODBUSDEVICETYPE=evil)
    found: list[Callable[[], str] | str] = [url(name) for name in LISTS]
    found += [url("logger", "change", logger.pk), url("loggerdevice", "change", device().pk)]
    found += [url("loggerdevice", "map", device().pk, Layout.objects.get().pk)]
    found += [url("uploadfile", "change", last_file().pk)]
    found += [url("uploadsession", "change", UploadSession.objects.get().pk)]
    for address in found:
        assert evil not in text(client, str(address))
    assert UploadFile.objects.count() == 1
