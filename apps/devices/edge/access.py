"""Who may speak for a house, and how often."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from typing import Any

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


class KeyThrottle(BaseThrottle):
    """So many requests a minute per key, counted in the cache. Without a cache nobody is held up."""

    def allow_request(self, request: Request, view: Any) -> bool:
        agent: Any = request.user
        minute = int(time.time()) // MINUTE
        try:
            count = _count(f"edge:{agent.caller}:{minute}")
        except (RedisError, OSError):
            logger.warning("The cache is away: edge requests are not counted.")
            return True
        return count <= int(settings.EDGE_REQUESTS_PER_MINUTE)

    def wait(self) -> float:
        """Seconds until the next minute begins."""
        return MINUTE - time.time() % MINUTE


def _count(key: str) -> int:
    """How often this was called with `key`, now included."""
    cache.add(key, 0, timeout=2 * MINUTE)
    try:
        return cache.incr(key)
    except ValueError:  # evicted between the two
        return 1
