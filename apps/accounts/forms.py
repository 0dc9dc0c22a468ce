"""The forms people log in with and set passwords with."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth import forms as auth_forms
from django.core.cache import cache
from django.utils.translation import gettext_lazy as _
from redis import RedisError

from apps.accounts import languages, links, mutations
from apps.accounts.models import User

logger = logging.getLogger(__name__)

RESET_EVERY_S = 60  # a person is mailed at most one reset link in this time


class LogInForm(auth_forms.AuthenticationForm):
    """E-mail and password."""

    username = auth_forms.UsernameField(
        label=_("E-mail"), widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"})
    )
    error_messages = {
        "invalid_login": _("That e-mail and password do not match."),
        "inactive": _("That e-mail and password do not match."),
    }


class ForgottenPasswordForm(auth_forms.PasswordResetForm):
    """Asks for a link by e-mail; the answer is the same whether or not the person exists."""

    email = forms.EmailField(
        label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )

    def save(self, *args: Any, **options: Any) -> None:
        """Mail the link, to people who never set a password too: their invitation may have expired."""
        email = self.cleaned_data["email"].strip().lower()
        user = User.objects.filter(email=email, is_active=True).first()
        if user is None or not _first_for_a_while(user):
            return
        try:
            links.send_reset(user=user)
        except OSError:
            logger.exception("The password link for user %s could not be mailed", user.pk)


def _first_for_a_while(user: User) -> bool:
    """Whether no link was mailed just now; without a cache, better one too many than none."""
    try:
        return cache.add(f"password-reset:{user.pk}", True, RESET_EVERY_S)
    except RedisError:
        return True


class SetPasswordForm(auth_forms.SetPasswordForm):  # type: ignore[type-arg]  # no generic at run time
    """A first or a new password, by link."""

    user: User

    def save(self, commit: bool = True) -> User:
        mutations.set_password(user=self.user, password=self.cleaned_data["new_password1"])
        return self.user


class ChangePasswordForm(auth_forms.PasswordChangeForm):
    """A new password in exchange for the old one."""

    user: User

    def save(self, commit: bool = True) -> User:
        mutations.set_password(user=self.user, password=self.cleaned_data["new_password1"])
        return self.user


class NameForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """What I am called."""

    class Meta:
        model = User
        fields = ["name"]
        labels = {"name": _("Name")}
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}

    def save(self, commit: bool = True) -> User:
        user: User = self.instance
        mutations.update_user(user=user, by=user, name=self.cleaned_data["name"])
        return user


class LanguageForm(forms.Form):
    """In which language I am spoken to."""

    language = forms.ChoiceField(label=_("Language"), required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        choices = [("", _("as the browser asks")), *languages.known().items()]
        self.fields["language"].choices = choices  # type: ignore[attr-defined]


class TokenForm(forms.Form):
    """A new API token: what it is for, and for how long."""

    name = forms.CharField(
        label=_("For which program"), max_length=60, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    days = forms.TypedChoiceField(
        label=_("Works for"),
        coerce=int,
        initial=90,
        choices=[(30, _("30 days")), (90, _("90 days")), (365, _("a year"))],
    )

    @property
    def lasting(self) -> timedelta:
        """How long the token works."""
        return timedelta(days=self.cleaned_data["days"])
