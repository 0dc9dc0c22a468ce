"""The agent as a process against the real server, with the line between them cut and the agent killed."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.alerts import device_warnings
from apps.alerts.models import Alert
from apps.devices import chart
from apps.devices.models import Device, Event
from apps.devices.mutations import create_device
from apps.devices.roles import role_fields
from apps.houses.models import House
from collectors import drivers
from collectors.agent.uploader import LINGER_S
from config.processes import wait_until
from tests.devices import beat
from tests.devices.conftest import Agent, Reader
from tests.readings.children import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

POLLS = 360
BOUND = 1_000


class Line:
    """A wire to a server that can be cut and mended."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._peers: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._listen()

    def cut(self) -> None:
        """End what is under way, and refuse everything from now on."""
        for end in [self._server, *self._peers]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._peers.clear()

    def mend(self) -> None:
        self._server = socket.create_server(("127.0.0.1", self.port))
        self._listen()

    def _listen(self) -> None:
        threading.Thread(target=self._accept, args=[self._server], daemon=True).start()

    def _accept(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.create_connection(self._target)
                self._peers += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=[one, other], daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while piece := one.recv(65_536):
                other.sendall(piece)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(live_server: Any) -> Iterator[Line]:
    line = Line((live_server.thread.host, live_server.thread.port))
    yield line
    line.cut()


@pytest.fixture
def device(house_a: House, monkeypatch: pytest.MonkeyPatch) -> Device:
    monkeypatch.setitem(sys.modules, f"collectors.drivers.{beat.KIND}", beat.module())
    monkeypatch.setattr(drivers.registry, "kinds", lambda: [beat.KIND])
    return create_device(house=house_a, name="beat", type=beat.KIND, config={}, interval_s=1)


Run = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def run(line: Line, agent: Agent, device: Device, tmp_path: Path) -> Iterator[Run]:
    """Start the house's agent on its state folder."""
    bundle = tmp_path / "bundle.json"
    bundle.touch(0o600)
    bundle.write_text(
        json.dumps({"house": "house-a", "url": f"http://127.0.0.1:{line.port}", "key": agent.key})
    )
    pace = ["--config", "0.5", "--heartbeat", "0.5", "--longest-pause", "0.3", "--timeout", "10"]
    started: list[subprocess.Popen[bytes]] = []

    def begin(*options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.devices.beat", "--bundle", str(bundle), *pace, *options]
        started.append(subprocess.Popen(command, cwd=ROOT))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def spooled(tmp_path: Path, question: str = "SELECT count(*) FROM entry") -> int:
    """The answer to a question to the agent's spool."""
    with closing(sqlite3.connect(f"file:{tmp_path}/bundle.state/spool.sqlite3?mode=ro", uri=True)) as db:
        return int(db.execute(question).fetchone()[0] or 0)


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def finish(process: subprocess.Popen[bytes], line: Line, tmp_path: Path) -> None:
    """Mend the line, let everything arrive, and end the agent."""
    line.mend()
    assert wait_until(lambda: spooled(tmp_path) <= 2, seconds=30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0


def in_order(found: dict[int, float]) -> list[int]:
    """What the device counted, in the order of the stamps."""
    return [int(value) for _, value in sorted(found.items())]


def test_an_outage_with_two_crashes_leaves_no_gap(
    run: Run, line: Line, device: Device, house_a: House, readings: Reader, tmp_path: Path
) -> None:
    process = run("--interval", "0.2")
    assert wait_until(lambda: len(readings(beat.FIELD, "beat")) >= 3, seconds=30)
    line.cut()
    for polls in (POLLS // 3, 2 * POLLS // 3):
        assert wait_until(lambda count=polls: spooled(tmp_path) >= count, seconds=90)  # type: ignore[misc]
        kill(process)
        process = run("--interval", "0.2")
    assert wait_until(lambda: spooled(tmp_path) >= POLLS, seconds=90)
    finish(process, line, tmp_path)

    found = readings(beat.FIELD, "beat")
    assert len(found) > POLLS
    assert in_order(found) == list(range(1, len(found) + 1))
    assert not Event.objects.exclude(type="STATE").exists()
    assert_closed(house_a, found)


def assert_closed(house: House, found: dict[int, float]) -> None:
    """The chart of the day has a value in every bin in which there are readings, and is quiet elsewhere."""
    begin, end = min(found), max(found)
    (trace,) = [
        one
        for one in chart.today(house, role_fields(house), now=end + 1)["data"]
        if one["meta"]["role"] == "load"
    ]
    drawn = [y for y in trace["y"] if y is not None]
    assert len(drawn) >= 1 + (end // 300_000 - begin // 300_000)
    first = trace["y"].index(drawn[0])
    assert None not in trace["y"][first : first + len(drawn)]


def test_beyond_the_bound_exactly_the_oldest_are_missing_and_an_event_says_how_many(
    run: Run, line: Line, device: Device, readings: Reader, tmp_path: Path
) -> None:
    """Cut between two runs: of what is under way when a line breaks nobody can tell whether it arrived."""
    process = run("--interval", "0.02", "--spool-bound", str(BOUND))
    assert wait_until(lambda: len(readings(beat.FIELD, "beat")) >= 3, seconds=30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    line.cut()
    process = run("--interval", "0.02", "--spool-bound", str(BOUND))
    lost = "SELECT sum(count) FROM loss"
    assert wait_until(lambda: spooled(tmp_path, lost) >= BOUND // 10, seconds=120)
    kill(process)
    assert spooled(tmp_path) == BOUND
    process = run("--interval", "0.02", "--spool-bound", str(BOUND))
    assert wait_until(lambda: spooled(tmp_path, lost) >= BOUND // 5, seconds=60)
    finish(process, line, tmp_path)
    assert wait_until(Event.objects.filter(type="SPOOL_LOST").exists, seconds=10 * LINGER_S)

    found = readings(beat.FIELD, "beat")
    counted = in_order(found)
    assert counted == sorted(set(counted))
    missing = sorted(set(range(1, counted[-1] + 1)) - set(counted))
    assert missing == list(range(missing[0], missing[-1] + 1))
    stamps = {int(value): stamp for stamp, value in found.items()}
    (event,) = Event.objects.filter(type="SPOOL_LOST")
    assert event.source is None
    assert event.data["count"] == len(missing)
    device_warnings.take_in(since=None, now=timezone.now())
    (alert,) = Alert.objects.filter(source=None)
    assert f"its oldest {len(missing)} rows" in alert.evidence["text"]
    assert stamps[missing[0] - 1] < event.data["from"] < event.data["to"] < stamps[missing[-1] + 1]
