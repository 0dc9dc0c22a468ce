"""The admin site: Unfold's, with the one log-in page, and its rights checked as everywhere else."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from csp.decorators import csp_update
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from unfold.sites import UnfoldAdminSite

View = Callable[..., HttpResponseBase]

# Unfold's Alpine evaluates the expressions in its attributes; no other page allows that.
allow_eval = csp_update({"script-src": ["'unsafe-eval'"]})


class DeskSite(UnfoldAdminSite):
    """The operators' site."""

    index_title = "Overview"

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """`view` for staff; others who are logged in are refused, and the rest logs in."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def guarded(request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path(), reverse("login"))
            if not self.has_permission(request):
                raise PermissionDenied
            if "%00" in request.META["QUERY_STRING"]:  # PostgreSQL's text has no such character
                raise BadRequest("A query holds no NUL character.")
            response: HttpResponseBase = inner(request, *args, **options)
            return response

        with_eval: View = allow_eval(guarded)
        return with_eval

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The one log-in page, which checks where `next` leads."""
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"), reverse("login"))

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The one page for it."""
        return redirect("password_change")
