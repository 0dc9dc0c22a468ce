"""What happens after too many wrong passwords: whom the failures count against, and what they see."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_cool_off
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from apps.accounts import errors


def username(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """The e-mail tried, in the one spelling that failures are counted under."""
    given = credentials or request.POST
    return str(given.get("username") or given.get("email") or "").strip().lower()


def address(request: HttpRequest) -> str | None:
    """Where a request comes from: what our own proxy says last, else the other end of the connection.

    What stands before it in X-Forwarded-For, or there without a proxy of ours, is anybody's invention.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.BEHIND_PROXY else ""
    told = (forwarded.rpartition(",")[2].strip(), request.META.get("REMOTE_ADDR", ""))
    return next(filter(_is_address, told), None)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def lasts_until(failures: int, at: datetime) -> datetime | None:
    """Until when so many failures, the last of them `at`, keep the log-in shut; None when they do not."""
    return at + get_cool_off() if failures >= settings.AXES_FAILURE_LIMIT else None


def unlock(*, username: str | None, address: str | None) -> None:
    """Forget the failures of an e-mail from an address, so that it can be tried again at once."""
    AxesProxyHandler.reset_attempts(username=username, ip_address=address)


def answer(
    request: HttpRequest, original: HttpResponse | None, credentials: Mapping[str, Any] | None
) -> HttpResponse:
    """429, as a page or as an API error, and when to try again."""
    wait: timedelta = get_cool_off(request)
    minutes = math.ceil(wait / timedelta(minutes=1))
    if request.path.startswith("/api/"):
        response: HttpResponse = JsonResponse(errors.body("locked_out", _sentence(minutes)), status=429)
    else:
        response = render(request, "registration/locked_out.html", {"minutes": minutes}, status=429)
    response["Retry-After"] = str(int(wait.total_seconds()))
    return response


def _sentence(minutes: int) -> str:
    return f"Too many wrong passwords. Try again in {minutes} minutes."
