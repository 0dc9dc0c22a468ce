"""Where people say whether they want mails about alerts."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.accounts.models import User
from apps.alerts import mails


@login_required
@require_http_methods(["GET", "POST"])
def alert_mails(request: HttpRequest) -> HttpResponse:
    """Show whether I get mails, and change it. For operators and administrators."""
    user = cast(User, request.user)
    if not user.has_perm("alerts.view_alert"):
        raise PermissionDenied
    if request.method == "POST":
        wanted = request.POST.get("wanted") == "yes"
        mails.set_wish(user=user, wanted=wanted)
        messages.success(request, f"You get {'mails' if wanted else 'no mails'} about alerts.")
        return redirect("alert_mails")
    return render(request, "alerts/mails.html", {"wanted": mails.wants_mails(user)})
