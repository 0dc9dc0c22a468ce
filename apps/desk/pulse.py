"""Signs of life of workers and beat, in Redis, so that any machine can look for them.

Each says that it lives at most every ten seconds: one small command, no database. Ages are counted by Redis,
so that no two clocks have to agree.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django_celery_beat.schedulers import DatabaseScheduler
from redis import Redis, RedisError

from config.celery import app

logger = logging.getLogger(__name__)

WORKER, JOBS, BEAT = NAMES = ("worker", "jobs", "beat")
QUEUES = {"celery": WORKER, "long": JOBS}
"""What a worker is called that takes from a queue."""
EVERY_S = 10
LATE_S = 60
KEPT_S = 86_400
TIMEOUT_S = 1
_given: dict[str, float] = {}


class Scheduler(DatabaseScheduler):
    """Beat's scheduler, which looks at its schedule every few seconds, and says so."""

    def tick(self, *args: Any, **options: Any) -> float:
        """One look; returns the seconds until the next."""
        give(BEAT)
        seconds: float = super().tick(*args, **options)
        return seconds


def worker_lives(**_: Any) -> None:
    """For Celery's signal of a worker's heartbeat: of one that takes from both queues, both."""
    for queue in QUEUES.keys() & app.amqp.queues.consume_from.keys():
        give(QUEUES[queue])


def give(name: str) -> None:
    """Say that this process lives, unless it said so just now. That Redis is away is no reason to stop."""
    now = time.monotonic()
    if now - _given.get(name, -EVERY_S) < EVERY_S:
        return
    _given[name] = now
    try:
        with connect() as redis:
            redis.set(_key(name), 1, ex=KEPT_S)
    except RedisError as error:
        logger.warning("No sign of life could be given: %s", error)


def ages() -> Mapping[str, float | None]:
    """Seconds since the last sign of each of NAMES, None for none in a day. Raises RedisError."""
    with connect() as redis, redis.pipeline(transaction=False) as pipeline:
        for name in NAMES:
            pipeline.pttl(_key(name))
        left = pipeline.execute()
    return {name: KEPT_S - ms / 1000 if ms >= 0 else None for name, ms in zip(NAMES, left, strict=True)}


def is_late(age: float | None) -> bool:
    """Whether a sign of life is too old to count."""
    return age is None or age > LATE_S


def connect() -> Redis:
    """A connection that gives up soon."""
    return Redis.from_url(settings.REDIS_URL, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S)


def _key(name: str) -> str:
    return f"wattdesk:pulse:{name}"
