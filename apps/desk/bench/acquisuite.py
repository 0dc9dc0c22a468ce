"""`bench acquisuite`: loggers that bring a day of 1-minute rows of ten devices each, while things are killed.

It runs on servers and in a folder of its own, so that it may kill PostgreSQL. First a few loggers bring some
days one after another without anything else going on, in turns to a bare server: that is what a file costs.
Then the day of all others comes at a steady pace, with worker and PostgreSQL killed in between, and each
derived meter is timed from the upload that completed it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone
from tqdm import tqdm

from apps.desk.bench import logger_files
from apps.desk.bench.apart import is_inside, run_apart
from apps.desk.bench.logger_files import HEADERS, LOAD, SOLAR, Upload, uploads
from apps.desk.bench.results import BenchError, Goal, Row, row
from apps.desk.bench.serving import Server, cpu_seconds, gunicorn, post
from apps.houses.models import House
from apps.inbox.models import Receipt, State
from apps.inbox.parsing import parse
from apps.meters import loggers, metering
from apps.meters.acquisuite import classes
from apps.meters.acquisuite.points import ROLES
from apps.meters.models import DerivedDay, DerivedMeter, LoggerDevice, Meter
from apps.meters.sets import computing
from apps.meters.sets.mutations import Spec, declare_set
from apps.readings import store
from apps.readings.models import Invalidation, Series, Tail
from apps.readings.samples import DAY
from apps.readings.series import FieldSpec, declare
from config import servers
from config.processes import die_with_parent

BENCH = "acquisuite"
BARE = "bare WSGI"
PATH = "/api/v1/loggers/acquisuite/"
SAMPLE = 4
"""Loggers by whose files it is measured what one costs."""
DAYS = 5
"""Days that those bring. On the first, devices are new: meters, layouts and series are made."""
TRIES_S = 180
"""How long a file is tried again: a logger would for days."""
SETTLE_S = 120
CPU = Goal(4.0)
NOTHING = Goal(0, "value")
QUICK = Goal(60, "value")
WORKER = ("worker", "--without-mingle", "--without-gossip", "--loglevel", "error", "-c", "2")
BEAT = ("beat", "--pidfile=", "--loglevel", "error")
_BACKENDS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend'
"""


@dataclass(frozen=True)
class Size:
    """How many loggers of how many devices, and how many files come in a second."""

    loggers: int = 200
    devices: int = 10
    pace: int = 2


@dataclass(frozen=True)
class Cost:
    """What some work took: CPU seconds of our process, and of the database's, and seconds on the clock."""

    process: float = 0.0
    database: float = 0.0
    seconds: float = 0.0

    @property
    def cpu(self) -> float:
        """CPU seconds of all who did it."""
        return self.process + self.database

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.process + other.process, self.database + other.database, self.seconds + other.seconds
        )


@dataclass
class Sent:
    """Files of a UTC day that were taken: when (monotonic s), by serial number and address."""

    day: int
    at: dict[tuple[str, int], float] = field(default_factory=dict)
    repeats: int = 0


def run(size: Size, *, now: datetime) -> list[Row]:
    """Run it on servers of its own, in a process of its own. Raises BenchError."""
    if size.loggers <= SAMPLE or size.devices < 2:
        raise BenchError(f"Two devices and more than {SAMPLE} are needed: name more loggers.")
    return _inside(size, now) if is_inside() else run_apart(BENCH, size)


def _inside(size: Size, now: datetime) -> list[Row]:
    call_command("migrate", interactive=False, verbosity=0)
    midnight = (int(now.timestamp() * 1000) // DAY - 1) * DAY
    _make_houses(size, now)
    earlier = [midnight - ago * DAY for ago in range(DAYS - 1, -1, -1)]
    sample = [list(_files(range(SAMPLE), size.devices, day)) for day in earlier]
    rest = list(_files(range(SAMPLE, size.loggers), size.devices, midnight))
    with ExitStack() as stack:
        web = stack.enter_context(gunicorn("config.wsgi", environment={}, path="/health/"))
        bare = stack.enter_context(
            gunicorn("apps.desk.bench.bare_logger:application", environment={}, path="/")
        )
        costs = list(_costs(web, bare, sample))
        work = stack.enter_context(_workers())
        begun = time.monotonic()
        sent = Sent(midnight // DAY, {(file.serial, file.address): begun for file in sample[-1]})
        waits = _bring(web, rest, sent, work, size.pace)
        waits |= _await(sent, size, work, waits)
    files = [*(file for day in sample for file in day), *rest]
    return [*costs, *_rows(files, sent, waits)]


def _files(numbers: Iterable[int], devices: int, midnight: int) -> Iterator[Upload]:
    return (file for number in numbers for file in uploads(number, devices, midnight))


# ---- The world


def _make_houses(size: Size, now: datetime) -> None:
    """A house for each logger, with its meters, and a set whose utility meter is derived."""
    known = next(one for one in classes.CLASSES if one.number == logger_files.CLASS)
    roles = [ROLES[name] for name in known.roles.values()]
    specs = [FieldSpec(one.name, one.quantity, one.unit, one.kind, 60, metering.SIGN) for one in roles]
    for number in tqdm(range(size.loggers), "Houses", disable=None, leave=False):
        house = House.objects.create(name=f"building-{number}")
        serial = logger_files.serial(number)
        logger, _ = loggers.add_logger(
            house=house, serial=serial, password=logger_files.PASSWORD, log_period_s=60, now=now
        )
        meters = {}
        for address in (LOAD, SOLAR):
            device = LoggerDevice.objects.create(logger=logger, address=address)
            meters[address] = metering.create_meter(house=house, name=f"device_{address}")
            declare(source=meters[address].source, fields=specs)
            metering.assign(device=device, meter=meters[address])
        members = [Spec(meters[LOAD].source, "load"), Spec(meters[SOLAR].source, "solar")]
        declare_set(house=house, topology="no_utility", members=members, now=now)


@contextmanager
def _workers() -> Iterator[_Workers]:
    work = _Workers()
    work.start()
    try:
        yield work
    finally:
        work.kill()


class _Workers:
    """The worker and the beat of an installation; those that end are started again, as `up` does."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, ...], subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        for argv in (WORKER, BEAT):
            self._running[argv] = _celery(*argv)

    def revive(self) -> None:
        """Start again what ended: a beat does not outlive its database."""
        for argv, process in self._running.items():
            if process.poll() is not None:
                self._running[argv] = _celery(*argv)

    def restart(self) -> None:
        """Kill both, and start others."""
        self.kill()
        self.start()

    def kill(self) -> None:
        """Kill -9, with all children."""
        for process in self._running.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _celery(*argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "celery", "-q", "-A", "config.celery", *argv],
        cwd=settings.BASE_DIR,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        start_new_session=True,
        preexec_fn=die_with_parent(signal.SIGKILL),
    )


# ---- What a file costs


def _costs(web: Server, bare: Server, days: Sequence[Sequence[Upload]]) -> Iterator[Row]:
    """What a file costs us, and the bare server: the first of a device, and then each of the days after."""
    first = _receive(web, days[0])
    yield row(BENCH, "first file of a device, CPU", 1000 * first.cpu / len(days[0]), "ms/file")
    ours, theirs = Cost(), Cost()
    for files in days[1:]:
        ours += _receive(web, files)
        theirs += _cost_of(lambda files=files: _post_all(bare, "/", files), bare.pid)  # type: ignore[misc]
    count = sum(map(len, days[1:]))
    yield row(BENCH, "file, CPU of ours", 1000 * ours.process / count, "ms/file")
    yield row(BENCH, "file, CPU of PostgreSQL", 1000 * ours.database / count, "ms/file")
    rows = count * logger_files.MINUTES
    for metric, unit, own, others, parts in (
        ("file, CPU", "ms/file", ours.cpu, theirs.cpu, count),
        ("file, time", "ms/1000 rows", ours.seconds, theirs.seconds, rows / 1000),
    ):
        peer = 1000 * others / parts
        yield row(BENCH, metric, 1000 * own / parts, unit, against=BARE, theirs=peer, goal=CPU)
    yield row(BENCH, "file, rate", rows / ours.seconds, "rows/s")
    after = _cost_of(_settle, os.getpid())
    yield row(BENCH, "afterwards, CPU", 1000 * after.cpu / (count + len(days[0])), "ms/file")


def _receive(web: Server, files: Sequence[Upload]) -> Cost:
    """What it costs to receive files, and to read those that were left to a worker."""
    received = _cost_of(lambda: _post_all(web, PATH, files), web.pid)
    waiting = list(Receipt.objects.filter(state=State.RECEIVED).values_list("pk", flat=True))
    return received + _cost_of(lambda: _read_all(waiting), os.getpid())


def _cost_of(work: Callable[[], object], pid: int) -> Cost:
    """What some work takes of a process and of the database, in which nothing else goes on."""
    before, of_database, started = cpu_seconds([pid]), _database(), time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    database = sum(spent - of_database.get(backend, 0.0) for backend, spent in _database().items())
    return Cost(cpu_seconds([pid]) - before, database, seconds)


def _database() -> dict[int, float]:
    """CPU seconds of each of the database's processes that serve somebody."""
    with connection.cursor() as cursor:
        cursor.execute(_BACKENDS)
        return {pid: cpu_seconds([pid]) for (pid,) in cursor.fetchall()}


def _settle() -> None:
    """What workers do once files are read: compact, roll up, and work the derived meters out."""
    for source_id, day in list(Tail.objects.values_list("source", "day").distinct()):
        store.compact(source_id, day)
    while Invalidation.objects.exists():
        store.sweep(now=timezone.now())
        computing.run_due()


# ---- All others, while things are killed


def _bring(web: Server, files: Sequence[Upload], sent: Sent, work: _Workers, pace: int) -> dict[int, float]:
    """Post the files at a steady pace, kill what is to be killed, and note which derived meters are done."""
    begun = time.monotonic()
    waits: dict[int, float] = {}
    deaths = {len(files) // 3: work.restart, len(files) // 2: _kill_postgres}
    for place, file in enumerate(tqdm(files, "Files", unit="file", disable=None, leave=False)):
        if place in deaths:
            deaths[place]()
        time.sleep(max(0.0, begun + place / pace - time.monotonic()))
        sent.repeats += _insist(web, file)
        sent.at[file.serial, file.address] = time.monotonic()
        if place % 5 == 0:
            work.revive()
            waits |= _done(sent, waits)
    return waits


def _insist(web: Server, file: Upload) -> int:
    """Send a file until it is taken, as a logger does; how often it had to be sent again."""
    started, tries = time.monotonic(), 0
    while time.monotonic() - started < TRIES_S:
        try:
            _post(web, PATH, file)
        except (OSError, BenchError):
            tries += 1
            time.sleep(1)
        else:
            return tries
    raise BenchError(f"A file of {file.serial} was not taken within {TRIES_S} s.")


def _post_all(server: Server, path: str, files: Sequence[Upload]) -> None:
    for file in files:
        _post(server, path, file)


def _read_all(receipts: Sequence[int]) -> None:
    """As a worker does."""
    for number in receipts:
        parse(number)


def _post(server: Server, path: str, file: Upload) -> None:
    status, answer = post(server, path, file.body, HEADERS)
    if status != 200 or b"SUCCESS" not in answer:
        raise BenchError(f"A file of {file.serial} got {status}: {answer[:200].decode(errors='replace')}")


def _kill_postgres() -> None:
    lease = servers.held()
    if lease is None:
        raise BenchError("The bench does not run on servers of its own.")
    os.kill(lease.services().postgres_pid, signal.SIGKILL)
    connection.close()


def _done(sent: Sent, known: Mapping[int, float]) -> dict[int, float]:
    """How long after its last upload each derived meter had its day; those of `known` are not asked again."""
    try:
        complete = DerivedDay.objects.filter(day=sent.day, intervals__gte=logger_files.MINUTES - 1)
        rows = complete.exclude(source__in=list(known))
        houses = dict(rows.values_list("source", "source__house__name"))
    except OperationalError:
        connection.close()
        return {}
    seen = time.monotonic()
    return {source: max(0.0, seen - _uploaded(sent, name)) for source, name in houses.items()}


def _uploaded(sent: Sent, house: str) -> float:
    serial = logger_files.serial(int(house.removeprefix("building-")))
    return max(sent.at[serial, LOAD], sent.at[serial, SOLAR])


def _await(sent: Sent, size: Size, work: _Workers, known: Mapping[int, float]) -> dict[int, float]:
    """Wait for the files that are still to be read, and for the derived meters."""
    waits = dict(known)
    until = time.monotonic() + SETTLE_S + size.loggers * size.devices
    while time.monotonic() < until:
        work.revive()
        waits |= _done(sent, waits)
        unread = Receipt.objects.filter(kind="acquisuite.log").exclude(state=State.PARSED).exists()
        if len(waits) == size.loggers and not unread:
            break
        time.sleep(0.5)
    return waits


# ---- What became of it


def _compare(files: Sequence[Upload]) -> tuple[int, int]:
    """Rows that were taken and are not there as they were sent, and rows that nobody sent."""
    lost = more = 0
    meters, of_devices = _meters(), defaultdict(list)
    for file in files:
        of_devices[file.serial, file.address].append(file)
    for device, own in of_devices.items():
        stamps = np.concatenate([file.stamps for file in own])
        powers = np.concatenate([file.powers for file in own])
        number = meters.get(device)
        held = store.read([number], start=0, end=2**53)[number] if number else store.EMPTY
        found = np.isin(stamps, held.stamps)
        values = held.values[np.searchsorted(held.stamps, stamps[found])]
        lost += int((~found).sum()) + int((values != powers[found]).sum())
        more += len(held) - int(found.sum())
    return lost, more


def _meters() -> dict[tuple[str, int], int]:
    """The series of power of each device."""
    rows = Meter.objects.exclude(assignments=None).values_list(
        "pk", "assignments__device__logger__serial", "assignments__device__address"
    )
    series = dict(Series.objects.filter(field="power").values_list("source", "pk"))
    return {(serial, address): series[pk] for pk, serial, address in rows if pk in series}


def _rows(files: Sequence[Upload], sent: Sent, waits: Mapping[int, float]) -> Iterator[Row]:
    lost, more = _compare(files)
    missing = DerivedMeter.objects.count() - len(waits)
    repeated = Receipt.objects.filter(kind="acquisuite.log").count() - len(files)
    yield row(BENCH, "rows lost", lost, "rows", goal=NOTHING)
    yield row(BENCH, "rows that nobody sent", more, "rows", goal=NOTHING)
    yield row(BENCH, "files kept twice", max(0, repeated), "files", goal=NOTHING)
    yield row(BENCH, "derived days missing", missing, "days", goal=NOTHING)
    if waits:
        spread: Any = np.array(list(waits.values()))
        yield row(BENCH, "upload to derived value, p50", float(np.percentile(spread, 50)), "s")
        yield row(BENCH, "upload to derived value, p95", float(np.percentile(spread, 95)), "s", goal=QUICK)
    yield row(BENCH, "files sent again", sent.repeats, "times")
