"""The edge API: agents deliver readings and events, fetch and acknowledge devices, obey commands."""

from __future__ import annotations

import logging
from typing import Any, cast

import msgspec
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import HttpResponseBase, UnreadablePostError
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.crypto import salted_hmac
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException, AuthenticationFailed, NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.devices import commands
from apps.devices.edge import configuration, description, ingest, outcomes, units
from apps.devices.edge.access import Agent, HouseKey, KeyThrottle, OnlyJson
from apps.devices.edge.body import LIMIT, MalformedError, TooLargeError, inflate, open_envelope
from apps.devices.models import Command
from apps.houses.models import House
from apps.readings import store

logger = logging.getLogger(__name__)


class Malformed(APIException):
    status_code = 400
    default_code = "malformed"


class TooLarge(APIException):
    status_code = 413
    default_code = "too_large"


class Unavailable(APIException):
    """Nothing was stored; sending the same again later is right and harmless."""

    status_code = 503
    default_detail = "The server cannot store anything at the moment. Try again soon."
    default_code = "unavailable"
    wait = 10  # seconds, for Retry-After


AWAY = (OperationalError, InterfaceError, IntegrityError, store.UnknownSource)
"""What passes: the database is away, or a source was deleted while readings for it were stored."""


class EdgeView(APIView):
    """A view for agents: house credentials, and errors that tell an agent what to do with its data."""

    authentication_classes = [HouseKey]
    throttle_classes = [KeyThrottle]
    content_negotiation_class = OnlyJson

    def house(self) -> House:
        """The house whose key the request carries."""
        return cast(Agent, self.request.user).house

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(_as_answer(exc))


def _as_answer(error: Exception) -> Exception:
    if isinstance(error, MalformedError):
        return Malformed(str(error))
    if isinstance(error, UnreadablePostError):
        return Malformed("The body ended too early.")
    if isinstance(error, TooLargeError):
        return TooLarge(str(error))
    if isinstance(error, ingest.GoneError):
        return AuthenticationFailed(code="unauthorized")
    if isinstance(error, AWAY):
        logger.warning("An edge request could not be served: %s", error)
        return Unavailable()
    return error


class Readings(EdgeView):
    """`POST edge/readings/`."""

    @extend_schema(**description.READINGS)
    def post(self, request: Request) -> Response:
        """Take in readings and events. What cannot be stored is told in `refused`; the rest is on disk."""
        envelope = open_envelope(_body(request))
        now, house = timezone.now(), self.house()
        receipt = ingest.receive(house=house, envelope=envelope, received_at=now)
        units.note(house=house, about=units.About.read(envelope.agent), now=now)
        return Response(receipt.answer())


class Config(EdgeView):
    """`GET edge/config/`."""

    @extend_schema(**description.CONFIG)
    def get(self, request: Request) -> HttpResponseBase:
        """The devices the agent should read, secrets in clear. 304 when `If-None-Match` names this answer."""
        house = self.house()
        units.note(house=house, about=units.About(), now=timezone.now())
        content = configuration.of(house)
        etag = f'"{_tag(content)}"'
        response = Response(content, headers={"ETag": etag, "Cache-Control": "no-store"})
        return cast(HttpResponseBase, get_conditional_response(request, etag=etag, response=response))


class ConfigAck(EdgeView):
    """`POST edge/config/ack/`."""

    @extend_schema(**description.ACK)
    def post(self, request: Request) -> Response:
        """Note which device list the agent uses. An acknowledgement of an older one changes nothing."""
        now, house = timezone.now(), self.house()
        units.acknowledge(house=house, ack=units.read_ack(_body(request)), now=now)
        units.note(house=house, about=units.About(), now=now)
        return Response({"status": "ok"})


class Commands(EdgeView):
    """`GET edge/commands/`."""

    @extend_schema(**description.COMMANDS)
    def get(self, request: Request) -> Response:
        """What the devices of the house are told to do, and until when."""
        now, house = timezone.now(), self.house()
        units.note(house=house, about=units.About(), now=now)
        return Response(commands.fetch(house=house, now=now), headers={"Cache-Control": "no-store"})


class CommandResult(EdgeView):
    """`POST edge/commands/<id>/result/`."""

    @extend_schema(**description.RESULT)
    def post(self, request: Request, command_id: int) -> Response:
        """Note what became of a command. Repeats change nothing."""
        now, house = timezone.now(), self.house()
        result = outcomes.read(_body(request))
        try:
            commands.finish(
                house=house, command_id=command_id, state=result.state, message=result.message, now=now
            )
        except Command.DoesNotExist:
            raise NotFound(f"The house has no command {command_id}.") from None
        units.note(house=house, about=units.About(), now=now)
        return Response({"status": "ok"})


def _body(request: Request) -> bytes:
    """The body, inflated. Raises MalformedError and TooLargeError before memory is used up."""
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        raise MalformedError("Content-Encoding can be gzip, or nothing.")
    stream: Any = request.stream
    body = b"" if stream is None else stream.read(LIMIT + 1)
    if len(body) > LIMIT:
        raise TooLargeError(f"The body has more than {LIMIT:,} bytes.")
    return inflate(body) if encoding == "gzip" else body


def _tag(content: dict[str, Any]) -> str:
    """A name of the answer that tells nothing of the secrets in it."""
    return salted_hmac("edge-config", msgspec.json.encode(content), algorithm="sha256").hexdigest()[:32]
