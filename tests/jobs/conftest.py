"""Jobs that run in this process or in a real worker, on a queue of the test's own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.utils import timezone

from apps.accounts.models import User
from apps.jobs import running, upkeep
from apps.jobs.models import Job, State
from apps.jobs.run import start
from config.celery import app
from config.processes import wait_until
from tests.jobs import kinds
from tests.readings.children import ROOT, this_database

__all__ = ["kinds"]  # importing it registers them

StartSteps = Callable[..., Job]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> str:
    """What is sent goes here, where no other test's worker looks."""
    name = f"jobs-{uuid4().hex}"
    monkeypatch.setattr(app, "send_task", partial(app.send_task, queue=name))
    return name


@pytest.fixture
def quick_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PULSE_S", 0.02)


class Worker:
    """`celery worker` as `up` runs it, in a process group of its own."""

    def __init__(self, queue: str, processes: int, module: str) -> None:
        options = ["-Q", queue, "-c", str(processes), "--without-mingle", "--without-gossip"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-q", "-A", module, "worker", *options],
            cwd=ROOT,
            env={**os.environ, **this_database(), "REDIS_URL": settings.REDIS_URL},
            start_new_session=True,
        )

    def kill(self) -> None:
        """As a power cut does it: all its processes at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def worker(queue: str) -> Iterator[Callable[..., Worker]]:
    """A factory of workers, gone after the test."""
    workers: list[Worker] = []

    def start_worker(processes: int = 1, module: str = "tests.jobs.worker") -> Worker:
        workers.append(Worker(queue, processes, module))
        return workers[-1]

    yield start_worker
    for one in workers:
        one.kill()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "steps"


@pytest.fixture
def start_steps(queue: str, log: Path, alice: User) -> StartSteps:
    """Start a job of Alice's that writes `pid step` to `log`."""

    def start_job(count: int = 5, pause: float = 0.0) -> Job:
        args = {"path": str(log), "count": count, "pause": pause}
        return start(kind="test.steps", subject="House A", by=alice, **args)

    return start_job


def steps_in(log: Path) -> list[tuple[int, int]]:
    """(pid, step) of every step that was taken."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(int(pid), int(step)) for pid, step in map(str.split, lines)]


def ended(job: Job, state: State, *, seconds: float = 40) -> bool:
    return wait_until(lambda: Job.objects.filter(pk=job.pk, state=state).exists(), seconds=seconds)


def sweep_when_dead(job: Job) -> None:
    """Sweep as if its worker, which is dead, had died long ago."""
    Job.objects.filter(pk=job.pk).update(alive_at=timezone.now() - timedelta(minutes=5))
    upkeep.sweep()
