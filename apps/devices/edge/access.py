"""Who may speak for a house, and how often."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, cast

from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request

from apps.accounts.throttles import MinuteThrottle
from apps.houses import credentials
from apps.houses.models import House


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


class OnlyJson(BaseContentNegotiation):
    """Answers are JSON whatever the agent says it accepts."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class KeyThrottle(MinuteThrottle):
    """So many requests a minute per key."""

    def caller(self, request: Request) -> str:
        return f"edge:{cast(Agent, request.user).caller}"

    def limit(self) -> int:
        return int(settings.EDGE_REQUESTS_PER_MINUTE)
