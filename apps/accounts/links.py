"""One-time links to set a password, and the mails that carry them.

A link works for three days (PASSWORD_RESET_TIMEOUT), until a password is set or the person logs in.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext, gettext_noop

from apps.accounts.languages import spoken_to
from apps.accounts.models import User


def set_password_url(user: User) -> str:
    """The address, as others reach this server, where `user` sets a password once."""
    token = default_token_generator.make_token(user)
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return f"{settings.PUBLIC_URL}{reverse('password_reset_confirm', args=[uid, token])}"


def send_invitation(*, user: User) -> None:
    """Mail a new person their link. Raises OSError (smtplib's errors are some) when it cannot be sent."""
    _send(user, gettext_noop("Welcome to Wattdesk: set your password"), "registration/invitation_email.txt")


def send_reset(*, user: User) -> None:
    """Mail a person who forgot their password a link. Raises OSError when it cannot be sent."""
    _send(user, gettext_noop("Set a new Wattdesk password"), "registration/password_reset_email.txt")


def _send(user: User, subject: str, template: str) -> None:
    context = {
        "user": user,
        "link": set_password_url(user),
        "days": settings.PASSWORD_RESET_TIMEOUT // 86400,
    }
    with spoken_to(user):
        subject, body = gettext(subject), render_to_string(template, context)
    send_mail(subject, body, None, [user.email])
