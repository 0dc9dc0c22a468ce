"""Whether this installation is well: what `doctor` looks at, and what to do about what it finds."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from redis import RedisError

from apps.alerts import detection, facts
from apps.desk import health, pulse
from apps.inbox import models as receipt
from apps.inbox.models import Receipt
from apps.jobs import models as job
from apps.jobs.models import Job
from apps.readings.compaction import AGE
from apps.readings.models import Tail

GB = 1024**3
CLOCK_OFF_S = 2.0
DISK_FREE = 0.05  # of the file system, and
DISK_FREE_BYTES = GB
OVERDUE = AGE + timedelta(minutes=5)
NAMED = 5  # stale sources in one line


@dataclass(frozen=True)
class Finding:
    """What a check saw, in a sentence; with a fault, what to do about it, in another."""

    check: str
    seen: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        return not self.remedy


Check = Callable[[datetime], Finding]


def examine(now: datetime, names: Iterable[str] = ()) -> Iterator[Finding]:
    """The findings of the checks so named, or of all, one after another.

    What needs a server that is away is not looked at, and says so: it would only wait for it.
    """
    away: dict[str, Finding] = {}
    for name in names or CHECKS:
        finding = _look(name, now, away)
        if name in SERVERS and not finding.ok:
            away[name] = finding
        yield finding


def _look(name: str, now: datetime, away: dict[str, Finding]) -> Finding:
    if missing := [server for server in NEEDS.get(name, ()) if server in away]:
        return Finding(name, f"Not looked at: the {missing[0]} is away.", f"See to the {missing[0]} first.")
    try:
        return replace(CHECKS[name](now), check=name)
    except (Error, psycopg.Error) as error:
        return Finding(name, f"The database refused: {_first_line(error)}.", "See to the database first.")
    except (RedisError, OSError) as error:
        return Finding(name, f"{_first_line(error)}.", "See to the broker first.")


def database(now: datetime) -> Finding:
    """Whether PostgreSQL lets us in."""
    try:
        health.database()
    except psycopg.Error as error:
        seen = f"PostgreSQL does not answer: {_first_line(error)}."
        return Finding("", seen, "Start PostgreSQL, or correct DATABASE_URL.")
    return Finding("", "PostgreSQL answers.")


def broker(now: datetime) -> Finding:
    """Whether Redis lets us in."""
    try:
        health.redis()
    except (RedisError, OSError) as error:
        return Finding(
            "", f"Redis does not answer: {_first_line(error)}.", "Start Redis, or correct REDIS_URL."
        )
    return Finding("", "Redis answers.")


def clock(now: datetime) -> Finding:
    """Whether this machine, PostgreSQL and Redis agree on the time."""
    offsets = {"PostgreSQL": _postgres_offset(), "Redis": _redis_offset()}
    server, worst = max(offsets.items(), key=lambda offset: abs(offset[1]))
    if abs(worst) <= CLOCK_OFF_S:
        return Finding("", f"PostgreSQL and Redis agree with this machine to {abs(worst):.1f} s.")
    ahead = "ahead of" if worst > 0 else "behind"
    seen = f"The clock of {server} is {abs(worst):.0f} s {ahead} this machine's."
    return Finding("", seen, "Let both machines keep time by NTP, for instance with chrony.")


def _postgres_offset() -> float:
    """Its clock minus ours, in seconds."""
    connection.ensure_connection()
    with connection.cursor() as cursor:
        before = time.time()
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        after = time.time()
        theirs: float = cursor.fetchone()[0]
    return theirs - (before + after) / 2


def _redis_offset() -> float:
    with pulse.connect() as redis:
        redis.ping()
        before = time.time()
        seconds, micro = redis.time()
        after = time.time()
    return int(seconds) + int(micro) / 1e6 - (before + after) / 2


def migrations(now: datetime) -> Finding:
    """Whether the tables are those of this version."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        return Finding("", f"{len(missing)} migrations are not applied.", "Run `manage.py migrate`.")
    return Finding("", "All migrations are applied.")


def worker(now: datetime) -> Finding:
    """Whether a worker gave a sign of life."""
    return _alive(pulse.WORKER, "Start one: `manage.py up`, or `python -m celery -A config.celery worker`.")


def jobs(now: datetime) -> Finding:
    """Whether a worker that runs jobs gave a sign of life."""
    remedy = "Start one: `manage.py up`, or `python -m celery -A config.celery worker -Q long`."
    return _alive(pulse.JOBS, remedy, "worker for jobs")


def beat(now: datetime) -> Finding:
    """Whether beat gave a sign of life."""
    return _alive(pulse.BEAT, "Start one, and only one: `manage.py up`, or `… celery -A config.celery beat`.")


def _alive(name: str, remedy: str, called: str = "") -> Finding:
    age = pulse.ages()[name]
    if age is None:
        return Finding("", f"No {called or name} gave a sign of life today.", remedy)
    seen = f"The last sign of life of a {called or name} is {age:.0f} s old."
    return Finding("", seen, remedy if pulse.is_late(age) else "")


def disk(now: datetime) -> Finding:
    """Whether there is room where data and logs are written."""
    usage = shutil.disk_usage(settings.VAR)
    seen = f"{usage.free / GB:.1f} GB of {usage.total / GB:.1f} GB are free at {settings.VAR}."
    full = usage.free < DISK_FREE_BYTES or usage.free < DISK_FREE * usage.total
    return Finding("", seen, "Free or add space before PostgreSQL has to stop." if full else "")


def secrets(now: datetime) -> Finding:
    """Whether files with secrets are their owner's alone."""
    files = [path for path in _secret_files(Path(settings.VAR)) if path.exists()]
    if opened := [path for path in files if path.stat().st_mode & 0o077]:
        names = ", ".join(str(path) for path in opened)
        return Finding("", f"Others may read {names}.", f"Run `chmod 600 {opened[0]}`.")
    return Finding("", f"{len(files)} files with secrets, none of them open to others.")


def _secret_files(var: Path) -> list[Path]:
    return [var / "secrets.env", var / "services.secret", var / "run" / "services.json"]


def sources(now: datetime) -> Finding:
    """Whether every source that should deliver does, by the rule of alerts; one that never did does not."""
    expected = list(facts.arriving().select_related("house", "latest").order_by("house__name", "name"))
    silent = detection.silent([source.pk for source in expected], now)
    stale = [source for source in expected if source.pk in silent or not hasattr(source, "latest")]
    if not stale:
        return Finding("", "Every enabled device and meter has delivered lately.")
    names = ", ".join(f"{source.house.name}/{source.name}" for source in stale[:NAMED])
    more = f" and {len(stale) - NAMED} more" if len(stale) > NAMED else ""
    remedy = "Look at the agent or logger and at the device, or disable the device in the admin."
    return Finding("", f"{len(stale)} sources are silent: {names}{more}.", remedy)


def backlog(now: datetime) -> Finding:
    """Whether what arrived, and what was asked for, is worked on."""
    waiting = [f"{count} {what}" for what, count in _overdue(now - OVERDUE).items() if count]
    if not waiting:
        return Finding("", "Nothing waits longer than it should.")
    seen = f"Waiting for over {OVERDUE.seconds // 60} min: {', '.join(waiting)}."
    return Finding("", seen, "Look at the worker's log; start another worker when one is not enough.")


def _overdue(before: datetime) -> dict[str, int]:
    """How much of each kind of work has waited since `before`."""
    tail = Tail.objects.filter(received_at__lt=before).values("source", "day").distinct()
    receipts = Receipt.objects.filter(state=receipt.State.RECEIVED, received_at__lt=before)
    jobs = Job.objects.filter(state=job.State.QUEUED, created_at__lt=before)
    return {
        "days of sources to compact": tail.count(),
        "arrivals to parse": receipts.count(),
        "jobs to start": jobs.count(),
    }


def _first_line(error: Exception) -> str:
    """An error's reason without a trailing dot."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


CHECKS: dict[str, Check] = {
    "database": database,
    "broker": broker,
    "clock": clock,
    "migrations": migrations,
    "worker": worker,
    "jobs": jobs,
    "beat": beat,
    "backlog": backlog,
    "sources": sources,
    "disk": disk,
    "secrets": secrets,
}
SERVERS = {"database", "broker"}
NEEDS = {
    "clock": ("database", "broker"),
    "migrations": ("database",),
    "worker": ("broker",),
    "jobs": ("broker",),
    "beat": ("broker",),
    "backlog": ("database",),
    "sources": ("database",),
}
