"""What loggers send in `bench acquisuite`: a day of 1-minute rows of each device, no two files alike."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from apps.readings.samples import Stamps, Values
from collectors.simulation.acquisuite import BOUNDARY, H8036, multipart

MINUTES = 1440
MINUTE_MS = 60_000
CLASS = H8036.number
WIDTH = H8036.width
LOAD, SOLAR = 1, 2
"""The devices of a logger that its house's meter set is made of."""
PASSWORD = "bench-password-1"  # noqa: S105  of loggers that live for a minute
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@dataclass(frozen=True)
class Upload:
    """A request of a logger, with what device `address` measured: `powers` kW at `stamps` ms, both (n,)."""

    serial: str
    address: int
    body: bytes
    stamps: Stamps
    powers: Values


def serial(number: int) -> str:
    """The serial number of a logger."""
    return f"001EC6{number:06X}"


def uploads(number: int, devices: int, midnight: int) -> Iterator[Upload]:
    """The files of a logger for the UTC day that begins at `midnight` (ms), those of the set first."""
    for address in range(1, devices + 1):
        stamps = midnight + MINUTE_MS * np.arange(MINUTES, dtype=np.int64)
        columns = _columns(number, address)
        packed = gzip.compress(_text(stamps, columns).encode(), compresslevel=6, mtime=0)
        body = multipart(_variables(number, address, packed), ("LOGFILE", f"mb-{address:03}.log.gz", packed))
        yield Upload(serial(number), address, body, stamps, columns[1])


def _columns(number: int, address: int) -> Values:
    """The points (26, n) of an H8036, rounded as they are printed; those of the load are above the sun's."""
    seconds = 60 * np.arange(MINUTES)
    wave = np.sin(2 * np.pi * seconds / 86_400 + number) + 0.1 * np.sin(seconds / 97 + address)
    kw = np.round(40 + 60 * (address == LOAD) + 20 * wave, 2)
    kwh = np.round(1000 * (number + address) + np.cumsum(kw) / 60, 3)
    volts = np.round(277 + 2 * wave, 1)
    steady = {0: kwh, 1: kw, 2: np.round(kw * 0.33, 2), 3: np.round(kw * 1.053, 2), 4: np.full(MINUTES, 0.95)}
    rest = [np.round(volts + place / 10, 1) for place in range(WIDTH - len(steady))]
    return np.array([*steady.values(), *rest])


def _text(stamps: Stamps, columns: Values) -> str:
    cells = [
        [f"{value:g}" if place else f"{value:.3f}" for value in column]
        for place, column in enumerate(columns)
    ]
    times = [f"{datetime.fromtimestamp(stamp / 1000, UTC):%Y-%m-%d %H:%M:%S}" for stamp in stamps.tolist()]
    rows = zip(times, *cells, strict=True)
    return "".join(f"'{when}',0,0x0000,0x0000,{','.join(own)}\n" for when, *own in rows)


def _variables(number: int, address: int, packed: bytes) -> Mapping[str, str]:
    return {
        "MODE": "LOGFILEUPLOAD",
        "SERIALNUMBER": serial(number),
        "PASSWORD": PASSWORD,
        "MODBUSDEVICE": str(address),
        "MODBUSDEVICENAME": f"Device {address}",
        "MODBUSDEVICECLASS": str(CLASS),
        "MD5CHECKSUM": hashlib.md5(packed, usedforsecurity=False).hexdigest(),
        "FILESIZE": str(len(packed)),
    }
