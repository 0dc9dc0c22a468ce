"""A house with a logger, and the logger itself, which speaks the vendor's protocol."""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.houses.models import House
from apps.inbox.models import Receipt
from apps.jobs import running
from apps.meters import passwords
from apps.meters.loggers import add_logger
from apps.meters.models import Logger, UploadFile
from apps.readings import store
from apps.readings.models import Series
from tests.jobs.conftest import queue, worker

__all__ = ["queue", "worker"]

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
START = datetime(2026, 5, 31, tzinfo=UTC)
SERIAL = "001EC6001234"
PASSWORD = "logger-pass-1"
URL = "/api/v1/loggers/acquisuite/"
MINUTE = 60_000


@pytest.fixture(autouse=True)
def _forgetful(clean_cache: None) -> None:
    """No memory of another test's log-ins."""
    passwords.forget()


@pytest.fixture(autouse=True)
def _no_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that run within a test's transaction are not seen by the connection that tells of their life."""
    monkeypatch.setattr(running, "PULSE_S", 600.0)


@pytest.fixture
def noon(db: None) -> Any:
    """Time stands still at NOW."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def logger(house_a: House) -> Logger:
    """The logger of house A."""
    return add_logger(house=house_a, serial=SERIAL, password=PASSWORD, now=NOW)[0]


@dataclass
class Box:
    """A logger as we see it from outside: it posts forms."""

    serial: str = SERIAL
    password: str = PASSWORD
    variables: dict[str, str] = field(default_factory=dict)

    def post(self, mode: str, *, headers: dict[str, str] | None = None, **form: Any) -> Any:
        """Post a form; variables that are None are left out."""
        given = {
            "MODE": mode,
            "SERIALNUMBER": self.serial,
            "PASSWORD": self.password,
            **self.variables,
            **form,
        }
        return Client(raise_request_exception=False).post(
            URL, {name: value for name, value in given.items() if value is not None}, headers=headers or {}
        )

    def log(
        self, content: str | bytes, *, device: int | None = 1, device_class: int | None = 2, **form: Any
    ) -> Any:
        """Post a log file; text goes gzipped."""
        body = gzip.compress(content.encode(), mtime=0) if isinstance(content, str) else content
        told: dict[str, Any] = {
            "MODBUSDEVICE": device,
            "MODBUSDEVICECLASS": device_class,
            "MODBUSDEVICENAME": "Main",
            "MD5CHECKSUM": md5(body),
        }
        name = f"modbus/mb-{device or 0:03}.63BD5AFD.log.gz"
        told["LOGFILE"] = SimpleUploadedFile(name, body, "application/octet-stream")
        return self.post("LOGFILEUPLOAD", **{**told, **form})

    def config(self, name: str, text: str, **form: Any) -> Any:
        """Post a configuration file."""
        body = text.encode()
        told = {"MD5CHECKSUM": md5(body), "FILETIME": "2026-05-01 10:00:00"}
        told["CONFIGFILE"] = SimpleUploadedFile(name, body)  # type: ignore[assignment]
        return self.post("CONFIGFILEUPLOAD", **{**told, **form})


@pytest.fixture
def box(logger: Logger) -> Box:
    """The logger of house A, from outside."""
    return Box()


def md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def basic(serial: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{serial}:{password}'.encode()).decode()}"}


def row(at: datetime, *points: object, error: int = 0, low: str = "0x0", high: str = "0x0") -> str:
    cells = ["" if point is None else str(point) for point in points]
    return ",".join([f"'{at:%Y-%m-%d %H:%M:%S}'", str(error), low, high, *cells])


def rows(count: int = 4, *, start: datetime = START, step: int = 15, width: int = 26) -> str:
    """A log of a device of class 2: energy rises by 1, power is 10, 11, …, the rest is 1."""
    made = [
        row(start + timedelta(minutes=step * n), 1000 + n, 10 + n, *[1] * (width - 2)) for n in range(count)
    ]
    return "\n".join(made) + "\n"


def lines(*made: str) -> str:
    return "\n".join(made) + "\n"


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


Reader = Callable[..., dict[int, float]]


@pytest.fixture
def readings() -> Reader:
    """A function that reads a series: {stamp: value}."""

    def read(field: str = "power", source: str = "Main", house: str = "house-a") -> dict[int, float]:
        series = Series.objects.filter(source__house__name=house, source__name=source, field=field).first()
        if series is None:
            return {}
        samples = store.read([series.pk], start=0, end=4 * 10**12)[series.pk]
        return dict(zip(samples.stamps.tolist(), samples.values.tolist(), strict=True))

    return read


def counts(of: UploadFile) -> tuple[int | None, ...]:
    """(new, same, changed, rejected)."""
    of.refresh_from_db()
    return of.new, of.same, of.changed, of.rejected


def last_file() -> UploadFile:
    return UploadFile.objects.latest("pk")


def states(receipts: Iterable[Receipt] | None = None) -> list[str]:
    return [one.state for one in (receipts or Receipt.objects.order_by("pk"))]
