"""Who may speak for a house, and how often."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from threading import Lock
from typing import Any, cast

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from redis.exceptions import RedisError
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from apps.houses import credentials
from apps.houses.models import House

logger = logging.getLogger(__name__)

MINUTE = 60
LOTS = 60  # a minute's requests are taken in so many portions
MOST_CALLERS = 10_000


@dataclass(frozen=True)
class Agent:
    """The caller of the edge API: whoever holds a key of `house`. `caller` tells keys apart, and is none."""

    house: House
    caller: str
    is_authenticated: bool = True
    is_active: bool = True


class HouseKey(BaseAuthentication):
    """`Authorization: Bearer <key of a house>`."""

    def authenticate(self, request: Request) -> tuple[Any, Any]:
        scheme, _, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        house = None
        if scheme.lower() == "bearer" and key.strip():
            house = credentials.verify(key.strip(), now=timezone.now())
        if house is None:
            raise AuthenticationFailed("A valid key of a house is needed.", code="unauthorized")
        caller = hashlib.sha256(key.strip().encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return Agent(house, caller), None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="edge"'


class Allowances:
    """What each key may still send this minute without a look at the cache. Safe to share between threads."""

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


_allowances = Allowances()


class KeyThrottle(BaseThrottle):
    """So many requests a minute per key, counted in the cache for all processes together.

    Each takes a small lot of them at a time, so that most requests need no cache. Without a cache nobody
    is held up.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        caller, minute = cast(Agent, request.user).caller, int(time.time()) // MINUTE
        if _allowances.use(caller, minute):
            return True
        limit = int(settings.EDGE_REQUESTS_PER_MINUTE)
        lot = max(1, limit // LOTS)
        try:
            if _count(f"edge:{caller}:{minute}", lot) > limit:
                return False
        except (RedisError, OSError):
            logger.warning("The cache is away: edge requests are not counted.")
        _allowances.grant(caller, minute, lot - 1)
        return True

    def wait(self) -> float:
        """Seconds until the next minute begins."""
        return MINUTE - time.time() % MINUTE


def _count(key: str, requests: int) -> int:
    """Add `requests` to what was counted under `key`, and return the sum."""
    cache.add(key, 0, timeout=2 * MINUTE)
    try:
        return cache.incr(key, requests)
    except ValueError:  # evicted between the two
        return requests
