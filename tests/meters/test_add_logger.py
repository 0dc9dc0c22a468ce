"""manage.py add_logger."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.houses.models import House
from apps.meters.models import Logger
from tests.meters.conftest import SERIAL, Box


def added(house: str = "house-a", serial: str = SERIAL) -> str:
    out = StringIO()
    call_command("add_logger", house=house, serial=serial, stdout=out)
    return out.getvalue()


def test_it_prints_a_password_that_works(house_a: House) -> None:
    printed = added(serial="00:1e:c6:00:12:34")
    password = printed.removesuffix("\n")
    assert len(password) == 16
    assert Box(SERIAL, password).post("TEST").content == b"\nSUCCESS\n"
    assert password not in str(Logger.objects.values())


@pytest.mark.parametrize(
    ("house", "serial", "words"),
    [
        ("nowhere", SERIAL, "There is no house named “nowhere”."),
        ("house-a", "?", "“?” is no serial number"),
        ("house-a", SERIAL, "already exists"),
    ],
)
def test_what_is_wrong_is_one_plain_sentence(house_a: House, house: str, serial: str, words: str) -> None:
    if words == "already exists":
        added()
    with pytest.raises(CommandError, match=words.replace("?", r"\?")):
        added(house, serial)
