"""The files of `bench acquisuite`, and the server that it is compared with."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pytest

from apps.desk.bench import bare_logger
from apps.desk.bench.logger_files import LOAD, MINUTES, SOLAR, WIDTH, uploads
from apps.meters.acquisuite.logfile import parse

MIDNIGHT = 20_000 * 86_400_000


def answer(body: bytes) -> bytes:
    """What the bare server says."""
    environ: dict[str, Any] = {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    return b"".join(bare_logger.application(environ, lambda *_: None))


def text_of(body: bytes) -> str:
    begin = body.index(b"\x1f\x8b")
    return gzip.decompress(body[begin : body.rindex(b"\r\n--")]).decode()


def test_files_are_what_a_logger_writes_and_no_two_are_alike() -> None:
    files = [file for number in range(2) for file in uploads(number, 3, MIDNIGHT)]
    assert len({file.body for file in files}) == 6
    for file in files:
        log = parse(text_of(file.body), newest=MIDNIGHT * 2)
        assert (len(log.stamps), log.width, log.bad_count) == (MINUTES, WIDTH, 0)
        assert log.stamps.tolist() == file.stamps.tolist()


def test_what_is_said_to_be_sent_is_what_is_in_the_file() -> None:
    load, solar = list(uploads(7, 2, MIDNIGHT))
    assert (load.address, solar.address) == (LOAD, SOLAR)
    first = text_of(load.body).splitlines()[0].split(",")
    assert float(first[5]) == load.powers[0]
    assert (load.powers > solar.powers).all()


def test_the_bare_server_takes_a_file_and_refuses_a_damaged_one() -> None:
    (file, _) = uploads(1, 2, MIDNIGHT)
    assert b"SUCCESS" in answer(file.body)
    flipped = bytearray(file.body)
    flipped[-100] ^= 1
    assert b"FAILURE" in answer(bytes(flipped))
    assert b"FAILURE" in answer(b"nothing of the kind")


@pytest.mark.parametrize("devices", [2, 10])
def test_each_device_has_its_file(devices: int) -> None:
    assert [file.address for file in uploads(1, devices, MIDNIGHT)] == list(range(1, devices + 1))
