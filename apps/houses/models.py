"""Houses, who belongs to them, and the credentials of their edge agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from simple_history.models import HistoricalRecords

from apps.houses.names import validate_time_zone

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from apps.accounts.models import User


class HouseQuerySet(models.QuerySet["House"]):
    def visible_to(self, user: User | AnonymousUser) -> HouseQuerySet:
        """The houses `user` may know of: all for an administrator, else those of their memberships."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        return self.filter(memberships__user=user)


class House(models.Model):
    """A metered place: a home, a building, a minigrid plant."""

    name = models.CharField(
        max_length=64,
        unique=True,
        validators=[
            RegexValidator(
                r"\A[A-Za-z0-9][A-Za-z0-9_-]*\Z",
                "Use letters, digits, “-” and “_”, beginning with a letter or digit.",
            )
        ],
        help_text="Short and unique, for commands and files. It cannot be changed later.",
    )
    label = models.CharField(
        max_length=120, blank=True, help_text="What people call it; the name when empty."
    )
    description = models.TextField(blank=True)
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text="IANA name, such as Europe/Brussels. Days and hours of this house follow it.",
    )
    latitude = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(-90), MaxValueValidator(90)],
        help_text="Degrees north.",
    )
    longitude = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(-180), MaxValueValidator(180)],
        help_text="Degrees east.",
    )
    enabled = models.BooleanField(
        default=True, help_text="A disabled house keeps its history and accepts nothing new."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    members: models.ManyToManyField[User, Membership] = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="houses"
    )

    objects: ClassVar[HouseQuerySet] = HouseQuerySet.as_manager()  # type: ignore[assignment]
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.label or self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; raise ValidationError if the name of a saved house was changed."""
        if self.pk and House.objects.filter(pk=self.pk).exclude(name=self.name).exists():
            raise ValidationError({"name": "The name of a house cannot be changed; change its label."})
        super().save(*args, **kwargs)


class Membership(models.Model):
    """A person belongs to a house."""

    house = models.ForeignKey(House, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["house", "user"], name="membership_unique")]

    def __str__(self) -> str:
        return f"{self.user} in {self.house}"


class EdgeCredential(models.Model):
    """A key an edge agent proves its house with. Only its SHA-256 is kept."""

    house = models.ForeignKey(House, models.CASCADE, related_name="credentials")
    hint = models.CharField(
        max_length=8, editable=False, help_text="The key's first characters, to tell keys apart."
    )
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.hint}… of {self.house}"
