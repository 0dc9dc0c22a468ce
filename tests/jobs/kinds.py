"""Kinds of jobs for tests; both the tests and their workers import this."""

from __future__ import annotations

import os
import time
from pathlib import Path

from django.db import connection, transaction

from apps.jobs.run import JobError, Running, register

SECRET = "https://vendor.example/?token=abc123"


def steps(running: Running, path: str, count: int, pause: float = 0.0) -> None:
    """Append `pid step` to a file for every step, reporting each."""
    for step in range(count):
        with Path(path).open("a") as file:
            file.write(f"{os.getpid()} {step}\n")
        running.progress(step + 1, count, f"step {step + 1}")
        time.sleep(pause)


def failing(running: Running) -> None:
    running.progress(1, 2, "half-way")
    raise ValueError(SECRET)


def refusing(running: Running) -> None:
    raise JobError("The house is disabled.")


def busy(running: Running, seconds: float) -> None:
    """Report, then be in one statement of one transaction for long."""
    with transaction.atomic(), connection.cursor() as cursor:
        running.progress(1, 2, "in a transaction")
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


def nothing(running: Running) -> None:
    """Nothing to do."""


register("test.steps", steps, title="Take steps")
register("test.failing", failing, title="Fail")
register("test.refusing", refusing, title="Refuse")
register("test.busy", busy, title="Be busy")
register("test.nothing", nothing, title="Do nothing")
