"""The pages of houses: composed of the panels that apps registered, refreshed through one JSON answer."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from apps.accounts import errors
from apps.accounts.models import User
from apps.houses.models import House
from apps.houses.panels import LiveData, panels


class PersonRequest(HttpRequest):
    """A request of somebody logged in."""

    user: User


@require_safe
@login_required
def home(request: PersonRequest) -> HttpResponse:
    """The first house the visitor may see, or whom to turn to when there is none."""
    house = House.objects.visible_to(request.user).first()
    if house is None:
        return render(request, "desk/no_house.html")
    return _page(request, house)


@require_safe
@login_required
def house_page(request: PersonRequest, house_id: int) -> HttpResponse:
    """One house; 404 for whoever is no member of it."""
    return _page(request, get_object_or_404(House.objects.visible_to(request.user), pk=house_id))


@require_safe
@gzip_page
def house_live(request: HttpRequest, house_id: int) -> HttpResponse:
    """What the page of a house refreshes: `now` (ms) and the panels' own keys. 304 while nothing changed."""
    user = request.user
    if not isinstance(user, User):
        return JsonResponse(errors.body("unauthorized", "Log in to see this house."), status=401)
    house = House.objects.visible_to(user).filter(pk=house_id).first()
    if house is None:
        return JsonResponse(errors.body("not_found", "There is no such house."), status=404)
    now = timezone.now()
    parts = [panel.live(house, user, now) for panel in panels() if panel.live]
    return _unless_known(request, parts, now)


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Where browsers look for the icon on pages that name none."""
    return redirect(static("favicon.svg"))


def _page(request: PersonRequest, house: House) -> HttpResponse:
    now = timezone.now()
    context = {"house": house, "now": now, "panels": _rendered(request, house, now)}
    return render(request, "desk/house.html", context)


def _rendered(request: PersonRequest, house: House, now: datetime) -> list[str]:
    """The HTML of each panel that has something to show."""
    contexts = ((panel.template, panel.context(house, request.user, now)) for panel in panels())
    return [
        render_to_string(template, {"house": house, **context}, request)
        for template, context in contexts
        if context is not None
    ]


def _unless_known(request: HttpRequest, parts: list[LiveData], now: datetime) -> HttpResponse:
    etag = _etag(parts)
    response = get_conditional_response(request, etag=etag)
    if not isinstance(response, HttpResponseNotModified):
        response = JsonResponse(_merged(parts, now), json_dumps_params={"allow_nan": False})
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _etag(parts: list[LiveData]) -> str:
    """A tag that differs whenever a part's version does."""
    versions = "\n".join(part.version for part in parts)
    return f'"{hashlib.sha256(versions.encode()).hexdigest()[:32]}"'


def _merged(parts: list[LiveData], now: datetime) -> dict[str, Any]:
    answer: dict[str, Any] = {"now": round(now.timestamp() * 1000)}
    for part in parts:
        answer.update(part.data())
    return answer
