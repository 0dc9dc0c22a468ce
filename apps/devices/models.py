"""Devices of houses, what happened at them, and the agents that read them.

Stamps are Unix milliseconds UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KT
from simple_history.models import HistoricalRecords

from apps.devices.fields import EncryptedJSONField
from apps.houses.models import House
from apps.readings.models import Source
from collectors import drivers

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from apps.accounts.models import User

STATE = "STATE"
"""The type of the event that a changed state is stored as; its data is {"field", "value"}."""


class DeviceQuerySet(models.QuerySet["Device"]):
    def visible_to(self, user: User | AnonymousUser) -> DeviceQuerySet:
        """The devices of the houses `user` may know of."""
        return self.filter(source__house__in=House.objects.visible_to(user))


class Device(models.Model):
    """A device that an agent or the server reads. Its name, label and switch are its source's."""

    source = models.OneToOneField(
        Source, models.CASCADE, primary_key=True, related_name="device", editable=False
    )
    type = models.CharField(max_length=40, help_text="The driver that reads it. It cannot be changed later.")
    config = models.JSONField(default=dict, blank=True, help_text="The driver's settings but for secrets.")
    secrets = EncryptedJSONField(default=dict, blank=True, editable=False)
    interval_s = models.PositiveIntegerField(
        "interval", default=10, validators=[MinValueValidator(1)], help_text="Seconds between two readings."
    )

    objects: ClassVar[DeviceQuerySet] = DeviceQuerySet.as_manager()  # type: ignore[assignment]
    history = HistoricalRecords(excluded_fields=["secrets"])

    class Meta:
        ordering = ["source__name"]

    def __str__(self) -> str:
        return str(self.source)

    def full_config(self) -> dict[str, Any]:
        """The driver's settings with the secrets in clear: for the driver alone."""
        return {**self.config, **self.secrets}

    def fields(self) -> list[drivers.Field]:
        """What its readings carry. Raises drivers.ConfigError when the stored config no longer fits."""
        return drivers.load(self.type).fields(drivers.parse_config(self.type, self.full_config()))


class EventQuerySet(models.QuerySet["Event"]):
    def visible_to(self, user: User | AnonymousUser) -> EventQuerySet:
        """The events of the houses `user` may know of."""
        return self.filter(house__in=House.objects.visible_to(user))


class Event(models.Model):
    """Something that happened at a device, or at the agent itself when it names no source."""

    house = models.ForeignKey(House, models.CASCADE, related_name="events", db_index=False)
    source = models.ForeignKey(Source, models.CASCADE, null=True, blank=True, related_name="events")
    timestamp = models.BigIntegerField(help_text="Unix ms UTC.")
    type = models.CharField(max_length=64)
    data = models.JSONField(default=dict)
    digest = models.BinaryField(max_length=16, editable=False, help_text="Of the data; repeats share it.")

    objects: ClassVar[EventQuerySet] = EventQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-timestamp", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["house", "source", "timestamp", "type", "digest"],
                nulls_distinct=False,
                name="event_unique",
            )
        ]
        indexes = [
            models.Index(fields=["house", "-timestamp", "-id"], name="event_newest"),
            # Finds the state before a stamp, and so whether an uploaded state is a change.
            models.Index(
                "source", KT("data__field"), "timestamp", condition=Q(type=STATE), name="event_state"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} at {self.timestamp}"


class EdgeUnitQuerySet(models.QuerySet["EdgeUnit"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The agents of the houses `user` may know of."""
        return self.filter(house__in=House.objects.visible_to(user))


class EdgeUnit(models.Model):
    """The agent of a house: which device list it should run, which it runs, and how it fares."""

    house = models.OneToOneField(
        House, models.CASCADE, primary_key=True, related_name="edge_unit", editable=False
    )
    config_version = models.BigIntegerField(default=0, help_text="Grows with every change of the devices.")
    acked_version = models.BigIntegerField("acknowledged version", null=True, blank=True)
    acked_at = models.DateTimeField("acknowledged", null=True, blank=True)
    ack_errors = models.JSONField(
        "errors acknowledged", default=list, blank=True, help_text="Devices the agent could not start."
    )
    agent_version = models.CharField(max_length=40, blank=True)
    running_version = models.BigIntegerField(null=True, blank=True, help_text="The device list it runs.")
    last_seen_at = models.DateTimeField("last seen", null=True, blank=True)
    spool = models.BigIntegerField(null=True, blank=True, help_text="Uploads it has yet to send.")
    spool_bound = models.BigIntegerField(null=True, blank=True, help_text="Uploads it can keep.")
    clock_offset_ms = models.BigIntegerField(
        "clock offset", null=True, blank=True, help_text="Its clock minus ours, in ms."
    )

    objects: ClassVar[EdgeUnitQuerySet] = EdgeUnitQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = "edge agent"

    def __str__(self) -> str:
        return f"Agent of {self.house}"
