"""`POST /api/v1/loggers/acquisuite/`: where loggers send their files. Every answer is plain text."""

from __future__ import annotations

import logging
from typing import Any

from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.accounts.lockout import address
from apps.meters.acquisuite import description, forms, modes
from apps.meters.acquisuite.replies import RefusedError, Reply, content, failure

logger = logging.getLogger(__name__)

AWAY = (OperationalError, InterfaceError, IntegrityError)
"""What passes: the database is away, or a house is deleted while its logger sends."""
HELLO = "Loggers of the AcquiSuite family send their files to this address by POST.\n"


class _Whatever(BaseContentNegotiation):
    """Loggers get plain text, whatever they say they accept."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], "text/plain"


class AcquiSuite(APIView):
    """The address that loggers are given as their upload URL."""

    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_classes = []
    content_negotiation_class = _Whatever

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """For people who try the address in a browser."""
        return _respond(content(HELLO))

    @extend_schema(**description.UPLOAD)
    def post(self, request: Request) -> HttpResponse:
        """Take what a logger sends. After `SUCCESS` the logger deletes its copy."""
        try:
            form = forms.read(request._request)
            reply = modes.answer(form, address=address(request._request), now=timezone.now())
        except RefusedError as refused:
            reply = refused.reply
        except AWAY as error:
            logger.warning("A logger's request could not be served: %s", error)
            reply = failure(503, "nothing can be stored at the moment", seconds=60)
        except Exception:
            logger.exception("A logger's request could not be served")
            reply = failure(500, "something broke here")
        return _respond(reply)

    def http_method_not_allowed(self, request: Request, *args: Any, **options: Any) -> HttpResponse:  # type: ignore[override]
        """Failure as loggers understand it."""
        response = _respond(failure(405, "files are sent by POST"))
        response["Allow"] = ", ".join(self.allowed_methods)
        return response


def _respond(reply: Reply) -> HttpResponse:
    """A configuration file goes out byte by byte as it came in, so bodies are bytes in Latin-1."""
    body = reply.text.encode("latin-1", "replace")
    response = HttpResponse(body, status=reply.status, content_type="text/plain; charset=utf-8")
    response["Content-Length"] = str(len(body))
    response["Cache-Control"] = "no-store"
    if reply.status == 401:
        response["WWW-Authenticate"] = 'Basic realm="Wattdesk loggers"'
    if reply.seconds is not None:
        response["Retry-After"] = str(reply.seconds)
    return response
