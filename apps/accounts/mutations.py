"""Every change to people and their tokens, for the admin, the API, pages and commands alike."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypedDict, Unpack

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from knox.models import AuthToken
from knox.settings import knox_settings

from apps.accounts.models import TokenName, User
from apps.accounts.records import note
from apps.accounts.roles import Role


class Changes(TypedDict, total=False):
    """What an administrator may edit of a person."""

    email: str
    name: str
    role: str
    is_active: bool
    language: str


OF_OTHERS = frozenset({"role", "is_active"})
"""What an administrator may change of everybody but themselves."""


class TooManyTokensError(Exception):
    """The person must revoke a token before they can have another."""


def create_user(*, by: User | None, email: str, name: str = "", role: str = Role.HOMEOWNER) -> User:
    """Save a person who cannot log in until they set a password. Raises ValidationError."""
    user = User(email=email, name=name, role=role)
    user.set_unusable_password()
    _save(user, by)
    return user


@transaction.atomic
def update_user(*, user: User, by: User | None, **changes: Unpack[Changes]) -> None:
    """Save `changes` to `user`. Raises ValidationError, also when no administrator would be left.

    Nobody changes their own role or deactivates themselves: a slip would lock them out. Who is made inactive
    loses their tokens: made active again, only a log-in opens anything.
    """
    if by is not None and by.pk == user.pk and OF_OTHERS & changes.keys():
        raise ValidationError("Your own role and access only another administrator can change.")
    # Two administrators who demote each other at the same moment must not both succeed.
    list(User.objects.administrators().select_for_update().order_by("pk"))
    for field, value in changes.items():
        setattr(user, field, value)
    _save(user, by)
    if not user.is_active:
        AuthToken.objects.filter(user=user).delete()


@transaction.atomic
def set_password(*, user: User, password: str) -> None:
    """Give `user` a password; their tokens, links and other sessions end."""
    user.set_password(password)
    user.save(update_fields=["password"])
    AuthToken.objects.filter(user=user).delete()
    note(about=user, by=user, what="set a password")


@transaction.atomic
def issue_token(
    *, user: User, now: datetime, name: str = "", lasting: timedelta | None = None
) -> tuple[AuthToken, str]:
    """Make an API token that works for `lasting`, or for 90 days; its text exists nowhere else.

    Raises TooManyTokensError.
    """
    expired = Q(expiry__lte=now)
    user.auth_token_set.filter(expired).delete()  # type: ignore[attr-defined]
    if user.auth_token_set.count() >= knox_settings.TOKEN_LIMIT_PER_USER:  # type: ignore[attr-defined]
        raise TooManyTokensError
    token, text = AuthToken.objects.create(user, expiry=lasting or knox_settings.TOKEN_TTL)
    if name:
        TokenName.objects.create(token=token, name=name)
    note(about=user, by=user, what=f"API token made: {_called(token)}")
    return token, text


@transaction.atomic
def revoke_token(*, token: AuthToken, by: User) -> None:
    """Stop `token` from working at once."""
    note(about=token.user, by=by, what=f"API token revoked: {_called(token)}")
    token.delete()


def _called(token: AuthToken) -> str:
    """A token by its public beginning, and by its program where it has one."""
    name = TokenName.objects.filter(token=token).values_list("name", flat=True).first()
    return f"{token.token_key[:8]}…" + (f" for {name}" if name else "")


def _save(user: User, by: User | None) -> None:
    if user.language and user.language not in dict(settings.LANGUAGES):
        raise ValidationError({"language": f"“{user.language}” is no language that Wattdesk speaks."})
    user.full_clean(exclude=["password"])
    user._history_user = by  # type: ignore[attr-defined]  # who, in the history
    user.save()
