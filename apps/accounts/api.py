"""API tokens for people: `POST /api/v1/auth/token/` makes one, DELETE revokes the one it is sent with."""

from __future__ import annotations

import logging
from typing import Any, cast

from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from knox.models import AuthToken
from redis import RedisError
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from apps.accounts import errors, lockout, mutations
from apps.accounts.access import PersonToken
from apps.accounts.models import User

logger = logging.getLogger(__name__)


class Credentials(serializers.Serializer[Any]):
    """What a person logs in with."""

    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(trim_whitespace=False, style={"input_type": "password"})
    name = serializers.CharField(
        max_length=60, required=False, help_text="Which program it is for; shown beside it."
    )


class TokenAnswer(serializers.Serializer[Any]):
    """A new token; it is shown this once."""

    token = serializers.CharField()
    expires_at = serializers.IntegerField(allow_null=True, help_text="Unix ms")


class LogInThrottle(SimpleRateThrottle):
    """Attempts per address, whoever they are for; lock-out per person comes on top."""

    scope = "log_in"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """None, meaning no limit, for revoking."""
        if request.method != "POST":
            return None
        return self.cache_format % {"scope": self.scope, "ident": lockout.address(request._request)}

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Whether the address has attempts left. Without a cache nobody is held up; lock-out needs none."""
        try:
            return bool(super().allow_request(request, view))
        except RedisError:
            logger.warning("The cache is away: log-in attempts are not counted.")
            return True


class TokenView(APIView):
    """Make and revoke API tokens."""

    authentication_classes = [PersonToken]
    throttle_classes = [LogInThrottle]

    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny()] if self.request.method == "POST" else [IsAuthenticated()]

    def perform_authentication(self, request: Request) -> None:
        """An outworn token in the header must not keep anybody from getting a new one."""
        if request.method != "POST":
            super().perform_authentication(request)

    @extend_schema(
        summary="Make an API token",
        request=Credentials,
        responses={200: TokenAnswer, **errors.described(400, 401, 409, 415, 429)},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Send it as `Authorization: Token …`."""
        credentials = Credentials(data=request.data)
        credentials.is_valid(raise_exception=True)
        name = credentials.validated_data.pop("name", "")
        user = _log_in(request, **credentials.validated_data)
        try:
            token, text = mutations.issue_token(user=user, now=timezone.now(), name=name)
        except mutations.TooManyTokensError:
            return errors.answer(409, "too_many_tokens", "Revoke a token before making another.")
        return Response({"token": text, "expires_at": _ms(token)})

    @extend_schema(
        summary="Revoke the token this is sent with",
        request=None,
        responses={204: None, **errors.described(401)},
    )
    def delete(self, request: Request) -> Response:
        """It stops working at once."""
        mutations.revoke_token(token=cast(AuthToken, request.auth), by=cast(User, request.user))
        return Response(status=204)


def _log_in(request: Request, email: str, password: str) -> User:
    # Axes counts on Django's own request, and answers 429 from its middleware once somebody is locked out.
    user = authenticate(request._request, username=email, password=password)
    if not isinstance(user, User):
        raise AuthenticationFailed("That e-mail and password do not match.")
    user_logged_in.send(sender=User, request=request._request, user=user)
    return user


def _ms(token: AuthToken) -> int | None:
    return None if token.expiry is None else int(token.expiry.timestamp() * 1000)
