"""Who a logger is: two log-ins that agree, strangers that learn nothing, and a list of the unclaimed."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import hashers
from django.test import Client

from apps.houses.models import House
from apps.meters import passwords, unclaimed
from apps.meters.acquisuite import access, serials
from apps.meters.loggers import add_logger, change_password
from apps.meters.models import Logger, UnclaimedLogger
from tests.meters.conftest import NOW, PASSWORD, SERIAL, URL, Box, basic

pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were checked the slow way."""
    seen: list[str] = []

    def check(password: str, encoded: str) -> bool:
        seen.append(password)
        return hashers.check_password(password, encoded)

    monkeypatch.setattr(passwords, "check_password", check)
    return seen


def status(box: Box, **form: Any) -> int:
    code: int = box.post("TEST", **form).status_code
    return code


class TestLogIns:
    def test_the_form_alone(self, box: Box) -> None:
        assert status(box) == 200

    def test_basic_alone(self, box: Box) -> None:
        headers = basic(SERIAL, PASSWORD)
        assert status(box, SERIALNUMBER=None, PASSWORD=None, headers=headers) == 200
        assert status(box, PASSWORD=None, headers=headers) == 200

    def test_both_when_they_agree(self, box: Box) -> None:
        assert status(box, headers=basic(SERIAL.lower(), PASSWORD)) == 200

    @pytest.mark.parametrize(
        ("serial", "password"),
        [("001EC600FFFF", PASSWORD), (SERIAL, "another-pass"), ("not a serial!", PASSWORD)],
    )
    def test_both_when_they_do_not(self, box: Box, serial: str, password: str) -> None:
        assert status(box, headers=basic(serial, password)) == 401

    @pytest.mark.parametrize("header", ["Basic", "Basic ***", "Basic gIGC", "Bearer x"])
    def test_a_header_that_cannot_be_read(self, box: Box, header: str) -> None:
        expected = 200 if header.startswith("Bearer") else 401
        assert status(box, headers={"Authorization": header}) == expected
        assert status(box, PASSWORD=None, headers={"Authorization": header}) == 401

    @pytest.mark.parametrize("missing", ["SERIALNUMBER", "PASSWORD"])
    def test_half_of_one(self, box: Box, missing: str) -> None:
        assert status(box, **{missing: None}) == 401
        assert status(box, **{missing: ""}) == 401

    def test_the_name_of_the_serial_number_of_old(self, box: Box) -> None:
        assert status(box, SERIALNUMBER=None, ESERVERSERIAL=SERIAL) == 200

    def test_another_loggers_password(self, box: Box, house_b: House) -> None:
        add_logger(house=house_b, serial="001EC6FFFFFF", password="other-pass-1", now=NOW)
        assert status(box, PASSWORD="other-pass-1") == 401

    def test_the_password_is_hashed_by_the_first_hasher(self, logger: Logger, settings: Any) -> None:
        assert hashers.identify_hasher(logger.password).algorithm == "md5"  # the tests' own
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
        change_password(logger=logger, password="a-new-password", now=NOW, by=None)
        assert logger.password.startswith("argon2$argon2id$")
        assert status(Box(password="a-new-password")) == 200


class TestMemory:
    def test_a_right_pair_is_checked_once_a_minute(self, box: Box, hashed: list[str], noon: Any) -> None:
        for _ in range(3):
            assert status(box) == 200
        assert len(hashed) == 1
        noon.shift(61)
        assert status(box) == 200
        assert len(hashed) == 2

    def test_a_wrong_one_too(self, box: Box, hashed: list[str], noon: Any) -> None:
        for _ in range(3):
            assert status(box, PASSWORD="wrong") == 401
        assert len(hashed) == 1

    def test_a_changed_password_counts_at_once_in_this_process(self, box: Box, logger: Logger) -> None:
        assert status(box) == 200
        change_password(logger=logger, password="a-new-password", now=NOW, by=None)
        assert status(box) == 401
        assert status(box, PASSWORD="a-new-password") == 200

    def test_a_stranger_takes_as_long_as_a_wrong_password(self, box: Box, hashed: list[str]) -> None:
        assert status(box, SERIALNUMBER="001EC6AAAAAA") == 401
        assert len(hashed) == 1


class TestLimits:
    def test_an_address_has_so_many_failures_a_minute(
        self, box: Box, monkeypatch: pytest.MonkeyPatch, noon: Any
    ) -> None:
        monkeypatch.setattr(access, "MOST_OF_AN_ADDRESS", 3)
        for n in range(3):
            assert status(box, SERIALNUMBER=f"001EC6AAAAA{n}") == 401
        answer = box.post("TEST", SERIALNUMBER="001EC6AAAAAF")
        assert answer.status_code == 429
        assert 0 < int(answer["Retry-After"]) <= 60
        assert answer.content.startswith(b"FAILURE")
        noon.shift(60)
        assert status(box) == 200

    def test_strangers_cannot_lock_a_logger_out(self, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(access, "MOST_OF_A_SERIAL", 2)
        assert status(box) == 200  # so that its address is known
        stranger = Client(REMOTE_ADDR="192.0.2.9")
        tries = [
            stranger.post(URL, {"MODE": "TEST", "SERIALNUMBER": SERIAL, "PASSWORD": f"try-{n}"}).status_code
            for n in range(4)
        ]
        assert tries == [401, 401, 429, 429]
        passwords.forget()
        assert status(box) == 200

    def test_a_remembered_logger_is_never_held_up(self, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
        assert status(box) == 200
        monkeypatch.setattr(access, "MOST_OF_AN_ADDRESS", 0)
        assert status(box) == 200

    def test_without_a_cache_nobody_is_held_up(self, box: Box, no_cache: None) -> None:
        assert status(box, PASSWORD="wrong") == 401
        assert status(box) == 200

    def test_operators_see_that_a_logger_was_refused(self, box: Box, logger: Logger) -> None:
        status(box, PASSWORD="wrong")
        logger.refresh_from_db()
        assert (logger.refused_count, logger.refused_at) == (1, NOW)


class TestUnclaimed:
    def test_an_unknown_logger_is_on_the_list(self, noon: Any) -> None:
        for _ in range(2):
            assert status(Box(serial="0050C2300001"), LOOPNAME="Tower\0") == 401
            noon.shift(61)
        found = UnclaimedLogger.objects.get()
        assert (found.serial, found.attempts, found.address) == ("0050C2300001", 2, "127.0.0.1")
        assert found.loop_name == "Tower�"

    def test_a_known_one_is_not(self, box: Box) -> None:
        status(box, PASSWORD="wrong")
        assert not UnclaimedLogger.objects.exists()

    def test_what_is_no_serial_number_is_not(self, db: None) -> None:
        for serial in ("", "x", "'; drop table", "A" * 200, "é" * 8):
            assert status(Box(serial=serial)) == 401
        assert not UnclaimedLogger.objects.exists()

    def test_the_list_is_bounded_and_a_stranger_pushes_out_their_own(
        self, db: None, monkeypatch: pytest.MonkeyPatch, noon: Any
    ) -> None:
        monkeypatch.setattr(unclaimed, "MOST_OF_AN_ADDRESS", 3)
        monkeypatch.setattr(unclaimed, "MOST", 5)
        unclaimed.note(serial="HONEST01", loop_name="", address="192.0.2.1", now=NOW)
        for n in range(6):
            unclaimed.note(serial=f"INVENTED{n}", loop_name="", address="192.0.2.2", now=NOW)
        assert set(UnclaimedLogger.objects.values_list("serial", flat=True)) == {
            "HONEST01",
            "INVENTED3",
            "INVENTED4",
            "INVENTED5",
        }

    def test_adding_it_takes_it_off(self, house_a: House) -> None:
        status(Box(serial="0050C2300001"))
        add_logger(house=house_a, serial="0050c2300001", password=PASSWORD, now=NOW)
        assert not UnclaimedLogger.objects.exists()
        assert status(Box(serial="0050C2300001")) == 200


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("001ec6001234", "001EC6001234"),
        ("00:1E:C6:00:12:34", "001EC6001234"),
        ("00-1E-C6-00-12-34 ", "001EC6001234"),
        ("001e.c600.1234", "001EC6001234"),
        ("abc", ""),
        ("001EC6_001234", ""),
        ("٠٠١٢٣٤", ""),
        ("1" * 33, ""),
    ],
)
def test_serial_numbers_have_one_spelling(text: str, spelt: str) -> None:
    assert serials.normal(text) == spelt
