"""The sweep, its schedule, and what becomes of old jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from apps.accounts.models import User
from apps.jobs import tasks, upkeep
from apps.jobs.models import Job, State
from apps.jobs.run import perform
from config.celery import app
from config.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO = timedelta(minutes=5)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of jobs that were hinted at."""
    found: list[int] = []
    monkeypatch.setattr(app, "send_task", lambda _, args, **__: found.append(args[0]))
    return found


def running(*, silent_for: timedelta, attempts: int = 1, **fields: object) -> Job:
    alive = timezone.now() - silent_for
    return Job.objects.create(
        kind="test.nothing", state=State.RUNNING, attempts=attempts, alive_at=alive, **fields
    )


def state_of(job: Job) -> str:
    return Job.objects.get(pk=job.pk).state


def test_a_job_whose_hint_was_lost_is_hinted_at_again(sent: list[int]) -> None:
    job = Job.objects.create(kind="test.nothing")
    tasks.sweep.run()
    assert wait_until(lambda: sent == [job.pk], seconds=10)


def test_a_job_whose_worker_died_is_taken_up_by_another(sent: list[int]) -> None:
    job = running(silent_for=LONG_AGO)
    upkeep.sweep()
    assert wait_until(lambda: sent == [job.pk], seconds=10)
    perform(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (State.DONE, 2)


def test_a_job_whose_worker_lives_is_left_alone(sent: list[int]) -> None:
    job = running(silent_for=timedelta(seconds=20))
    waiting = Job.objects.create(kind="test.nothing")
    upkeep.sweep()
    perform(job.pk)
    assert wait_until(lambda: sent == [waiting.pk], seconds=10)
    assert (state_of(job), Job.objects.get(pk=job.pk).attempts) == (State.RUNNING, 1)


def test_a_job_that_kills_its_workers_is_given_up(sent: list[int]) -> None:
    deadly = running(silent_for=LONG_AGO, attempts=upkeep.MOST_ATTEMPTS, message="step 3")
    upkeep.sweep()
    deadly.refresh_from_db()
    assert (deadly.state, deadly.message) == (State.FAILED, "The worker that ran it died 5 times.")
    assert deadly.ended_at
    perform(deadly.pk)
    assert state_of(deadly) == State.FAILED


def test_a_cancelled_job_whose_worker_died_is_cancelled(sent: list[int], alice: User) -> None:
    job = running(silent_for=LONG_AGO, cancel_requested=True, cancelled_by=alice)
    perform(job.pk)
    assert state_of(job) == State.RUNNING
    upkeep.sweep()
    assert state_of(job) == State.CANCELLED


def test_jobs_are_kept_for_a_year(sent: list[int]) -> None:
    now = datetime(2027, 6, 1, tzinfo=UTC)
    for days in (364, 366):
        Job.objects.create(kind="test.nothing", state=State.DONE, ended_at=now - timedelta(days=days))
    endless = running(silent_for=timedelta(days=400))
    upkeep.retain(now=now)
    kept = Job.objects.all()
    assert len(kept) == 2
    assert endless in kept
    assert min(job.ended_at for job in kept if job.ended_at) == now - timedelta(days=364)


@pytest.mark.django_db(transaction=False)
def test_the_sweep_runs_every_minute_and_the_broom_nightly() -> None:
    migration = import_module("apps.jobs.migrations.0002_schedules")
    sweep = PeriodicTask.objects.get(task="jobs.sweep")
    assert sweep.interval.schedule.run_every == timedelta(minutes=1)
    nightly = PeriodicTask.objects.get(task="jobs.retain")
    assert (nightly.crontab.hour, nightly.crontab.minute) == ("3", "17")
    assert {sweep.task, nightly.task} <= set(app.tasks)
    migration.remove(apps, None)
    assert not PeriodicTask.objects.filter(task__startswith="jobs.").exists()


def test_the_nightly_task_forgets_by_todays_date(sent: list[int]) -> None:
    old = timezone.now() - timedelta(days=366)
    Job.objects.create(kind="test.nothing", state=State.FAILED, ended_at=old)
    tasks.retain.run()
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("task", "queue"), [("jobs.run", "long"), ("jobs.sweep", "celery"), ("readings.sweep", "celery")]
)
def test_jobs_wait_in_a_queue_of_their_own_where_they_hold_up_no_sweep(task: str, queue: str) -> None:
    assert app.amqp.router.route({}, task)["queue"].name == queue
