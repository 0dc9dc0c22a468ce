"""People, who log in by e-mail and have one role each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from simple_history.models import HistoricalRecords

from apps.accounts.passwords import usable
from apps.accounts.roles import STAFF, Role, permits, permits_app

UNTRACKED = frozenset({"password", "last_login"})


class UserManager(BaseUserManager["User"]):
    """Users are found and stored by their e-mail in lower case."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Save a user; without a password they cannot log in until they set one."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def administrators(self) -> models.QuerySet[User]:
        """Those who are stored as active administrators."""
        return self.filter(role=Role.ADMINISTRATOR, is_active=True)

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, **{**fields, "role": Role.ADMINISTRATOR})


class User(AbstractBaseUser):
    """A person. Permissions follow from the role; houses from memberships."""

    email = models.EmailField(
        "e-mail", max_length=254, unique=True, error_messages={"unique": "This e-mail already has a user."}
    )
    name = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.HOMEOWNER)
    language = models.CharField(max_length=10, blank=True, help_text="Empty: that of the browser.")
    is_active = models.BooleanField("active", default=True, help_text="Inactive people cannot log in.")
    date_joined = models.DateTimeField("created", default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()
    history = HistoricalRecords(excluded_fields=sorted(UNTRACKED))

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = "person"
        verbose_name_plural = "people"
        ordering = ["email"]
        constraints = [
            # What makes the unique e-mail case-insensitive.
            models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_lower_case")
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        """Raises ValidationError, also when it would leave no administrator."""
        super().clean()
        self.email = self.email.strip().lower()
        if not self.is_superuser and self._is_last_administrator():
            raise ValidationError("The last administrator must stay one, and active.")

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Save; what the history leaves out makes no entry in it."""
        if update_fields is not None and UNTRACKED.issuperset(update_fields):
            self.skip_history_when_saving = True
        try:
            super().save(*args, update_fields=update_fields, **options)
        finally:
            self.__dict__.pop("skip_history_when_saving", None)

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email

    def _is_last_administrator(self) -> bool:
        return [user.pk for user in User.objects.administrators()[:2]] == [self.pk]

    def check_password(self, raw_password: str | None) -> bool:
        """Whether it is theirs. The demo's published password, even if stored, opens nothing elsewhere."""
        # In this order: a quick answer would tell that somebody of that e-mail exists.
        return super().check_password(raw_password) and usable(raw_password)

    @property
    def is_staff(self) -> bool:
        """Whether the admin site is open to them."""
        return self.is_active and self.role in STAFF

    @property
    def is_superuser(self) -> bool:
        return self.is_active and self.role == Role.ADMINISTRATOR

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return self.is_active and permits(self.role, perm)

    def has_perms(self, perm_list: Iterable[str], obj: object = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and permits_app(self.role, app_label)


class TokenName(models.Model):
    """What a person calls one of their API tokens: the program that uses it."""

    token = models.OneToOneField(
        settings.KNOX_TOKEN_MODEL, models.CASCADE, primary_key=True, related_name="label"
    )
    name = models.CharField(max_length=60)

    def __str__(self) -> str:
        return self.name
