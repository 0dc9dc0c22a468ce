"""Two stacks of middleware: people's requests pass all of it, those of machines what they need.

Sessions, messages, CSRF cookies, content policies and frame options are about browsers. A logger or an agent
has none of that, and posts day and night, so its requests pass `MACHINE_MIDDLEWARE` alone. Which addresses
are for machines is said once, in `settings.MACHINE_PATHS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class TwoStacks(BaseHandler):
    """To be mixed into a handler of Django's: chooses the stack by the path of the request."""

    _middleware_chain: Any
    _get_response: Any

    def load_middleware(self, is_async: bool = False) -> None:
        """Build both stacks. Views without CSRF exemption stay refused to machines' posts, as to any."""
        super().load_middleware(is_async)
        people: GetResponse = self._middleware_chain
        machines = self._stack(settings.MACHINE_MIDDLEWARE)
        self._middleware_chain = lambda request: (machines if is_for_machines(request) else people)(request)

    def _stack(self, paths: Sequence[str]) -> GetResponse:
        stack: Any = convert_exception_to_response(self._get_response)
        for path in reversed(paths):
            stack = convert_exception_to_response(import_string(path)(stack))
        return cast(GetResponse, stack)


class Application(TwoStacks, WSGIHandler):
    """Django's WSGI application, with two stacks."""


def is_for_machines(request: HttpRequest) -> bool:
    """Whether the request goes to an address that only machines speak to."""
    return request.path_info.startswith(settings.MACHINE_PATHS)
