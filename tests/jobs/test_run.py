"""Starting, running, reporting and cancelling, in this process."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Thread

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.jobs import kinds as registry
from apps.jobs.models import Job, State
from apps.jobs.run import Running, cancel, perform, start
from config.celery import app
from config.processes import wait_until
from tests.jobs.conftest import StartSteps, steps_in
from tests.jobs.kinds import SECRET
from tests.readings.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def run(kind: str, **args: object) -> Job:
    job = start(kind=kind, subject="", by=None, **args)
    perform(job.pk)
    job.refresh_from_db()
    return job


def in_thread(job: Job) -> Thread:
    def work() -> None:
        try:
            perform(job.pk)
        finally:
            connection.close()

    thread = Thread(target=work)
    thread.start()
    return thread


def test_a_job_waits_for_its_worker(start_steps: StartSteps, alice: User, log: Path) -> None:
    job = start_steps()
    assert (job.state, job.by, job.subject, job.percent) == (State.QUEUED, alice, "House A", None)
    assert str(job) == "Take steps: House A"
    assert not log.exists()


def test_a_job_runs_to_its_end(start_steps: StartSteps, log: Path) -> None:
    job = start_steps(count=3)
    perform(job.pk)
    job.refresh_from_db()
    assert [step for _, step in steps_in(log)] == [0, 1, 2]
    assert (job.state, job.done, job.total, job.message) == (State.DONE, 3, 3, "step 3")
    assert (job.attempts, job.percent) == (1, 100)
    assert job.alive_at  # from the start, lest a job be forgotten that dies before its first sign of life
    assert job.started_at
    assert job.ended_at
    assert job.started_at <= job.ended_at <= timezone.now()


def test_a_job_that_ended_does_not_run_again(start_steps: StartSteps, log: Path) -> None:
    job = start_steps(count=2)
    perform(job.pk)
    perform(job.pk)
    assert len(steps_in(log)) == 2


def test_a_job_that_is_gone_is_no_error() -> None:
    perform(999_999)


def test_the_same_job_delivered_twice_at_once_runs_once(start_steps: StartSteps, log: Path) -> None:
    job = start_steps(count=3, pause=0.05)
    at_once(*[lambda: perform(job.pk)] * 4)
    assert [step for _, step in steps_in(log)] == [0, 1, 2]
    assert Job.objects.get().attempts == 1


def test_an_unknown_kind_is_refused_at_once() -> None:
    with pytest.raises(KeyError):
        start(kind="test.unheard-of", subject="", by=None)
    assert not Job.objects.exists()


def test_a_kind_is_registered_once() -> None:
    with pytest.raises(ValueError, match=r"test\.steps"):
        registry.register("test.steps", registry.function("test.nothing"), title="Other")


def test_a_job_of_a_kind_that_is_no_more_fails_and_keeps_its_name(queue: str) -> None:
    job = Job.objects.create(kind="older.kind", subject="House A")
    perform(job.pk)
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert str(job) == "older.kind: House A"


def test_what_went_wrong_is_in_the_log_and_not_before_people(
    queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        job = run("test.failing")
    assert job.state == State.FAILED
    assert job.message == "An unexpected error stopped it (ValueError); the log says more."
    assert (job.done, job.total) == (1, 2)
    assert SECRET in caplog.text
    assert "Traceback" in caplog.text


def test_an_error_meant_for_people_reaches_them(queue: str, caplog: pytest.LogCaptureFixture) -> None:
    job = run("test.refusing")
    assert (job.state, job.message) == (State.FAILED, "The house is disabled.")
    assert caplog.text == ""


def test_a_job_that_never_reports_is_done_all_the_same(queue: str) -> None:
    job = run("test.nothing")
    assert (job.state, job.done, job.total, job.percent, job.message) == (State.DONE, 0, None, None, "")


@pytest.mark.usefixtures("quick_pulse")
def test_progress_and_life_are_seen_from_within_a_long_transaction(queue: str) -> None:
    job = start(kind="test.busy", subject="", by=None, seconds=1.0)
    thread = in_thread(job)
    seen = Job.objects.filter(pk=job.pk, state=State.RUNNING, done=1, message="in a transaction")
    assert wait_until(seen.exists, seconds=0.9)
    before = seen.get().alive_at
    assert before
    assert wait_until(lambda: seen.filter(alive_at__gt=before).exists(), seconds=0.9)
    thread.join(10)
    assert Job.objects.get().state == State.DONE


@pytest.mark.usefixtures("quick_pulse")
def test_a_running_job_stops_where_it_is(start_steps: StartSteps, log: Path, alice: User) -> None:
    job = start_steps(count=10_000, pause=0.01)
    thread = in_thread(job)
    assert wait_until(lambda: len(steps_in(log)) > 3, seconds=10)
    assert cancel(job=job, by=alice)
    thread.join(10)
    job.refresh_from_db()
    assert (job.state, job.cancelled_by) == (State.CANCELLED, alice)
    assert 3 < job.done == len(steps_in(log)) < 10_000
    assert job.ended_at


def test_a_waiting_job_is_cancelled_at_once(start_steps: StartSteps, log: Path, alice: User) -> None:
    job = start_steps()
    assert cancel(job=job, by=alice)
    perform(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (State.CANCELLED, 0)
    assert job.ended_at
    assert not log.exists()


def test_what_has_ended_cannot_be_cancelled(start_steps: StartSteps, alice: User) -> None:
    job = start_steps()
    perform(job.pk)
    assert not cancel(job=job, by=alice)
    job.refresh_from_db()
    assert (job.state, job.cancelled_by) == (State.DONE, None)


@pytest.mark.usefixtures("quick_pulse")
def test_who_was_taken_for_dead_stops_and_leaves_the_end_to_the_other(
    start_steps: StartSteps, log: Path
) -> None:
    job = start_steps(count=10_000, pause=0.01)
    thread = in_thread(job)
    assert wait_until(lambda: len(steps_in(log)) > 3, seconds=10)
    Job.objects.filter(pk=job.pk).update(attempts=2)  # as the other's claim does
    thread.join(10)
    job.refresh_from_db()
    assert (job.state, job.attempts, job.ended_at) == (State.RUNNING, 2, None)


def test_a_job_that_was_deleted_meanwhile_stops(
    quick_pulse: None, start_steps: StartSteps, log: Path
) -> None:
    job = start_steps(count=10_000, pause=0.01)
    thread = in_thread(job)
    assert wait_until(lambda: len(steps_in(log)) > 3, seconds=10)
    Job.objects.all().delete()
    thread.join(10)
    assert not thread.is_alive()


def test_nothing_is_sent_for_a_job_that_was_rolled_back(
    monkeypatch: pytest.MonkeyPatch, start_steps: StartSteps
) -> None:
    sent: list[tuple[int, ...]] = []
    monkeypatch.setattr(app, "send_task", lambda _, args, **__: sent.append(args))
    with transaction.atomic():
        start_steps()
        transaction.set_rollback(True)
    kept = start_steps()
    assert wait_until(lambda: sent != [], seconds=10)
    assert sent == [(kept.pk,)]
    assert Job.objects.get() == kept


def test_a_broker_that_is_away_is_logged_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, start_steps: StartSteps, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("nobody listens")

    monkeypatch.setattr(app, "send_task", refuse)
    with caplog.at_level(logging.WARNING):
        job = start_steps()
        assert wait_until(lambda: f"Could not enqueue jobs.run({job.pk},)" in caplog.text, seconds=10)
    assert Job.objects.get().state == State.QUEUED


@pytest.mark.parametrize(
    ("message", "kept"), [("x" * 1000, "x" * 500), ("a\0b", "a\ufffdb"), ("a\ud800b", "a?b")]
)
def test_no_message_is_too_long_or_too_strange(queue: str, message: str, kept: str) -> None:
    job = Job.objects.create(kind="test.nothing", state=State.RUNNING, attempts=1)
    with Running(job) as running:
        running.progress(1, None, message)
        assert running.end(State.DONE)
    job.refresh_from_db()
    assert (job.message, job.done) == (kept, 1)
