"""Sources, their series, and the tables of the time-series store.

Stamps are Unix milliseconds UTC; a day is the UTC day number, stamp // 86 400 000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q

from apps.houses.models import House
from apps.houses.names import validate_identifier

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from apps.accounts.models import User


class Namespace(models.TextChoices):
    DEVICE = "device", "Device"
    METER = "meter", "Meter"
    PLANT = "plant", "Plant"
    ANALYTICS = "analytics", "Analytics item"


class Kind(models.TextChoices):
    GAUGE = "gauge", "Gauge: a value at an instant"
    COUNTER = "counter", "Counter: a register that grows"
    INTERVAL = "interval", "Interval: a mean over the time before its stamp"
    STEP = "step", "Step: holds until the next value"


class SourceQuerySet(models.QuerySet["Source"]):
    def visible_to(self, user: User | AnonymousUser) -> SourceQuerySet:
        """The sources of the houses `user` may know of."""
        return self.filter(house__in=House.objects.visible_to(user))


class Source(models.Model):
    """A named thing in a house whose fields are series."""

    house = models.ForeignKey(House, models.CASCADE, related_name="sources")
    namespace = models.CharField(max_length=16, choices=Namespace.choices, default=Namespace.DEVICE)
    name = models.CharField(
        max_length=64,
        validators=[validate_identifier],
        help_text="Formulas say name.field. It cannot be changed later.",
    )
    label = models.CharField(max_length=120, blank=True)
    enabled = models.BooleanField(
        default=True, help_text="A disabled source keeps its history and accepts nothing new."
    )
    sealed_before = models.BigIntegerField(
        null=True,
        blank=True,
        editable=False,
        help_text="Readings stamped before it (ms) are refused for ever.",
    )

    objects: ClassVar[SourceQuerySet] = SourceQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["house", "namespace", "name"], name="source_unique"),
            # All but analytics items share one name space, so that x.f names exactly one series.
            models.UniqueConstraint(
                fields=["house", "name"],
                condition=~Q(namespace=Namespace.ANALYTICS),
                name="source_name_unique",
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.name


class Series(models.Model):
    """One field of a source over time."""

    source = models.ForeignKey(Source, models.CASCADE, related_name="series")
    field = models.CharField(max_length=200)
    quantity = models.CharField(max_length=40, blank=True)
    unit = models.CharField(max_length=20, blank=True, help_text="Empty: not known yet; it may be set once.")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.GAUGE)
    cadence = models.FloatField(null=True, blank=True, help_text="Declared seconds between readings.")
    sign = models.CharField(max_length=120, blank=True, help_text="Sign convention, in words.")

    class Meta:
        ordering = ["source", "field"]
        verbose_name_plural = "series"
        constraints = [models.UniqueConstraint(fields=["source", "field"], name="series_unique")]

    def __str__(self) -> str:
        return f"{self.source.name}.{self.field}"
