"""Analytics items: formulas of a house with a name, and how far their stored results are.

Days are UTC day numbers, as in the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from apps.analytics.formula import MAX_LENGTH
from apps.houses.models import House
from apps.houses.names import validate_identifier
from apps.readings.models import Source

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from apps.accounts.models import User


class Role(models.TextChoices):
    SOLAR = "solar", "Solar"
    BATTERY = "battery", "Battery, + = discharging"
    EV = "ev", "EV charging"
    LOAD = "load", "Load"
    GRID = "grid", "Grid, + = import"
    SOC = "soc", "State of charge"


class AnalyticsItemQuerySet(models.QuerySet["AnalyticsItem"]):
    def visible_to(self, user: User | AnonymousUser) -> AnalyticsItemQuerySet:
        """The items of the houses `user` may know of."""
        return self.filter(house__in=House.objects.visible_to(user))

    def with_days(self) -> AnalyticsItemQuerySet:
        """With `due_days`, those still to be computed, and `all_days`, of those who keep their results."""
        days = ItemDay.objects.filter(source=models.OuterRef("source")).order_by()
        counts = days.values("source")
        return self.annotate(
            due_days=_count(counts.annotate(count=models.Count("day", filter=Q(due=True)))),
            all_days=_count(counts.annotate(count=models.Count("day"))),
        )


def _count(days: Any) -> Any:
    return models.functions.Coalesce(models.Subquery(days.values("count")), 0)


class AnalyticsItem(models.Model):
    """A formula with a name, `analytics.<name>` in other formulas.

    With continuous aggregation its results are kept as a source of their own, in the field `value`; `source`
    is that one, and stays until a job has removed it after continuous aggregation was switched off.
    """

    house = models.ForeignKey(House, models.CASCADE, related_name="analytics_items", db_index=False)
    name = models.CharField(
        max_length=64,
        validators=[validate_identifier],
        help_text="Other formulas say analytics.name. It cannot be changed later.",
    )
    label = models.CharField(
        max_length=120, blank=True, help_text="What people call it; the name when empty."
    )
    description = models.TextField(blank=True)
    formula = models.TextField(max_length=MAX_LENGTH)
    version = models.PositiveIntegerField(
        default=1, editable=False, help_text="Grows with every change of the formula."
    )
    quantity = models.CharField(
        max_length=40, blank=True, help_text="What it measures, such as power. Empty: what the formula gives."
    )
    unit = models.CharField(
        max_length=20,
        blank=True,
        help_text="Of the result; nothing is converted. Empty: what the formula gives.",
    )
    role = models.CharField(
        max_length=10,
        choices=Role.choices,
        blank=True,
        help_text="What dashboards show it as; its values follow the convention named here, in kW or %.",
    )
    aggregated = models.BooleanField(
        "continuous aggregation",
        default=False,
        editable=False,
        help_text="Whether its results are computed as readings arrive, and kept.",
    )
    source = models.OneToOneField(
        Source, models.SET_NULL, null=True, blank=True, editable=False, related_name="analytics_item"
    )

    objects: ClassVar[AnalyticsItemQuerySet] = AnalyticsItemQuerySet.as_manager()  # type: ignore[assignment]
    history = HistoricalRecords(excluded_fields=["source"])

    class Meta:
        ordering = ["house", "name"]
        constraints = [models.UniqueConstraint(fields=["house", "name"], name="analytics_item_unique")]

    def __str__(self) -> str:
        return self.label or self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; raise ValidationError if the name of a saved item was changed."""
        if self.pk and AnalyticsItem.objects.filter(pk=self.pk).exclude(name=self.name).exists():
            raise ValidationError({"name": "The name of an item cannot be changed; change its label."})
        super().save(*args, **kwargs)


class ItemDay(models.Model):
    """A UTC day of an item that keeps its results: by which version it was computed, and whether anew.

    A day that is `due` waits for a job that people see and may stop; what it holds meanwhile is of
    `version`, 0 when nothing was computed yet. Days that late readings touch are the sweep's and not due.
    """

    pk = models.CompositePrimaryKey("source_id", "day")
    source = models.ForeignKey(
        Source, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    day = models.IntegerField()
    version = models.PositiveIntegerField(default=0)
    due = models.BooleanField(default=True)

    class Meta:
        indexes = [models.Index(fields=["source", "-day"], condition=Q(due=True), name="item_day_due")]

    def __str__(self) -> str:
        return f"Day {self.day} of source {self.source_id}, version {self.version}"
