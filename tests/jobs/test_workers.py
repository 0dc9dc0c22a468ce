"""Jobs in real Celery workers, which are killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.accounts.models import User
from apps.jobs.models import Job, State
from apps.jobs.run import cancel
from config.celery import app
from config.processes import is_alive, wait_until
from tests.jobs.conftest import StartSteps, Worker, ended, steps_in, sweep_when_dead

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

StartWorker = Callable[..., Worker]


def took_steps(log: Path, count: int) -> int:
    """Wait for so many steps; the pid of who took the last."""
    assert wait_until(lambda: len(steps_in(log)) >= count, seconds=40)
    return steps_in(log)[-1][0]


def test_a_worker_takes_a_job_up_and_ends_it(worker: StartWorker, start_steps: StartSteps, log: Path) -> None:
    worker()
    job = start_steps(count=5)
    assert ended(job, State.DONE)
    job.refresh_from_db()
    assert (job.done, job.total, job.attempts) == (5, 5, 1)
    assert steps_in(log)[0][0] != os.getpid()


def test_a_job_whose_process_is_killed_runs_again_once_that_is_sure(
    worker: StartWorker, start_steps: StartSteps, log: Path
) -> None:
    worker()
    job = start_steps(count=60, pause=0.05)
    victim = took_steps(log, 5)
    os.kill(victim, signal.SIGKILL)
    assert wait_until(lambda: not is_alive(victim), seconds=10)
    assert Job.objects.get().state == State.RUNNING
    sweep_when_dead(job)
    assert ended(job, State.DONE)
    job.refresh_from_db()
    steps = steps_in(log)
    survivors = [step for pid, step in steps if pid != victim]
    assert len(steps) > 60
    assert survivors == list(range(60))
    assert job.attempts == 2


def test_a_job_outlives_the_whole_worker(worker: StartWorker, start_steps: StartSteps, log: Path) -> None:
    first = worker()
    job = start_steps(count=60, pause=0.05)
    victim = took_steps(log, 5)
    first.kill()
    assert wait_until(lambda: not is_alive(victim), seconds=10)
    sweep_when_dead(job)
    worker()
    assert ended(job, State.DONE)
    assert Job.objects.get().attempts == 2


def test_a_running_job_is_cancelled(
    worker: StartWorker, start_steps: StartSteps, log: Path, alice: User
) -> None:
    worker()
    job = start_steps(count=10_000, pause=0.05)
    took_steps(log, 3)
    cancel(job=job, by=alice)
    assert ended(job, State.CANCELLED, seconds=15)
    job.refresh_from_db()
    assert job.done == len(steps_in(log)) < 10_000


def test_a_job_delivered_again_and_again_runs_once(
    worker: StartWorker, start_steps: StartSteps, log: Path
) -> None:
    job = start_steps(count=20, pause=0.05)
    for _ in range(4):
        app.send_task("jobs.run", args=[job.pk])
    worker(processes=2)
    assert ended(job, State.DONE)
    assert [step for _, step in steps_in(log)] == list(range(20))
    assert Job.objects.get().attempts == 1
