"""The one shape of an API error: {"error": {"code", "message", "field"?}}."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response
from rest_framework.views import exception_handler


def body(code: str, message: str, field: str | None = None) -> dict[str, dict[str, str]]:
    """The JSON body of an error answer."""
    error = {"code": code, "message": message}
    return {"error": error if field is None else {**error, "field": field}}


def handler(exception: Exception, context: dict[str, Any]) -> Response | None:
    """Give Django REST framework's own errors our shape, keeping status and headers."""
    response = exception_handler(exception, context)
    if response is None:
        return None
    field, detail = _first(getattr(exception, "detail", str(exception)))
    response.data = body(getattr(detail, "code", "error"), str(detail), field)
    return response


def _first(detail: Any) -> tuple[str | None, Any]:
    """The first message of a detail that may be text, a list or {field: messages}."""
    if isinstance(detail, dict):
        field, inner = next(iter(detail.items()))
        return (None if field == "non_field_errors" else field), _first(inner)[1]
    if isinstance(detail, list):
        return _first(detail[0])
    return None, detail
