"""Alerts, what is remembered to find them, and the times at which nobody is to be bothered by them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from apps.alerts.kinds import TITLES, Kind
from apps.houses.models import House
from apps.readings.models import Source

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from apps.accounts.models import User

KINDS = [(kind.value, TITLES[kind]) for kind in Kind]


class State(models.TextChoices):
    OPEN = "open", "Open"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    CLEARED = "cleared", "Cleared"


class AlertQuerySet(models.QuerySet["Alert"]):
    def visible_to(self, user: User | AnonymousUser) -> AlertQuerySet:
        """The alerts of the houses `user` may know of."""
        return self.filter(house__in=House.objects.visible_to(user))

    def lasting(self) -> AlertQuerySet:
        """Those that are not over, acknowledged or not."""
        return self.exclude(state=State.CLEARED)

    def audible(self, now: datetime) -> AlertQuerySet:
        """Those of houses that are not in maintenance at `now`."""
        return self.exclude(house__in=Maintenance.objects.at(now).values("house"))


class Alert(models.Model):
    """Something that is wrong, from when it opened until it cleared, and what speaks for it."""

    house = models.ForeignKey(House, models.CASCADE, related_name="alerts", editable=False)
    source = models.ForeignKey(
        Source, models.CASCADE, null=True, blank=True, related_name="alerts", editable=False
    )
    kind = models.CharField(max_length=16, choices=KINDS, editable=False)
    key = models.CharField(
        max_length=200,
        blank=True,
        editable=False,
        help_text="Tells apart what one source can have several of.",
    )
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN, editable=False)
    opened_at = models.DateTimeField("opened", editable=False)
    acknowledged_at = models.DateTimeField("acknowledged", null=True, editable=False)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    fine_since = models.DateTimeField(null=True, editable=False, help_text="The fault is over, for now.")
    cleared_at = models.DateTimeField("cleared", null=True, editable=False)
    mailed_at = models.DateTimeField("mailed", null=True, editable=False)
    evidence = models.JSONField(default=dict, editable=False)

    objects: ClassVar[AlertQuerySet] = AlertQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-opened_at", "-id"]
        constraints = [
            # mutations names these columns and this condition when it renews what is open.
            models.UniqueConstraint(
                fields=["house", "source", "kind", "key"],
                condition=~Q(state=State.CLEARED),
                nulls_distinct=False,
                name="alert_open_once",
            )
        ]
        indexes = [
            models.Index(fields=["house", "-opened_at"], name="alert_newest"),
            models.Index(fields=["house", "source", "kind", "key", "-opened_at"], name="alert_of_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.source or self.house}"

    @property
    def began_at(self) -> datetime:
        """When the fault began, which for some kinds was before anybody could know: see `evidence`."""
        since = self.evidence.get("since")
        return self.opened_at if since is None else datetime.fromtimestamp(since / 1000, UTC)


class Suspicion(models.Model):
    """A fault that has not lasted for long enough to be an alert."""

    house = models.ForeignKey(House, models.CASCADE, related_name="+", db_index=False)
    source = models.ForeignKey(Source, models.CASCADE, null=True, related_name="+")
    kind = models.CharField(max_length=16, choices=KINDS)
    key = models.CharField(max_length=200, blank=True)
    since = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["house", "source", "kind", "key"], nulls_distinct=False, name="suspicion_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} since {self.since}"


class Watch(models.Model):
    """What is remembered of a source to know its silences and stuck values: see `rhythm` and `stuck`."""

    source = models.OneToOneField(Source, models.CASCADE, primary_key=True, related_name="watch")
    newest = models.BigIntegerField(null=True)
    heard_at = models.BigIntegerField()
    arrivals = models.IntegerField(default=0)
    pauses = models.JSONField(default=dict)
    held = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"Watch of {self.source_id}"


class Evaluation(models.Model):
    """The last evaluation: one row."""

    at = models.DateTimeField()
    warnings_until = models.DateTimeField(
        null=True, help_text="The newest warning it read was stored then, by the database's clock."
    )

    def __str__(self) -> str:
        return f"Evaluated at {self.at}"


class MailWish(models.Model):
    """Somebody wants mails about the alerts of their houses."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="alert_mails"
    )

    def __str__(self) -> str:
        return f"Mails to {self.user}"


class MaintenanceQuerySet(models.QuerySet["Maintenance"]):
    def visible_to(self, user: User | AnonymousUser) -> MaintenanceQuerySet:
        """The windows of the houses `user` may know of."""
        return self.filter(house__in=House.objects.visible_to(user))

    def at(self, now: datetime) -> MaintenanceQuerySet:
        """The windows that hold `now`."""
        return self.filter(starts_at__lte=now, ends_at__gt=now)


class Maintenance(models.Model):
    """A time at which somebody works on a house: its alerts are recorded, but shown and mailed to nobody."""

    house = models.ForeignKey(House, models.CASCADE, related_name="maintenance")
    starts_at = models.DateTimeField("from")
    ends_at = models.DateTimeField("to")
    reason = models.CharField(max_length=200)

    objects: ClassVar[MaintenanceQuerySet] = MaintenanceQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-starts_at"]
        verbose_name = "maintenance window"
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")),
                name="maintenance_ends_after_start",
                violation_error_message="A window ends after it starts.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.house}: {self.reason}"
