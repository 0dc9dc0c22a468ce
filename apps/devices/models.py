"""Devices of houses, what happened at them, and the agents that read them.

Stamps are Unix milliseconds UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KT
from django.db.models.functions import Now
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
WARNING = "WARNING"
"""The type of the event that tells of a fault: {"data": text}, and "cleared": true when it is over."""


START_CHARGING = "EV_START_CHARGING"
"""The type of the event that a car was plugged in; it has no data."""
END_CHARGING = "EV_END_CHARGING"
"""The type of the event that it was unplugged: {"duration": ms, "energy": mWh}."""


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
    # By the database's clock, when its transaction began: who reads events as they come goes by it.
    stored_at = models.DateTimeField("stored", db_default=Now(), editable=False)

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
            # Find the warnings that came lately, and those of a source since a stamp.
            models.Index(fields=["stored_at"], condition=Q(type=WARNING), name="event_warning_stored"),
            models.Index(
                fields=["house", "source", "timestamp"], condition=Q(type=WARNING), name="event_warning"
            ),
            models.Index(
                fields=["source", "timestamp"],
                condition=Q(type__in=[START_CHARGING, END_CHARGING]),
                name="event_charging",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} at {self.timestamp}"


class ChargingSessionQuerySet(models.QuerySet["ChargingSession"]):
    def visible_to(self, user: User | AnonymousUser) -> ChargingSessionQuerySet:
        """The charging sessions of the houses `user` may know of."""
        return self.filter(source__house__in=House.objects.visible_to(user))


class ChargingSession(models.Model):
    """A car's stay at a charger, joined from events: `sessions` computes it anew whenever they change."""

    source = models.ForeignKey(
        Source, models.CASCADE, related_name="charging_sessions", db_index=False, editable=False
    )
    at = models.BigIntegerField(
        editable=False, help_text="Its start, or its end where no start is known: Unix ms UTC."
    )
    started_at = models.BigIntegerField("started", null=True, editable=False, help_text="Unix ms UTC.")
    start_seen = models.BooleanField(
        default=True, editable=False, help_text="Whether its start was reported, not reckoned from its end."
    )
    ended_at = models.BigIntegerField("ended", null=True, editable=False, help_text="Unix ms UTC.")
    energy_mwh = models.FloatField("energy", null=True, editable=False, help_text="mWh, as the charger says.")

    objects: ClassVar[ChargingSessionQuerySet] = ChargingSessionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["source", "-at"], name="session_newest"),
            models.Index(fields=["source", "-ended_at"], name="session_ended"),
        ]

    def __str__(self) -> str:
        return f"Charging at {self.source}"

    @property
    def duration_ms(self) -> int | None:
        """How long it took, None where an end is not known."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at


class CommandQuerySet(models.QuerySet["Command"]):
    def visible_to(self, user: User | AnonymousUser) -> CommandQuerySet:
        """The commands to devices of the houses `user` may know of."""
        return self.filter(house__in=House.objects.visible_to(user))

    def open(self, now: datetime) -> CommandQuerySet:
        """Those that an agent should still carry out."""
        return self.filter(state=CommandState.WAITING, expires_at__gt=now)


class CommandState(models.TextChoices):
    WAITING = "waiting", "waiting for the agent"
    VERIFIED = "verified", "done and verified"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"


EXPIRED, FETCHED = "expired", "with the agent"
"""What people are told of a command whose time is over, and of one that the agent knows."""


class Command(models.Model):
    """Something a device is told to do, by its agent, before it expires; and the record of who told it."""

    house = models.ForeignKey(House, models.CASCADE, related_name="+", db_index=False, editable=False)
    device = models.ForeignKey(
        Device, models.CASCADE, related_name="commands", db_index=False, editable=False
    )
    data = models.JSONField(editable=False, help_text="The command as the driver takes it.")
    created_at = models.DateTimeField("told", editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        editable=False,
        verbose_name="told by",
    )
    expires_at = models.DateTimeField("expires", editable=False)
    fetched_at = models.DateTimeField("fetched", null=True, editable=False)
    finished_at = models.DateTimeField("finished", null=True, editable=False)
    state = models.CharField(
        max_length=12, choices=CommandState.choices, default=CommandState.WAITING, editable=False
    )
    message = models.CharField(max_length=500, blank=True, editable=False)

    objects: ClassVar[CommandQuerySet] = CommandQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["device", "-created_at"], name="command_newest"),
            # Every upload asks whether something waits: this holds next to nothing.
            models.Index(
                fields=["house", "expires_at"],
                condition=Q(state=CommandState.WAITING),
                name="command_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"Command to {self.device}"

    def standing(self, now: datetime) -> str:
        """Its state in words."""
        if self.state != CommandState.WAITING:
            return CommandState(self.state).label
        if self.expires_at <= now:
            return EXPIRED
        return FETCHED if self.fetched_at else CommandState.WAITING.label


class RefusalQuerySet(models.QuerySet["Refusal"]):
    def visible_to(self, user: User | AnonymousUser) -> RefusalQuerySet:
        """What was refused of the houses `user` may know of."""
        return self.filter(house__in=House.objects.visible_to(user))


class Refusal(models.Model):
    """That readings or events of a house were refused: one row for each source and reason, counted up.

    What names no source of the house is counted together, so that foreign names make no rows.
    """

    house = models.ForeignKey(House, models.CASCADE, related_name="refusals", db_index=False)
    source = models.ForeignKey(Source, models.CASCADE, null=True, blank=True, related_name="+")
    code = models.CharField("reason", max_length=32)
    name = models.CharField("last name sent", max_length=200, blank=True)
    field = models.CharField("last field", max_length=200, blank=True)
    count = models.BigIntegerField(default=0, help_text="Readings and events refused so far.")
    first_at = models.DateTimeField("first")
    last_at = models.DateTimeField("last", db_index=True)

    objects: ClassVar[RefusalQuerySet] = RefusalQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-last_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["house", "source", "code"], nulls_distinct=False, name="refusal_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.count} refused: {self.code}"


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
    spool = models.BigIntegerField(
        null=True, blank=True, help_text="Rows it has yet to send: a row is one reading of one device."
    )
    spool_bound = models.BigIntegerField(null=True, blank=True, help_text="Rows it can keep.")
    clock_offset_ms = models.BigIntegerField(
        "clock offset", null=True, blank=True, help_text="Its clock minus ours, in ms."
    )

    objects: ClassVar[EdgeUnitQuerySet] = EdgeUnitQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = "edge agent"

    def __str__(self) -> str:
        return f"Agent of {self.house}"
