"""How often one caller may ask: so many requests a minute, counted in the cache for all processes."""

from __future__ import annotations

import logging
import time
from threading import Lock
from typing import Any

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

logger = logging.getLogger(__name__)

MINUTE = 60
LOTS = 60  # a minute's requests are taken in so many portions
MOST_CALLERS = 10_000


class Allowances:
    """What each caller may still ask this minute without a look at the cache. Safe among threads."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[int, int]] = {}
        self._lock = Lock()

    def use(self, caller: str, minute: int) -> bool:
        """Use up one request of the minute's allowance, if there is one."""
        with self._lock:
            granted, left = self._left.get(caller, (minute, 0))
            if granted != minute or left == 0:
                return False
            self._left[caller] = (minute, left - 1)
            return True

    def grant(self, caller: str, minute: int, requests: int) -> None:
        """Allow so many requests more within the minute."""
        with self._lock:
            if len(self._left) >= MOST_CALLERS:
                self._left.clear()
            self._left[caller] = (minute, requests)

    def clear(self) -> None:
        """Forget everybody's."""
        with self._lock:
            self._left.clear()


_allowances = Allowances()


class MinuteThrottle(BaseThrottle):
    """`limit()` requests a minute for each `caller()`.

    Each process takes a small lot of them at a time, so that most requests need no cache. Without a cache
    nobody is held up.
    """

    def caller(self, request: Request) -> str | None:
        """A name of who asks, which tells kinds of callers apart as well; None for no limit."""
        raise NotImplementedError

    def limit(self) -> int:
        """The requests of a minute."""
        raise NotImplementedError

    def allow_request(self, request: Request, view: Any) -> bool:
        caller, minute = self.caller(request), int(time.time()) // MINUTE
        if caller is None or _allowances.use(caller, minute):
            return True
        limit = self.limit()
        lot = max(1, limit // LOTS)
        try:
            if _count(f"{caller}:{minute}", lot) > limit:
                return False
        except (RedisError, OSError):
            logger.warning("The cache is away: requests are not counted.")
        _allowances.grant(caller, minute, lot - 1)
        return True

    def wait(self) -> float:
        """Seconds until the next minute begins."""
        return MINUTE - time.time() % MINUTE


class PersonThrottle(MinuteThrottle):
    """What one person's programs and pages may ask of the API together."""

    def caller(self, request: Request) -> str | None:
        pk = getattr(request.user, "pk", None)
        return None if pk is None else f"person:{pk}"

    def limit(self) -> int:
        return int(settings.API_REQUESTS_PER_MINUTE)


def forget() -> None:
    """Drop what this process may still allow."""
    _allowances.clear()


def _count(key: str, requests: int) -> int:
    """Add `requests` to what was counted under `key`, and return the sum."""
    cache.add(key, 0, timeout=2 * MINUTE)
    try:
        return cache.incr(key, requests)
    except ValueError:  # evicted between the two
        return requests
