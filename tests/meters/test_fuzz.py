"""Whatever comes, there is a plain answer in time, and what was answered SUCCESS is kept byte by byte."""

from __future__ import annotations

import gzip
import hashlib
import time
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.inbox import bodies
from apps.inbox.models import Receipt, State
from apps.inbox.parsing import parse
from apps.meters.acquisuite.replies import Reply
from apps.meters.models import ConfigVersion, Logger
from tests.fuzzing import examples
from tests.meters.conftest import PASSWORD, SERIAL, START, URL, md5, row, rows
from tests.meters.test_protocol import ODD, multipart

pytestmark = pytest.mark.usefixtures("noon", "logger")

MOST_SECONDS = 10.0
"""Longer than any answer may take, on a machine that does much else."""
STATUSES = {200, 400, 401, 403, 405, 406, 429}

# The database is shared by the examples of a test: each may add to it, none relies on its being empty.
many = settings(
    max_examples=examples(1_000, nightly=20_000),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

HEADER = "time(utc),error,low alarm,high alarm,'Energy (kWh)','Voltage, Line to Line (Volts)'\n"
CONFIG = "LOOPNAME=Tower\r\nPASSWORD=x\r\nLOGPERIOD=15\r\nPOINT00NAME=kWh\r\nPOINT00UNITS=kWh\r\n"
LOGS = [
    rows(3),
    HEADER + row(START, 1, 2) + "\n",
    "\n".join(row(START, *[1] * 3, error=code, low="0x5", high="0xff") for code in (0, 139, 160, 162, 192)),
    row(START, "NULL", "-0.00", "", "1e400", "nan") + "\r\n",
]
pieces = st.sampled_from(
    [
        b"",
        b"\0",
        b",",
        b"'",
        b'"',
        b"\r",
        b"\n",
        b"NULL",
        b"193,0x1,0x2,",
        b"-",
        b"\xff\xfe",
        b"\x1f\x8b",
        b"2099-01-01 00:00:00",
        b"1999-01-01 00:00:00",
        b"time(utc),error,low,high,'a (b)'\n",
        b"," * 1100,
        b"9" * 400,
        b"--" + ODD.encode(),
    ]
) | st.binary(max_size=8)
edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), pieces), max_size=4)


def mutated(body: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    """`body` with pieces of it replaced: (where, how many bytes, by what)."""
    for place, length, piece in changes:
        start = int(place * len(body))
        body = body[:start] + piece + body[start + length :]
    return body


texts = st.text(st.characters(codec="utf-8"), max_size=12)
modes = st.sampled_from(
    ["LOGFILEUPLOAD"] * 6
    + ["STATUS", "TEST", "CONFIGFILEMANIFEST", "CONFIGFILEUPLOAD", "CONFIGFILEDOWNLOAD", "DANCE", ""]
)
variables = st.fixed_dictionaries(
    {},
    optional={
        "MODBUSDEVICE": st.sampled_from(["0", "1", "250", "256", "-1", "x", ""]) | texts,
        "MODBUSDEVICECLASS": st.sampled_from(["2", "48", "4000", "99999999999", "-2"]) | texts,
        "MODBUSDEVICENAME": texts,
        "MODBUSDEVICETYPE": texts,
        "LOOPNAME": texts,
        "UPTIME": texts,
        "PERCENTBLOCKSINUSE": st.sampled_from(["50", "nan", "inf", "1e999", "-1"]) | texts,
        "FILETIME": st.sampled_from(["2026-05-01 10:00:00", "0000-00-00 00:00:00"]) | texts,
        "SENDDATATRACE": st.just("YES"),
    },
)


@many
@given(
    mode=modes,
    told=variables,
    content=st.sampled_from(LOGS),
    changes=edits,
    zipped=st.booleans(),
    after=edits,
    form_changes=st.just([]) | edits,
    sum_=st.sampled_from(["right", "right", "none", "wrong"]),
)
def test_mutated_uploads(
    mode: str,
    told: dict[str, str],
    content: str,
    changes: list[Any],
    zipped: bool,
    after: list[Any],
    form_changes: list[Any],
    sum_: str,
) -> None:
    body = mutated((CONFIG if "CONFIG" in mode else content).encode(), changes)
    body = mutated(gzip.compress(body, mtime=0) if zipped else body, after)
    field = "CONFIGFILE" if "CONFIG" in mode else "LOGFILE"
    form: dict[str, Any] = {"MODE": mode, "SERIALNUMBER": SERIAL, "PASSWORD": PASSWORD, "MODBUSDEVICE": "1"}
    sums = {"right": {"MD5CHECKSUM": md5(body)}, "wrong": {"MD5CHECKSUM": "0" * 32}, "none": {}}
    sent = mutated(multipart({**form, **told, **sums[sum_], field: body}), form_changes)
    status, text = ask(sent)
    whole = not form_changes and f"--{ODD}".encode() not in body  # else the form says where the file ends
    if whole and mode == "LOGFILEUPLOAD" and "SUCCESS" in text.split("\n"):
        assert sum_ != "wrong"
        kept = Receipt.objects.filter(body=hashlib.sha256(body).hexdigest()).first()
        assert kept is not None
        assert bodies.body_of(kept) == body
    assert Reply(status, text).success == (status == 200)


@settings(many, max_examples=examples(100, nightly=2_000))
@given(
    body=st.binary(max_size=300),
    kind=st.sampled_from(
        [
            f"multipart/form-data; boundary={ODD}",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "application/x-www-form-urlencoded",
            "text/xml",
            "",
        ]
    )
    | st.text(st.characters(max_codepoint=255, min_codepoint=32), max_size=30),
)
def test_bodies_of_strangers(body: bytes, kind: str) -> None:
    ask(body, kind)


def ask(body: bytes, kind: str = f"multipart/form-data; boundary={ODD}") -> tuple[int, str]:
    """Post it; the answer is plain text of a known status, and in time."""
    began = time.perf_counter()
    answer = Client(raise_request_exception=False).generic("POST", URL, body, kind)
    assert time.perf_counter() - began < MOST_SECONDS
    assert answer.status_code in STATUSES, answer.content
    assert answer["Content-Type"].startswith("text/plain")
    text = answer.content.decode("latin-1")
    if answer.status_code != 200:
        assert text.startswith("FAILURE")
        assert "SUCCESS" not in text.upper()
    return answer.status_code, text


def test_nothing_that_was_accepted_is_left_unread(logger: Logger) -> None:
    """Each file ends as parsed, as waiting for people, or as failed with a reason that they understand."""
    for n, content in enumerate([*LOGS, "rubbish " * 9, "", HEADER]):
        ask(multipart({**_form(), "MODBUSDEVICE": str(n), "LOGFILE": content.encode()}))
    for receipt in Receipt.objects.filter(state=State.RECEIVED):
        parse(receipt.pk)
    for receipt in Receipt.objects.all():
        assert receipt.state in (State.PARSED, State.NEEDS_MAPPING, State.FAILED)
        assert "unexpected" not in receipt.error
    assert not ConfigVersion.objects.exists()


def _form() -> dict[str, Any]:
    return {"MODE": "LOGFILEUPLOAD", "SERIALNUMBER": SERIAL, "PASSWORD": PASSWORD, "MODBUSDEVICECLASS": "2"}
