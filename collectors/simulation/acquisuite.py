"""A simulated AcquiSuite: it logs the meters of a building, and uploads its files as the real one does.

The building is the world's house behind three meters on one bus: `load` is what it uses, `solar` what it
makes and `utility` what the grid gives, negative for exports, so that at all times load = solar + utility.
A fourth, `chiller`, is of a class that somebody has to map.
Stamps are those of the logger's own clock, rows come when its slow loop gets round to a meter, and now and
then a meter does not answer.

It deletes a file when it reads SUCCESS, ends its session on 401, 402, 403, 404 and 407, goes on to the next
file on 406, and tries anything else a few times more.
"""

import gzip
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from collectors.simulation.chance import dice
from collectors.simulation.world import Energy, World

FLASH_BYTES = 8_000_000
TRIES = 3
"""MAXUPLOADTRIES of its settings."""
ENDS_SESSION = frozenset({401, 402, 403, 404, 407})
SKIPS_FILE = 406
BOUNDARY = "MIME_BOUNDRY_MIME_BOUNDRY_MIME_BOUNDRY"
NO_ANSWER, STARTED = 139, 160
LOAD_POWER_FACTOR = 0.95
BUS_VOLTS = 277.0
"""To neutral; the world's mains say how it swells."""
SECOND_HAND_KWH = 212.5
"""What the registers of a meter show that takes the place of another one."""

Headers = Mapping[str, str]
Post = Callable[[bytes, Headers], tuple[int, str]]
"""Sends a body and answers with status and text. Raises OSError when nobody is there."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of meter: its number, how many points it has, and what they are: (name, unit, value)."""

    number: int
    type: str
    width: int
    points: Mapping[int, tuple[str, str, str]]


def _phases(first: int, name: str, unit: str, value: str) -> dict[int, tuple[str, str, str]]:
    return {first + n: (f"{name} Phase {'ABC'[n]}", unit, value) for n in range(3)}


H8036 = Kind(
    2,
    "Veris Industries, H8036, Enhanced",
    26,
    {
        0: ("Energy Consumption", "kWh", "energy"),
        1: ("Real Power", "kW", "kw"),
        2: ("Reactive Power", "kVAR", "kvar"),
        3: ("Apparent Power", "kVA", "kva"),
        4: ("Power Factor", "", "pf"),
        5: ("Voltage, Line to Line", "Volts", "volts_ll"),
        6: ("Voltage, Line to Neutral", "Volts", "volts_ln"),
        7: ("Current", "Amps", "amps"),
        **_phases(8, "Real Power", "kW", "kw_phase"),
        **_phases(11, "Power Factor", "", "pf"),
        14: ("Voltage Phase A-B", "Volts", "volts_ll"),
        15: ("Voltage Phase B-C", "Volts", "volts_ll"),
        16: ("Voltage Phase C-A", "Volts", "volts_ll"),
        17: ("Voltage Phase A-N", "Volts", "volts_ln"),
        18: ("Voltage Phase B-N", "Volts", "volts_ln"),
        19: ("Voltage Phase C-N", "Volts", "volts_ln"),
        **_phases(20, "Current", "Amps", "amps"),
        23: ("Average Demand", "kW", "demand"),
        24: ("Minimum Demand", "kW", "demand"),
        25: ("Maximum Demand", "kW", "demand"),
    },
)
E51C2 = Kind(
    48,
    "Veris Industries, E51C2, Bidirectional",
    72,
    {
        0: ("Accumulated Real Energy Net", "kWh", "net"),
        1: ("Real Energy Quadrants 1 & 4, Import", "kWh", "imported"),
        2: ("Real Energy Quadrants 2 & 3, Export", "kWh", "exported"),
        10: ("Total Net Instantaneous Real Power", "kW", "kw"),
        11: ("Total Net Instantaneous Reactive Power", "kVAR", "kvar"),
        12: ("Total Net Instantaneous Apparent Power", "kVA", "kva"),
        13: ("Total Power Factor", "", "pf"),
        14: ("Voltage, L-L 3p Ave", "Volts", "volts_ll"),
        15: ("Voltage, L-N 3p Ave", "Volts", "volts_ln"),
        16: ("Current, 3p Ave", "Amps", "amps"),
        17: ("Frequency", "Hz", "hertz"),
        18: ("Total Real Power Present Demand", "kW", "demand"),
        **_phases(66, "Voltage, L-N", "Volts", "volts_ln"),
    },
)

CUSTOM = Kind(4025, "User defined", 2, {0: ("Energy", "kWh", "energy"), 1: ("Power", "kW", "kw")})
"""Of a number that means something else on every logger."""


@dataclass(frozen=True, slots=True)
class Meter:
    """A device of the logger. `share` of the world's columns makes its power."""

    name: str
    address: int
    kind: Kind
    columns: Mapping[str, float]
    power_factor: float


METERS = {
    "load": Meter("Load", 1, H8036, {"solar": 1, "grid": 1}, LOAD_POWER_FACTOR),
    "solar": Meter("Solar", 2, E51C2, {"solar": 1}, 1.0),
    "utility": Meter("Utility", 3, E51C2, {"grid": 1}, LOAD_POWER_FACTOR),
    "chiller": Meter("Chiller", 4, CUSTOM, {"load": 0.2}, LOAD_POWER_FACTOR),
}
BUS = ("load", "solar", "utility")
"""The meters of a logger for which no others are named."""


@dataclass(frozen=True, slots=True)
class Box:
    """A logger: who it is, what it reads, and how well its clock and its loop go. Seconds.

    At `swapped`, a moment in Unix seconds, other meters take the place of its meters.
    """

    serial: str
    password: str
    meters: tuple[str, ...] = BUS
    period: int = 900
    jitter: float = 40.0
    skew: float = 0.0
    faults: float = 0.004
    form: bool = True
    basic: bool = False
    remote: bool = True
    swapped: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to one request: `status` is 0 where nobody answered."""

    mode: str
    name: str
    status: int
    success: bool


@dataclass
class LogFile:
    """A rotated log that waits on the flash."""

    address: int
    name: str
    body: bytes
    made: float


class Logger:
    """The logger itself, with its flash. `start` is when it was switched on, in Unix seconds."""

    def __init__(self, world: World, box: Box, *, start: float) -> None:
        self.world, self.box, self.started = world, box, start
        self.files: list[LogFile] = []
        self.configs = _configs(box)
        self.changed = dict.fromkeys(self.configs, datetime.fromtimestamp(start, UTC))
        self.attempt = 0
        self._logged = start
        self._last: dict[str, State] = {}

    def log(self, until: float) -> None:
        """Write a file for each meter with its rows up to `until`, and rotate it."""
        for name in self.box.meters:
            written = list(
                rows(self.world, self.box, METERS[name], self._logged, until, self._last.get(name))
            )
            if written:
                self._last[name] = written[-1][1]
                text = "".join(f"{row}\n" for row, _ in written)
                self.files.append(_rotated(METERS[name], text, until))
        self._logged = max(self._logged, until)

    def session(self, post: Post, now: float) -> list[Step]:
        """One call: report, compare configuration, bring the files. What is not taken stays on the flash."""
        self.attempt += 1
        steps = [self._call(post, "STATUS", self._status(now))]
        if steps[0].status in ENDS_SESSION or not steps[0].success:
            return steps
        steps += self._compare(post)
        for file in list(self.files):
            step = self._upload(post, file)
            steps.append(step)
            if step.success:
                self.files.remove(file)
            elif step.status in ENDS_SESSION or step.status != SKIPS_FILE:
                return steps
        self.attempt = 0
        return steps

    def test(self, post: Post) -> Step:
        """The button on its page."""
        return self._call(post, "TEST", {})

    @property
    def flash(self) -> float:
        """Per cent of the flash in use."""
        return min(100.0, 100 * sum(len(file.body) for file in self.files) / FLASH_BYTES)

    def _status(self, now: float) -> dict[str, str]:
        return {
            "UPTIME": str(int(now - self.started)),
            "PERCENTBLOCKSINUSE": f"{self.flash:.0f}",
            "PERCENTINODESINUSE": f"{min(100, len(self.files) / 5):.0f}",
            "UPLOADATTEMPT": str(self.attempt),
            "ACQUISUITEVERSION": "v02.14.0914",
            "KERNELVERSION": "2.6.28",
        }

    def _upload(self, post: Post, file: LogFile) -> Step:
        variables = {**self._about(file.address), **_file(file.body, file.made)}
        step = self._call(post, "LOGFILEUPLOAD", variables, ("LOGFILE", f"modbus/{file.name}", file.body))
        return Step(step.mode, file.name, step.status, step.success)

    def _about(self, address: int) -> dict[str, str]:
        (meter,) = (METERS[name] for name in self.box.meters if METERS[name].address == address)
        return {
            "MODBUSIP": "127.0.0.1",
            "MODBUSPORT": "502",
            "MODBUSDEVICE": str(address),
            "MODBUSDEVICENAME": meter.name,
            "MODBUSDEVICETYPE": meter.kind.type,
            "MODBUSDEVICETYPENUMBER": "0",
            "MODBUSDEVICECLASS": str(meter.kind.number),
        }

    def _compare(self, post: Post) -> list[Step]:
        """Where a checksum differs: fetch the file if theirs is newer and it may, else send its own."""
        status, text = self._send(post, "CONFIGFILEMANIFEST", {}, None)
        steps = [Step("CONFIGFILEMANIFEST", "", status, status == 200)]
        for name, md5, theirs in _listed(text) if status == 200 else ():
            own = self.configs.get(name)
            if own is None or md5 == checksum(own):
                continue
            newer = theirs is not None and theirs > self.changed[name]
            steps.append(
                self._fetch(post, name, md5) if newer and self.box.remote else self._give(post, name)
            )
        return steps

    def _give(self, post: Post, name: str) -> Step:
        body = self.configs[name]
        variables = {**self._whose(name), **_file(body, self.changed[name].timestamp())}
        step = self._call(post, "CONFIGFILEUPLOAD", variables, ("CONFIGFILE", name, body))
        return Step(step.mode, name, step.status, step.success)

    def _fetch(self, post: Post, name: str, md5: str) -> Step:
        status, text = self._send(post, "CONFIGFILEDOWNLOAD", self._whose(name), None)
        body = text.encode("latin-1", "replace")
        good = status == 200 and checksum(body) == md5
        if good:
            self.configs[name] = body
        return Step("CONFIGFILEDOWNLOAD", name, status, good)

    def _whose(self, name: str) -> dict[str, str]:
        match = re.search(r"mb-(\d+)", name)
        return self._about(int(match[1])) if match else {"MODBUSDEVICE": "0", "MODBUSDEVICECLASS": "0"}

    def _call(
        self, post: Post, mode: str, variables: Mapping[str, str], file: tuple[str, str, bytes] | None = None
    ) -> Step:
        """Send until it is taken, until the answer says not to, or as often as its settings allow."""
        status, text = 0, ""
        for _ in range(TRIES):
            status, text = self._send(post, mode, variables, file)
            if says_success(status, text) or status in ENDS_SESSION or status == SKIPS_FILE:
                break
        return Step(mode, file[1] if file else "", status, says_success(status, text))

    def _send(
        self, post: Post, mode: str, variables: Mapping[str, str], file: tuple[str, str, bytes] | None
    ) -> tuple[int, str]:
        box = self.box
        form = {"MODE": mode, "SERIALNUMBER": box.serial, **({"PASSWORD": box.password} if box.form else {})}
        body = multipart({**form, "LOOPNAME": f"Building {box.serial[-4:]}", **variables}, file)
        try:
            return post(body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
        except OSError:
            return 0, ""


def says_success(status: int, text: str) -> bool:
    """Whether an answer tells the logger to delete what it sent."""
    return status == 200 and any(line.strip() == "SUCCESS" for line in text.splitlines())


def checksum(body: bytes) -> str:
    """As the logger writes it."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class State:
    """A meter at a moment: kW, kWh since the world began, what its registers show more, and the bus."""

    at: float
    power: float
    energy: float
    imported: float
    volts: float
    hertz: float
    more: float = 0.0


def read(
    world: World, meter: Meter, moments: Sequence[float], last: State | None, swapped: float | None = None
) -> Iterator[State]:
    """The meter at ascending Unix seconds; its registers go on from `last`, but over `swapped`."""
    columns = world.integrals([round(moment * 1000) for moment in moments])
    for n, moment in enumerate(moments):
        now = world.at(round(moment * 1000))
        energy = sum(share * columns[_PLACES[name]][n] / 3600 for name, share in meter.columns.items())
        grown = max(0.0, energy - last.energy) if last else max(0.0, energy)
        more = last.more if last else 0.0
        if swapped is not None and last is not None and last.at < swapped <= moment:
            more = SECOND_HAND_KWH - energy
        last = State(
            at=moment,
            power=sum(share * getattr(now, name) for name, share in meter.columns.items()),
            energy=energy,
            imported=(last.imported if last else 0.0) + grown,
            volts=BUS_VOLTS * now.l1_voltage / world.house.volts,
            hertz=now.frequency,
            more=more,
        )
        yield last


_PLACES = {name: place for place, name in enumerate(Energy._fields)}


def rows(
    world: World, box: Box, meter: Meter, start: float, end: float, last: State | None = None
) -> Iterator[tuple[str, State]]:
    """The rows that the logger writes from `start` to before `end` (Unix s), in its own time and spelling.

    A first row, before which there is no `last`, tells that the log was started.
    """
    for now in read(world, meter, list(_moments(box, meter, start, end)), last, box.swapped):
        stamp = f"'{datetime.fromtimestamp(now.at + box.skew, UTC):%Y-%m-%d %H:%M:%S}'"
        empty = "," * (meter.kind.width - 1)
        if last is None:
            yield f"{stamp},{STARTED},,,{empty}", now
        elif dice("fault", box.serial, meter.address, int(now.at)).random() < box.faults:
            yield f"{stamp},{NO_ANSWER},,,{empty}", now
        else:
            yield f"{stamp},0,0x0,0x0,{','.join(_cells(meter, last, now))}", now
        last = now


def _moments(box: Box, meter: Meter, start: float, end: float) -> Iterator[float]:
    """When the loop gets round to the meter: some seconds after each period begins."""
    for n in range(math.ceil(start / box.period), math.ceil(end / box.period)):
        moment = n * box.period + round(dice("loop", box.serial, meter.address, n).random() * box.jitter)
        if start <= moment < end:
            yield moment


def _cells(meter: Meter, before: State, now: State) -> list[str]:
    values = _values(meter, before, now)
    named = {number: values[value] for number, (_, _, value) in meter.kind.points.items()}
    return [f"{named[n]:.3f}" if n in named else "" for n in range(meter.kind.width)]


def _values(meter: Meter, before: State, now: State) -> dict[str, float]:
    """What the points show; the reactive power of the load is all from the grid."""
    kw, hours = now.power, max(now.at - before.at, 1) / 3600
    kvar = abs(kw) * math.tan(math.acos(meter.power_factor))
    kva = math.hypot(kw, kvar)
    return {
        "energy": now.energy + now.more,
        "net": now.energy + now.more,
        "imported": now.imported + now.more,
        "exported": now.imported - now.energy,
        "kw": kw,
        "kw_phase": kw / 3,
        "kvar": kvar,
        "kva": kva,
        "pf": abs(kw) / kva if kva else 1.0,
        "volts_ln": now.volts,
        "volts_ll": now.volts * math.sqrt(3),
        "amps": kva * 1000 / 3 / now.volts,
        "hertz": now.hertz,
        "demand": (now.energy - before.energy) / hours,
    }


def _rotated(meter: Meter, text: str, made: float) -> LogFile:
    name = f"mb-{meter.address:03}.{int(made):08X}.log.gz"
    return LogFile(meter.address, name, gzip.compress(text.encode(), mtime=0), made)


def _file(body: bytes, made: float) -> dict[str, str]:
    return {
        "MD5CHECKSUM": checksum(body),
        "FILETIME": f"{datetime.fromtimestamp(made, UTC):%Y-%m-%d %H:%M:%S}",
        "FILESIZE": str(len(body)),
    }


def _configs(box: Box) -> dict[str, bytes]:
    """Its own settings, passwords in clear as on the real one, and the names of each meter's points."""
    own = {
        "LOOPNAME": f"Building {box.serial[-4:]}",
        "LOGPERIOD": str(max(1, box.period // 60)),
        "UPLOADHOUR": "1",
        "MAXUPLOADTRIES": str(TRIES),
        "ALLOWREMOTECONFIG": "YES" if box.remote else "NO",
        "PASSWORD": box.password,
        "ADMINPASSWORD": "admin",
    }
    files = {f"modbus/mb-{METERS[name].address:03}.ini": _names(METERS[name].kind) for name in box.meters}
    return {"loggerconfig.ini": _ini(own), **files}


def _names(kind: Kind) -> bytes:
    lines: dict[str, str] = {}
    for number in range(kind.width):
        name, unit, _ = kind.points.get(number, ("-", "", ""))
        lines |= {f"POINT{number:02}NAME": name, f"POINT{number:02}UNITS": unit, f"POINT{number:02}LOW": "0"}
    return _ini(lines)


def _ini(lines: Mapping[str, str]) -> bytes:
    return "".join(f"{key}={value}\r\n" for key, value in lines.items()).encode()


def _listed(text: str) -> Iterator[tuple[str, str, datetime | None]]:
    """The files that a manifest lists: name, checksum and the time of theirs, None for never."""
    for line in text.splitlines():
        cells = line.split(",")
        if len(cells) == 4 and cells[0] == "CONFIGFILE":
            yield cells[1], cells[2], _time(cells[3])


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def multipart(variables: Mapping[str, str], file: tuple[str, str, bytes] | None) -> bytes:
    """The form as the logger writes it: its misspelt boundary, and a header that ends in a semicolon."""
    parts = [_part(f'name="{name}"', value.encode()) for name, value in variables.items()]
    if file is not None:
        name, filename, body = file
        kind = "\r\nContent-Type: application/octet-stream;"
        parts.append(_part(f'name="{name}"; filename="{filename}"', body, kind))
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def _part(about: str, body: bytes, more: str = "") -> bytes:
    return f"--{BOUNDARY}\r\nContent-Disposition: form-data; {about}{more}\r\n\r\n".encode() + body + b"\r\n"
