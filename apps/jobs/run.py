"""Starting, running and cancelling jobs.

A job is a row; the Celery task only hints at it. Whoever takes it up notes that in one UPDATE, so it runs
once at a time however often the hint is delivered. The sweep finds jobs whose hint or worker was lost.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from apps.jobs import kinds
from apps.jobs.kinds import register
from apps.jobs.models import Job, Person, State
from apps.jobs.running import Cancelled, JobError, Running
from config.hints import send_soon

__all__ = ["Cancelled", "JobError", "Running", "cancel", "perform", "register", "start"]

logger = logging.getLogger(__name__)

# A worker that said nothing for so long is dead; it says something every second.
DEAD_AFTER = timedelta(seconds=60)


def start(*, kind: str, subject: str, by: Person | None, **args: Any) -> Job:
    """Save a job that calls the function of `kind` with `args`, which are JSON and hold no secrets.

    A worker takes it up once the transaction has committed; with the broker away, within two minutes of its
    return. Raises KeyError for a kind that nobody registered.
    """
    kinds.function(kind)
    job = Job.objects.create(kind=kind, subject=subject[:200], by_id=_key(by), args=args)
    send_soon("jobs.run", job.pk)
    return job


def cancel(*, job: Job, by: Person | None) -> bool:
    """Ask for `job` to stop: one that waits is cancelled now, one that runs at its next report.

    What it has done stays done. Returns whether there was something to stop.
    """
    asked: dict[str, Any] = {"cancel_requested": True, "cancelled_by_id": _key(by)}
    mine = Job.objects.filter(pk=job.pk)
    waiting = mine.filter(state=State.QUEUED)
    if waiting.update(**asked, state=State.CANCELLED, ended_at=Now()):
        return True
    return mine.filter(state=State.RUNNING).update(**asked) == 1


def perform(job_id: int) -> None:
    """Run a job to its end unless it runs already, has ended or is gone."""
    if not _claim(job_id):
        return
    job = Job.objects.get(pk=job_id)
    with Running(job) as running:
        state, message = _outcome(job, running)
        if not running.end(state, message):
            logger.warning("Job %s was taken over by another worker.", job_id)


def dead() -> Q:
    """Of jobs that run: those whose worker is gone."""
    return Q(state=State.RUNNING, alive_at__lt=Now() - DEAD_AFTER)


def _claim(job_id: int) -> bool:
    """Note that this worker has it. In one statement, so that of several workers one succeeds."""
    free = Job.objects.filter(Q(state=State.QUEUED) | dead(), pk=job_id, cancel_requested=False)
    return (
        free.update(
            state=State.RUNNING,
            attempts=F("attempts") + 1,
            started_at=Coalesce("started_at", Now()),
            alive_at=Now(),
        )
        == 1
    )


def _outcome(job: Job, running: Running) -> tuple[State, str | None]:
    """Call the function; how that ended, and the message for people where it is not the function's last."""
    try:
        kinds.function(job.kind)(running, **job.args)
    except Cancelled:
        return State.CANCELLED, None
    except JobError as error:
        return State.FAILED, str(error)
    except SoftTimeLimitExceeded:
        return State.FAILED, "It took too long and was stopped."
    except Exception as error:
        # Its text may hold anything, such as an address with a password: that is for the log.
        logger.exception("Job %s (%s) failed", job.pk, job.kind)
        return State.FAILED, f"An unexpected error stopped it ({type(error).__name__}); the log says more."
    return State.DONE, None


def _key(by: Person | None) -> int | None:
    return None if by is None else by.pk
