"""The one shape of an API error: {"error": {"code", "message", "field"?}}."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.views import exception_handler

# Where an answer's code is not the one Django REST framework gives.
CODES = {401: "unauthorized", 403: "forbidden"}


class ErrorDetail(serializers.Serializer[Any]):
    """What went wrong, for programs (`code`), for people (`message`), and where (`field`)."""

    code = serializers.CharField()
    message = serializers.CharField()
    field = serializers.CharField(required=False)


class ErrorAnswer(serializers.Serializer[Any]):
    """The body of every error answer, for the OpenAPI description."""

    error = ErrorDetail()


def described(*statuses: int) -> dict[int, type[ErrorAnswer]]:
    """The error answers of an endpoint, for `extend_schema(responses=…)`."""
    return dict.fromkeys(statuses, ErrorAnswer)


def body(code: str, message: str, field: str | None = None) -> dict[str, dict[str, str]]:
    """The JSON body of an error answer."""
    error = {"code": code, "message": message}
    return {"error": error if field is None else {**error, "field": field}}


def answer(status: int, code: str, message: str, field: str | None = None) -> Response:
    """An error answer."""
    return Response(body(code, message, field), status=status)


def refusal(field: str, code: str, message: str) -> exceptions.ValidationError:
    """What to raise for a parameter that cannot be taken: a 400 of our shape."""
    return exceptions.ValidationError({field: exceptions.ErrorDetail(message, code)})


def handler(exception: Exception, context: dict[str, Any]) -> Response | None:
    """Give Django REST framework's own errors our shape, keeping status and headers."""
    exception = _as_api_exception(exception)
    response = exception_handler(exception, context)
    if response is None or not isinstance(exception, exceptions.APIException):
        return None
    path, detail = _first(exception.detail)
    code = CODES.get(response.status_code) or str(getattr(detail, "code", "error"))
    if isinstance(exception, exceptions.ParseError):
        code = "malformed"
    response.data = body(code, str(detail), ".".join(path) or None)
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The 400 of requests that Django refuses before any view: JSON under /api/, a page elsewhere."""
    if request.path.startswith("/api/"):
        return JsonResponse(body("bad_request", "The request cannot be served as it is."), status=400)
    return defaults.bad_request(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The 404 of addresses that lead nowhere: JSON under /api/, a page elsewhere."""
    if request.path.startswith("/api/"):
        return JsonResponse(body("not_found", "There is nothing at this address."), status=404)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """The 500 of faults of ours: JSON under /api/, a page elsewhere."""
    if request.path.startswith("/api/"):
        return JsonResponse(body("server_error", "Something broke on our side."), status=500)
    return defaults.server_error(request)


class TooLarge(exceptions.APIException):
    """The body is over the limit."""

    status_code = 413
    default_code = "too_large"
    default_detail = "The body is too large."


def _as_api_exception(exception: Exception) -> Exception:
    if isinstance(exception, RequestDataTooBig):
        return TooLarge()
    if isinstance(exception, Http404):
        return exceptions.NotFound()
    if isinstance(exception, PermissionDenied):
        return exceptions.PermissionDenied()
    return exception


def _first(detail: Any) -> tuple[list[str], Any]:
    """The path to the first message of a detail, which may be nested lists and dicts, and the message."""
    if isinstance(detail, dict):
        name, inner = next((name, inner) for name, inner in detail.items() if inner)
        path, message = _first(inner)
        return ([] if name == "non_field_errors" else [str(name)]) + path, message
    if isinstance(detail, list):
        place, inner = next((place, inner) for place, inner in enumerate(detail) if inner)
        path, message = _first(inner)
        # A list of messages has no places worth telling; a list of items has.
        return ([str(place)] if isinstance(inner, dict) else []) + path, message
    return [], detail
