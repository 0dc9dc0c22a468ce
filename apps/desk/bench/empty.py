"""The site's addresses, and beside them an empty page: what this Django costs whatever is shown."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from config.urls import handler400, handler404, handler500

__all__ = ["handler400", "handler404", "handler500", "urlpatterns"]

EMPTY, KNOWN = "/empty/", "/empty/known/"


def empty(request: HttpRequest) -> HttpResponse:
    """A page with nothing in it, for anybody."""
    return HttpResponse("<!doctype html><title>Empty</title>")


urlpatterns = [
    path(EMPTY[1:], empty),
    path(KNOWN[1:], login_required(empty)),
    path("", include("config.urls")),
]
