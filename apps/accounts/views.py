"""The pages on which people log in, set passwords and look after their account."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.views.decorators.http import require_POST
from knox.models import AuthToken

from apps.accounts import forms, mutations
from apps.accounts.models import User


class LogIn(auth_views.LoginView):
    """The one log-in page."""

    form_class = forms.LogInForm
    redirect_authenticated_user = True


class ForgottenPassword(auth_views.PasswordResetView):
    """Mails a link to set a new password."""

    form_class = forms.ForgottenPasswordForm


class SetPassword(auth_views.PasswordResetConfirmView):
    """Where a mailed link leads; it works once."""

    form_class = forms.SetPasswordForm


class ChangePassword(auth_views.PasswordChangeView):
    """For people who know their password."""

    form_class = forms.ChangePasswordForm
    success_url = reverse_lazy("account")

    def form_valid(self, form: forms.ChangePasswordForm) -> HttpResponse:  # type: ignore[override]
        messages.success(self.request, "Your password is changed, and your API tokens are revoked.")
        return super().form_valid(form)


@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Who I am here, and the API tokens I have."""
    tokens = AuthToken.objects.filter(user=request.user).order_by("-created")
    return render(request, "registration/account.html", {"tokens": tokens})


@login_required
@require_POST
def revoke_token(request: HttpRequest, key: str) -> HttpResponseRedirect:
    """Revoke one of my tokens, found by its public beginning."""
    user = cast(User, request.user)
    mutations.revoke_token(token=get_object_or_404(AuthToken, user=user, token_key=key))
    messages.success(request, "The token is revoked.")
    return redirect("account")
