"""In which language a person is spoken to: the one they chose, else their browser's, as far as we speak it.

The admin is English for all: its words are the operators' own, and half a translation helps nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import translation
from django.utils.cache import patch_vary_headers

from apps.accounts.models import User

GetResponse = Callable[[HttpRequest], HttpResponse]


def known() -> dict[str, str]:
    """The languages that people may choose, by code, each by its own name."""
    return dict(settings.LANGUAGES)


def of(user: User) -> str:
    """The language to write mails to `user` in."""
    return user.language if user.language in known() else settings.LANGUAGE_CODE


def spoken_to(user: User) -> AbstractContextManager[None]:
    """Text that is made inside is in the language of `user`."""
    return translation.override(of(user))


def middleware(get_response: GetResponse) -> GetResponse:
    """Answer in the language of who asks."""

    def speaking(request: HttpRequest) -> HttpResponse:
        if len(known()) == 1:
            return get_response(request)
        with translation.override(_asked_for(request)):
            response = get_response(request)
        patch_vary_headers(response, ["Accept-Language"])
        return response

    return speaking


def _asked_for(request: HttpRequest) -> str:
    if request.path_info.startswith(reverse("admin:index")):
        return settings.LANGUAGE_CODE
    user = request.user
    if isinstance(user, User) and user.language in known():
        return user.language
    return translation.get_language_from_request(request)
