"""The pages on which people log in, set passwords and look after their account."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from knox.models import AuthToken

from apps.accounts import forms, languages, mutations, once
from apps.accounts.models import User

NEW_TOKEN = "new-api-token"  # noqa: S105  where it is kept


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
        messages.success(self.request, _("Your password is changed, and your API tokens are revoked."))
        return super().form_valid(form)


@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Who I am here, and the API tokens I have; a new one is shown once."""
    return _account(request, new_token=once.take(request, NEW_TOKEN))


@login_required
@require_POST
def rename(request: HttpRequest) -> HttpResponse:
    """Change what I am called."""
    # A person of its own: the form writes even a name it refuses into the one it is given.
    form = forms.NameForm(request.POST, instance=User.objects.get(pk=cast(User, request.user).pk))
    if not form.is_valid():
        return _account(request, name_form=form)
    form.save()
    messages.success(request, _("Your name is saved."))
    return redirect("account")


@login_required
@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Choose in which language I am spoken to."""
    form = forms.LanguageForm(request.POST)
    if not form.is_valid():
        return _account(request, language_form=form)
    user = cast(User, request.user)
    mutations.update_user(user=user, by=user, language=form.cleaned_data["language"])
    with languages.spoken_to(user):
        messages.success(request, _("Your language is saved."))
    return redirect("account")


@login_required
@require_POST
def make_token(request: HttpRequest) -> HttpResponse:
    """Make one of my API tokens; the page after shows it, once."""
    form = forms.TokenForm(request.POST)
    if not form.is_valid():
        return _account(request, token_form=form)
    user = cast(User, request.user)
    try:
        _token, text = mutations.issue_token(
            user=user, now=timezone.now(), name=form.cleaned_data["name"], lasting=form.lasting
        )
    except mutations.TooManyTokensError:
        form.add_error(None, _("You have as many tokens as one can have. Revoke one first."))
        return _account(request, token_form=form)
    once.keep(request, NEW_TOKEN, text)
    return redirect("account")


@login_required
@require_POST
def revoke_token(request: HttpRequest, key: str) -> HttpResponseRedirect:
    """Revoke one of my tokens, found by its public beginning."""
    user = cast(User, request.user)
    mutations.revoke_token(token=get_object_or_404(AuthToken, user=user, token_key=key), by=user)
    messages.success(request, _("The token is revoked."))
    return redirect("account")


def _account(
    request: HttpRequest,
    *,
    name_form: forms.NameForm | None = None,
    language_form: forms.LanguageForm | None = None,
    token_form: forms.TokenForm | None = None,
    new_token: str | None = None,
) -> HttpResponse:
    user = cast(User, request.user)
    context = {
        "name_form": name_form or forms.NameForm(instance=user),
        "language_form": language_form or forms.LanguageForm(initial={"language": user.language}),
        "languages": languages.known(),
        "token_form": token_form or forms.TokenForm(),
        "new_token": new_token,
        "tokens": AuthToken.objects.filter(user=user).select_related("label").order_by("-created"),
    }
    return render(request, "registration/account.html", context)
