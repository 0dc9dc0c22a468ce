"""The pages of houses: composed of the panels that apps registered, refreshed through one JSON answer."""

from __future__ import annotations

import re
from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.views.decorators.http import require_safe

from apps.accounts import errors
from apps.accounts.models import User
from apps.desk import live
from apps.houses.models import House
from apps.houses.panels import panels

ON_A_PAGE = 100
_ACCEPTS_GZIP = re.compile(r"\bgzip\b")


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
@login_required
def houses(request: PersonRequest) -> HttpResponse:
    """All houses the visitor may see, to search in, for those who have more than a menu holds."""
    query = request.GET.get("q", "").replace("\0", "").strip()
    found = House.objects.visible_to(request.user)
    if query:
        found = found.filter(Q(name__icontains=query) | Q(label__icontains=query))
    page = Paginator(found, ON_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "desk/houses.html", {"page": page, "query": query})


@require_safe
def house_live(request: HttpRequest, house_id: int) -> HttpResponse:
    """What the page of a house refreshes: `now` (ms) and the panels' own keys. 304 while nothing changed."""
    user = request.user
    if not isinstance(user, User):
        return JsonResponse(errors.body("unauthorized", "Log in to see this house."), status=401)
    house = House.objects.visible_to(user).filter(pk=house_id).first()
    if house is None:
        return JsonResponse(errors.body("not_found", "There is no such house."), status=404)
    now = timezone.now()
    return _unless_known(request, live.of(house=house, user=user, now=now), now)


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


def _unless_known(request: HttpRequest, answer: live.Answer, now: datetime) -> HttpResponse:
    response = get_conditional_response(request, etag=answer.etag)
    if not isinstance(response, HttpResponseNotModified):
        packed = bool(_ACCEPTS_GZIP.search(request.headers.get("Accept-Encoding", "")))
        body = answer.body(now, packed=packed)
        response = HttpResponse(body, content_type="application/json")
        if packed:
            response.headers["Content-Encoding"] = "gzip"
    patch_vary_headers(response, ["Accept-Encoding"])
    response.headers["ETag"] = answer.etag
    response.headers["Cache-Control"] = "private, no-cache"
    return response
