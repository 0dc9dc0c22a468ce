"""kill -9 of the web worker that takes uploads in: what it had acknowledged is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from apps.devices.models import Device
from config.embedded import free_port
from config.processes import wait_until
from tests.devices.conftest import NOW_MS, Agent, Reader, batch
from tests.readings.children import ROOT, this_database

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SENDERS = 3
KILLS = 3


class Web:
    """gunicorn as `up` runs it, on the tests' database."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        options = [
            "-b",
            f"127.0.0.1:{port}",
            "-k",
            "gthread",
            "-w",
            "1",
            "--threads",
            "8",
            "--no-control-socket",
        ]
        self.master = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "config.wsgi", *options],
            cwd=ROOT,
            env={**os.environ, **this_database()},
        )

    def worker(self) -> int | None:
        """The pid of the process that serves, if there is one just now."""
        pid = self.master.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/health/", timeout=5).ok
        except requests.RequestException:
            return False


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web(free_port())
    try:
        assert wait_until(server.answers, seconds=30)
        yield server
    finally:
        server.master.terminate()
        server.master.wait(timeout=30)


def send_until(
    stop: threading.Event, web: Web, agent: Agent, stamps: Iterator[int], acked: list[int]
) -> None:
    """Upload one reading after another; note those that were answered with 200."""
    for stamp in stamps:
        if stop.is_set():
            return
        try:
            answer = requests.post(
                f"{web.url}/api/v1/edge/readings/",
                json={"batches": [batch(at=[stamp], a=[stamp % 977])]},
                headers={"Authorization": f"Bearer {agent.key}"},
                timeout=10,
            )
        except requests.RequestException:
            time.sleep(0.02)  # nobody listens for a moment
            continue
        if answer.ok and answer.json()["stored"] == 1:
            acked.append(stamp)


def test_a_killed_web_worker_loses_nothing_it_had_acknowledged(
    web: Web, egauge: Device, agent: Agent, readings: Reader
) -> None:
    stop, acked = threading.Event(), list[list[int]]()
    threads = []
    for number in range(SENDERS):
        acked.append([])
        stamps = iter(range(NOW_MS + number, NOW_MS + 10**8, SENDERS))
        arguments = (stop, web, agent, stamps, acked[-1])
        threads.append(threading.Thread(target=send_until, args=arguments))
        threads[-1].start()
    try:
        for _ in range(KILLS):
            before = sum(map(len, acked))
            assert wait_until(lambda seen=before: sum(map(len, acked)) > seen + 30, seconds=30)  # type: ignore[misc]
            worker = web.worker()
            assert worker
            os.kill(worker, signal.SIGKILL)
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=30)

    found = readings("a")
    assert sum(map(len, acked)) > 30 * KILLS
    assert [stamp for own in acked for stamp in own if found.get(stamp) != stamp % 977] == []
