"""The vendor's protocol: modes, log-ins, replies, and what is kept before SUCCESS is answered."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client

from apps.devices.models import Event
from apps.houses.models import House
from apps.inbox import arrivals, bodies
from apps.inbox.models import Body, Receipt, State
from apps.meters.acquisuite import modes
from apps.meters.loggers import set_enabled
from apps.meters.models import Logger, UploadFile, UploadSession
from tests.meters.conftest import (
    NOW,
    PASSWORD,
    SERIAL,
    START,
    URL,
    Box,
    Reader,
    counts,
    last_file,
    md5,
    ms,
    row,
    rows,
    states,
)

pytestmark = pytest.mark.usefixtures("noon")
SUCCESS = b"\nSUCCESS\n"
STAMPS = [ms(START) + n * 900_000 for n in range(4)]


def failed(answer: Any, status: int) -> bool:
    """Whether it is a failure that no logger takes for the word that deletes files."""
    text = answer.content.decode()
    assert answer["Content-Type"].startswith("text/plain")
    assert answer.status_code == status, text
    return text.startswith("FAILURE: ") and "success" not in text.lower()


def raw(body: bytes, content_type: str, **headers: str) -> Any:
    """Post bytes as they are."""
    return Client(raise_request_exception=False).post(URL, body, content_type, headers=headers)


class TestTheSixModes:
    def test_a_log_becomes_readings(self, box: Box, readings: Reader) -> None:
        answer = box.log(rows())
        assert (answer.status_code, answer.content) == (200, SUCCESS)
        assert readings() == dict(zip(STAMPS, [10, 11, 12, 13], strict=True))
        assert counts(last_file()) == (4, 0, 0, 0)

    def test_a_status_report_begins_a_session_and_tells_of_health(self, box: Box, logger: Logger) -> None:
        told = {
            "UPTIME": "86400",
            "PERCENTBLOCKSINUSE": "78",
            "PERCENTINODESINUSE": "3.5",
            "UPLOADATTEMPT": "2",
            "ACQUISUITEVERSION": "v02.11.0718b",
            "KERNELVERSION": "2.6",
            "LOOPNAME": "<script>alert(1)</script>",
        }
        assert box.post("STATUS", **told).content == SUCCESS
        logger.refresh_from_db()
        assert (logger.uptime_s, logger.blocks_in_use, logger.inodes_in_use) == (86400, 78, 3.5)
        assert (logger.firmware, logger.last_seen_at) == ("v02.11.0718b", NOW)
        assert logger.loop_name == "<script>alert(1)</script>"
        session = UploadSession.objects.get()
        assert (session.attempt, session.requests, session.failures) == (2, 1, 0)
        assert PASSWORD not in str(session.status)

    def test_an_acquilite_spells_its_report_otherwise(self, box: Box, logger: Logger) -> None:
        box.post("STATUS", FIRMWAREVERSION="1.6", BOOTCOUNT="12", BATTERYGOOD="NO", percentinodesused="4")
        logger.refresh_from_db()
        assert (logger.firmware, logger.boot_count, logger.battery_good) == ("1.6", 12, False)
        assert logger.inodes_in_use == 4

    def test_a_report_with_nonsense_changes_nothing(self, box: Box, logger: Logger) -> None:
        box.post("STATUS", UPTIME="1000")
        box.post("STATUS", UPTIME="-5", PERCENTBLOCKSINUSE="many", BATTERYGOOD="perhaps", BOOTCOUNT="9" * 40)
        logger.refresh_from_db()
        assert (logger.uptime_s, logger.blocks_in_use, logger.battery_good) == (1000, None, None)

    def test_a_test_says_whether_the_log_in_is_good(self, box: Box) -> None:
        assert box.post("TEST").content == SUCCESS
        assert failed(box.post("TEST", PASSWORD="wrong"), 401)

    def test_the_manifest_names_the_files_of_this_logger_alone_and_gives_them_no_time(
        self, box: Box, house_b: House
    ) -> None:
        from apps.meters.loggers import add_logger

        add_logger(house=house_b, serial="001EC6FFFFFF", password="other-pass-1", now=NOW)
        Box("001EC6FFFFFF", "other-pass-1").log(rows(), device=9)
        box.log(rows(), device=7)
        never = "0000-00-00 00:00:00"
        answer = box.post("CONFIGFILEMANIFEST")
        assert answer.content.decode() == (
            f"CONFIGFILE,loggerconfig.ini,X,{never}\nCONFIGFILE,modbus/mb-007.ini,X,{never}\n"
        )
        box.config("mb-007.ini", "POINT00NAME=kWh\r\n", MODBUSDEVICE="7", MODBUSDEVICECLASS="2")
        found = box.post("CONFIGFILEMANIFEST").content.decode()
        assert f"CONFIGFILE,modbus/mb-007.ini,{md5(b'POINT00NAME=kWh' + bytes([13, 10]))},{never}\n" in found

    def test_nothing_is_there_to_download_until_somebody_offers_it(self, box: Box) -> None:
        box.config("loggerconfig.ini", "LOGPERIOD=15\n", MODBUSDEVICE="0", MODBUSDEVICECLASS="0")
        assert failed(box.post("CONFIGFILEDOWNLOAD", MODBUSDEVICE="0", MODBUSDEVICECLASS="0"), 406)

    def test_an_unknown_mode_does_not_block_the_logger_and_is_seen(self, box: Box) -> None:
        answer = box.post("DANCE")
        assert answer.content.startswith(SUCCESS)
        assert Event.objects.get().data == {"mode": "DANCE", "logger": SERIAL}

    def test_names_of_variables_come_in_any_case(self, logger: Logger) -> None:
        form = {"mode": "status", "SerialNumber": "00:1e:c6-00:12:34", "password": PASSWORD, "uptime": "7"}
        assert Client().post(URL, form).content == SUCCESS
        logger.refresh_from_db()
        assert logger.uptime_s == 7


class TestReplies:
    """The mapping of situations to replies, row by row."""

    def test_success_comes_after_the_commit(self, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(body: bytes) -> str:
            raise OperationalError("disk full")

        monkeypatch.setattr(bodies.store, "put", broken)
        assert failed(box.log(rows()), 503)
        assert not Receipt.objects.exists()
        assert not UploadFile.objects.exists()

    def test_a_receipt_that_cannot_be_recorded_is_no_success(
        self, box: Box, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*args: Any, **options: Any) -> None:
            raise OperationalError("away")

        monkeypatch.setattr(modes, "_record", broken)
        assert failed(box.log(rows()), 503)
        assert not Body.objects.exists()

    def test_what_fails_after_the_commit_is_still_success(
        self, box: Box, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(receipt: Receipt, parser: object) -> None:
            raise OperationalError("away")

        monkeypatch.setattr(modes, "parse_arrived", broken)
        assert box.log(rows()).content == SUCCESS
        assert states() == [State.RECEIVED]

    def test_the_receipt_holds_the_bytes_and_all_variables_but_the_password(self, box: Box) -> None:
        body = gzip.compress(rows().encode(), mtime=0)
        box.log(body, LOOPNAME="Building 7", PASSWORDHINT="the usual")
        receipt = Receipt.objects.get()
        assert bodies.body_of(receipt) == body
        assert receipt.metadata["variables"]["LOOPNAME"] == "Building 7"
        assert PASSWORD not in str(receipt.metadata)
        assert "the usual" not in str(receipt.metadata)
        assert receipt.filename() == "mb-001.63BD5AFD.log.gz"

    def test_the_same_file_again_is_success_and_counted(self, box: Box) -> None:
        box.log(rows())
        assert box.log(rows()).content == SUCCESS
        assert Receipt.objects.count() == 1
        again = last_file()
        assert (again.repeat, again.rows, again.same) == (True, 4, 4)

    def test_rows_that_are_known_already_are_success(self, box: Box, readings: Reader) -> None:
        box.log(rows(4))
        assert box.log(rows(6)).content == SUCCESS
        assert counts(last_file()) == (2, 4, 0, 0)
        assert len(readings()) == 6

    def test_a_wrong_checksum_is_406_and_leaves_a_trace(self, box: Box) -> None:
        assert failed(box.log(rows(), MD5CHECKSUM="0" * 32), 406)
        assert not Receipt.objects.exists()
        assert (last_file().reply_status, last_file().receipt) == (406, None)
        assert "checksum" in last_file().reply

    def test_the_checksum_is_that_of_the_bytes_as_sent(self, box: Box) -> None:
        plain = rows().encode()
        assert failed(box.log(gzip.compress(plain), MD5CHECKSUM=md5(plain)), 406)
        assert box.log(plain, MD5CHECKSUM=md5(plain).upper()).content == SUCCESS

    def test_a_body_shorter_than_announced_is_406(self, box: Box) -> None:
        body = multipart({**form(), "LOGFILE": rows().encode()})
        short = body[: -len(rows()) // 2]
        request: dict[str, Any] = {"wsgi.input": io.BytesIO(short), "CONTENT_LENGTH": str(len(body))}
        request["CONTENT_TYPE"] = f"multipart/form-data; boundary={ODD}"
        answer = Client().generic("POST", URL, **request)
        assert failed(answer, 406)
        assert not Receipt.objects.exists()

    @pytest.mark.parametrize(
        "body",
        [
            gzip.compress(rows().encode())[:-9],
            gzip.compress(rows().encode())[:40] + bytes(40),
            b"\1\2\0\3" * 20,
            ("'2026-05-31 00:00:00',0,0,0" + ",1" * 2000).encode(),
            gzip.compress(b"0" * 40_000_000),
        ],
        ids=["cut gzip", "damaged gzip", "not text", "too many columns", "bomb"],
    )
    def test_what_cannot_be_read_is_kept_and_406(self, box: Box, body: bytes) -> None:
        assert failed(box.log(body), 406)
        assert states() == [State.FAILED]
        assert failed(box.log(body), 406)
        assert Receipt.objects.count() == 1  # once, however often it comes

    def test_operators_may_let_loggers_drop_what_cannot_be_read(self, box: Box, settings: Any) -> None:
        settings.LOGGERS_DROP_UNREADABLE = True
        assert box.log(gzip.compress(rows().encode())[:-9]).content.startswith(SUCCESS)
        assert states() == [State.FAILED]

    def test_a_file_too_large_to_keep_is_406(self, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(arrivals, "MOST_BYTES", 50)
        assert failed(box.log(rows()), 406)

    def test_an_unknown_class_is_success_and_waits(self, box: Box, readings: Reader) -> None:
        assert box.log(rows(), device_class=4025).content == SUCCESS
        receipt = Receipt.objects.get()
        assert (receipt.state, readings()) == (State.NEEDS_MAPPING, {})
        assert "class 4025" in receipt.error

    def test_a_wrong_log_in_is_401(self, box: Box) -> None:
        answer = box.log(rows(), PASSWORD="wrong")
        assert failed(answer, 401)
        assert answer["WWW-Authenticate"].startswith("Basic ")
        assert not Receipt.objects.exists()

    def test_a_disabled_logger_is_403(self, box: Box, logger: Logger) -> None:
        set_enabled(logger=logger, enabled=False, by=None)
        assert failed(box.log(rows()), 403)

    def test_a_logger_of_a_disabled_house_is_403(self, box: Box, house_a: House) -> None:
        House.objects.update(enabled=False)
        assert failed(box.log(rows()), 403)

    def test_a_fault_of_ours_is_a_failure_in_plain_text(
        self, box: Box, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(*args: Any, **options: Any) -> None:
            raise RuntimeError("oops")

        monkeypatch.setattr("apps.meters.uploads.heard", broken)
        assert failed(box.log(rows()), 500)
        assert PASSWORD not in caplog.text

    def test_every_answer_says_how_long_it_is_and_redirects_nowhere(self, box: Box) -> None:
        for address in (URL, URL.rstrip("/")):
            answer = Client().post(address, {"MODE": "TEST", "SERIALNUMBER": SERIAL, "PASSWORD": PASSWORD})
            assert answer.content == SUCCESS
            assert answer["Content-Length"] == str(len(SUCCESS))
            assert answer["Content-Type"].startswith("text/plain")

    def test_plain_http_is_not_redirected(self, box: Box, settings: Any) -> None:
        settings.SECURE_SSL_REDIRECT = True
        assert box.post("TEST").content == SUCCESS

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
    def test_other_methods_are_failures(self, db: None, method: str) -> None:
        assert failed(Client().generic(method, URL, b"x"), 405)

    def test_a_browser_is_told_what_the_address_is_for(self, db: None) -> None:
        answer = Client().get(URL, headers={"Accept": "text/html"})
        assert answer.status_code == 200
        assert b"SUCCESS" not in answer.content


ODD = "MIME_BOUNDRY_MIME_BOUNDRY_MIME_BOUNDRY"


def form(**more: str) -> dict[str, Any]:
    return {
        "MODE": "LOGFILEUPLOAD",
        "SERIALNUMBER": SERIAL,
        "PASSWORD": PASSWORD,
        "MODBUSDEVICE": "1",
        "MODBUSDEVICECLASS": "2",
        **more,
    }


def multipart(fields: dict[str, Any], *, newline: bytes = b"\r\n", end: bytes = b"--") -> bytes:
    """The body as loggers write it: an odd boundary, and a header that ends in a semicolon."""
    parts = []
    for name, value in fields.items():
        head = f'Content-Disposition: form-data; name="{name}"'
        if isinstance(value, bytes):
            head += '; filename="modbus/mb-001.log"'
            parts.append((head + "\r\nContent-Type: application/octet-stream;", value))
        else:
            parts.append((head, value.encode()))
    body = b""
    for head, value in parts:
        body += b"--" + ODD.encode() + b"\r\n" + head.encode() + b"\r\n\r\n" + value + b"\r\n"
    return (body + b"--" + ODD.encode() + end + b"\r\n").replace(b"\r\n", newline)


class TestForms:
    @pytest.mark.parametrize("quote", ["", '"'])
    def test_the_loggers_own_boundary_and_semicolon(self, box: Box, readings: Reader, quote: str) -> None:
        body = multipart({**form(MODBUSDEVICENAME="Main"), "LOGFILE": rows().encode()})
        answer = raw(body, f"multipart/form-data; boundary={quote}{ODD}{quote}")
        assert answer.content == SUCCESS
        assert len(readings()) == 4

    def test_a_form_without_a_file_may_be_url_encoded(self, box: Box) -> None:
        body = f"MODE=TEST&SERIALNUMBER={SERIAL}&PASSWORD={PASSWORD}".encode()
        assert raw(body, "application/x-www-form-urlencoded").content == SUCCESS

    @pytest.mark.parametrize(
        ("body", "kind", "status"),
        [
            (multipart(form(), newline=b"\n"), f"multipart/form-data; boundary={ODD}", 400),
            (b"", f"multipart/form-data; boundary={ODD}", 400),
            (b"x", "multipart/form-data", 400),
            (b"x", "multipart/form-data; boundary=\xe9", 400),
            (b"<DAS/>", "text/xml", 400),
            (b"{}", "application/json", 400),
            (b"&".join(b"a%d=1" % n for n in range(3000)), "application/x-www-form-urlencoded", 400),
            (b"MODE=TEST", "application/x-www-form-urlencoded", 401),
        ],
        ids=["lf", "empty", "no boundary", "odd boundary", "xml", "json", "too many", "no log-in"],
    )
    def test_what_is_no_form_is_a_failure_and_no_crash(
        self, db: None, body: bytes, kind: str, status: int
    ) -> None:
        assert failed(raw(body, kind), status)

    def test_a_part_without_a_filename_is_no_file(self, box: Box) -> None:
        assert failed(box.post("LOGFILEUPLOAD", MODBUSDEVICE="1", LOGFILE="text"), 406)

    def test_without_a_device_number_the_files_name_tells(self, box: Box) -> None:
        assert box.log(rows(), device=None, MODBUSDEVICE=None).status_code == 200
        upload = SimpleUploadedFile("mb-012.63BD5AFD.log.gz", gzip.compress(rows().encode()))
        assert box.post("LOGFILEUPLOAD", LOGFILE=upload).content == SUCCESS
        device = last_file().device
        assert device is not None
        assert device.address == 12

    @pytest.mark.parametrize("number", ["256", "-1", "x", "1e3", ""])
    def test_a_device_number_that_is_none_is_406(self, box: Box, number: str) -> None:
        assert failed(box.log(rows(), MODBUSDEVICE=number), 406)

    def test_the_password_is_kept_nowhere(self, box: Box, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("DEBUG"):
            box.post("STATUS", UPTIME="1")
            box.log(rows())
            box.log(rows(), PASSWORD="a-wrong-password")
        kept = [*UploadSession.objects.values(), *UploadFile.objects.values(), *Receipt.objects.values()]
        kept += [*Logger.history.values()]
        for secret in (PASSWORD, "a-wrong-password"):
            assert secret not in str(kept)
            assert secret not in caplog.text


class TestSessions:
    def test_requests_belong_to_the_session_that_a_report_begins(self, box: Box, noon: Any) -> None:
        box.post("STATUS")
        box.log(rows())
        noon.shift(600)
        box.log(rows(), MD5CHECKSUM="0" * 32)
        session = UploadSession.objects.get()
        assert (session.requests, session.failures, session.files.count()) == (3, 1, 2)
        noon.shift(86_400)
        box.post("STATUS")
        assert UploadSession.objects.count() == 2

    def test_a_logger_that_never_reports_has_sessions_too(self, box: Box, noon: Any) -> None:
        box.log(rows())
        noon.shift(3600)
        box.log(rows(5))
        assert UploadSession.objects.count() == 2

    def test_how_often_a_logger_uploads_is_learnt(self, box: Box, logger: Logger, noon: Any) -> None:
        for day in range(4):
            box.log(row(START.replace(day=10 + day), *[1] * 26))
            noon.shift(86_400)
        logger.refresh_from_db()
        assert set(logger.rhythm["pauses"].values()) == {86_400_000}


class TestMoves:
    def test_a_call_from_another_address_is_an_event(self, box: Box, logger: Logger) -> None:
        box.post("TEST")
        box.log(rows())
        assert not Event.objects.exists()
        form = {"MODE": "TEST", "SERIALNUMBER": SERIAL, "PASSWORD": PASSWORD}
        for _ in range(2):
            assert Client(REMOTE_ADDR="192.0.2.7").post(URL, form).content == SUCCESS
        event = Event.objects.get()
        told = {"logger": SERIAL, "before": "127.0.0.1", "after": "192.0.2.7"}
        assert (event.type, event.data, event.house) == ("LOGGER_MOVED", told, logger.house)


def test_a_large_file_is_left_to_a_worker(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modes, "CHEAP", 10)
    assert box.log(rows()).content == SUCCESS
    assert states() == [State.RECEIVED]
