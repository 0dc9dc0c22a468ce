"""A job while it runs: signs of life, progress, and the wish that it stop."""

from __future__ import annotations

import logging
from threading import Event, Thread
from types import TracebackType

from django.db import DatabaseError, connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.jobs.models import Job, State
from config.text import storable

logger = logging.getLogger(__name__)

PULSE_S = 1.0
MESSAGE_LENGTH = 500


class Cancelled(Exception):  # noqa: N818  not an error
    """Somebody asked for the job to stop, or another worker has it: leave at once, what is done stays."""


class JobError(Exception):
    """The job cannot go on; its text tells people why."""


class Running:
    """One attempt at a job.

    A thread with a connection of its own writes progress and the sign of life once a second. So both are
    seen while the function is in a long transaction or statement, and a worker that lives is never taken for
    dead because its function has nothing to say.
    """

    def __init__(self, job: Job) -> None:
        self._attempt = Job.objects.filter(pk=job.pk, attempts=job.attempts, state=State.RUNNING)
        self._progress: dict[str, int | str | None] = {}
        self._to_stop = Event()
        self._over = Event()
        self._thread = Thread(target=self._live, name=f"job {job.pk}", daemon=True)

    def progress(self, done: int, total: int | None, message: str = "") -> None:
        """Say how far it is; people see it within a second. Costs nothing; raises Cancelled."""
        self._progress = {"done": done, "total": total, "message": storable(message, MESSAGE_LENGTH)}
        if self._to_stop.is_set():
            raise Cancelled

    def end(self, state: State, message: str | None = None) -> bool:
        """Note how it ended, unless another worker has it by now; without a message the last one stays."""
        self._stop()
        last = {} if message is None else {"message": storable(message, MESSAGE_LENGTH)}
        return self._attempt.update(**{**self._progress, **last}, state=state, ended_at=Now()) == 1

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _live(self) -> None:
        try:
            while not self._over.wait(PULSE_S):
                self._beat()
        finally:
            connection.close()

    def _beat(self) -> None:
        """A database that is away for a while makes no difference; for longer, another worker begins anew."""
        try:
            written = self._attempt.update(**self._progress, alive_at=Now())
            if not written or self._asked(self._attempt):
                self._to_stop.set()
        except DatabaseError as error:
            logger.warning("Could not note the progress of %s: %s", self._thread.name, error)
            connection.close()

    @staticmethod
    def _asked(attempt: QuerySet[Job]) -> bool:
        return attempt.filter(cancel_requested=True).exists()
