"""Loggers, what is behind them, and the meters whose series they fill.

A logger reads devices, each at a Modbus address. An assignment says which meter a device is, from when to
when; so a meter keeps its series when its logger or the device is replaced. Stamps are Unix ms UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from apps.devices.fields import EncryptedJSONField
from apps.houses.models import House
from apps.inbox.models import Receipt
from apps.meters.acquisuite.points import ROLES
from apps.readings.models import Kind, Source

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from apps.accounts.models import User

ALWAYS = 0
"""The stamp at which what holds from the beginning begins."""
USUAL_PERIOD_S = 900
"""Seconds between rows unless a logger says otherwise."""
ROLE_CHOICES = [(role.name, role.title) for role in ROLES.values()]

HEALTH = [
    "last_seen_at",
    "last_upload_at",
    "address",
    "firmware",
    "versions",
    "loop_name",
    "uptime_s",
    "boot_count",
    "battery_good",
    "blocks_in_use",
    "inodes_in_use",
    "gsm_signal",
    "clock_changed_at",
    "refused_count",
    "refused_at",
    "configured_period_s",
    "rhythm",
]
"""What a logger tells of itself, or does. It is kept as it last was, without a history."""


class LoggerQuerySet(models.QuerySet["Logger"]):
    def visible_to(self, user: User | AnonymousUser) -> LoggerQuerySet:
        """The loggers of the houses `user` may know of."""
        return self.filter(house__in=House.objects.visible_to(user))


class Logger(models.Model):
    """An AcquiSuite, AcquiLite or Energy Monitoring Hub that sends us its files."""

    house = models.ForeignKey(House, models.CASCADE, related_name="loggers")
    serial = models.CharField(
        "serial number",
        max_length=32,
        unique=True,
        validators=[RegexValidator(r"\A[0-9A-Z]{4,32}\Z", "Use 4 to 32 digits and capital letters.")],
        help_text="As on its label: usually 12 hexadecimal digits. It cannot be changed later.",
    )
    label = models.CharField(max_length=120, blank=True, help_text="What people call it.")
    enabled = models.BooleanField(
        default=True, help_text="A disabled logger is refused, and keeps its files until it is enabled again."
    )
    opens_meters = models.BooleanField(
        "opens meters",
        default=True,
        help_text="Whether a new device of a known class becomes a new meter by itself. Switch it off before"
        " a logger takes another's place.",
    )
    log_period_s = models.PositiveIntegerField(
        "log period",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(86_400)],
        help_text="Seconds between rows. Empty: as its configuration says, else 15 minutes.",
    )
    password = models.CharField(max_length=128, editable=False)
    password_set_at = models.DateTimeField(editable=False)
    created_at = models.DateTimeField("added", auto_now_add=True)

    last_seen_at = models.DateTimeField("last seen", null=True, editable=False)
    last_upload_at = models.DateTimeField("last upload", null=True, editable=False)
    address = models.GenericIPAddressField(null=True, editable=False)
    firmware = models.CharField(max_length=80, blank=True, editable=False)
    versions = models.JSONField(default=dict, editable=False)
    loop_name = models.CharField("its own name", max_length=120, blank=True, editable=False)
    uptime_s = models.BigIntegerField("uptime", null=True, editable=False)
    boot_count = models.BigIntegerField(null=True, editable=False)
    battery_good = models.BooleanField("battery good", null=True, editable=False)
    blocks_in_use = models.FloatField(
        "flash used", null=True, editable=False, help_text="Per cent of the blocks."
    )
    inodes_in_use = models.FloatField("entries used", null=True, editable=False, help_text="Per cent.")
    gsm_signal = models.CharField(max_length=40, blank=True, editable=False)
    configured_period_s = models.PositiveIntegerField("configured log period", null=True, editable=False)
    clock_changed_at = models.DateTimeField("clock set", null=True, editable=False)
    refused_count = models.PositiveIntegerField("log-ins refused", default=0, editable=False)
    refused_at = models.DateTimeField("last refused", null=True, editable=False)
    rhythm = models.JSONField(default=dict, editable=False)

    objects: ClassVar[LoggerQuerySet] = LoggerQuerySet.as_manager()  # type: ignore[assignment]
    history = HistoricalRecords(excluded_fields=["password", *HEALTH])

    class Meta:
        ordering = ["serial"]

    def __str__(self) -> str:
        return self.label or self.serial

    @property
    def period_s(self) -> int:
        """Seconds between rows."""
        return self.log_period_s or self.configured_period_s or USUAL_PERIOD_S


class UnclaimedLogger(models.Model):
    """A logger that nobody has added, and that tries to send us something. Its number is bounded."""

    serial = models.CharField("serial number", max_length=32, unique=True)
    loop_name = models.CharField("its own name", max_length=120, blank=True)
    address = models.GenericIPAddressField(null=True)
    attempts = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField("first seen")
    last_at = models.DateTimeField("last seen", db_index=True)

    class Meta:
        ordering = ["-last_at"]

    def __str__(self) -> str:
        return self.serial


class DeviceClass(models.Model):
    """A kind of device as loggers number them, and what its points measure.

    It is looked up when a device is first seen; what is mapped then is the device's own.
    """

    number = models.PositiveIntegerField(
        unique=True,
        validators=[MaxValueValidator(2**31 - 1)],
        help_text="As loggers send it in MODBUSDEVICECLASS.",
    )
    title = models.CharField(max_length=120)
    width = models.PositiveIntegerField(
        "points",
        default=0,
        validators=[MaxValueValidator(1024)],
        help_text="How many a row has; 0 where nobody knows.",
    )

    history = HistoricalRecords()

    class Meta:
        ordering = ["number"]
        verbose_name_plural = "device classes"

    def __str__(self) -> str:
        return f"{self.number}: {self.title}"


class ClassPoint(models.Model):
    """What a point of all devices of a class measures."""

    device_class = models.ForeignKey(DeviceClass, models.CASCADE, related_name="points", db_index=False)
    number = models.PositiveIntegerField(validators=[MaxValueValidator(1023)], help_text="From 0.")
    role = models.CharField(max_length=40, choices=ROLE_CHOICES)
    unit = models.CharField(
        max_length=20,
        blank=True,
        help_text="Where it is sent in another unit than the role's, such as % for a power factor.",
    )

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["device_class", "number"], name="class_point_unique"),
            models.UniqueConstraint(
                fields=["device_class", "role"],
                name="class_role_unique",
                violation_error_message="Two points of a class have the same role.",
            ),
        ]

    def __str__(self) -> str:
        return f"Point {self.number}"


class LoggerDeviceQuerySet(models.QuerySet["LoggerDevice"]):
    def visible_to(self, user: User | AnonymousUser) -> LoggerDeviceQuerySet:
        """The devices of the loggers `user` may know of."""
        return self.filter(logger__in=Logger.objects.visible_to(user))


class LoggerDevice(models.Model):
    """A Modbus address of a logger, and what it tells of the device there."""

    logger = models.ForeignKey(Logger, models.CASCADE, related_name="devices", db_index=False)
    address = models.PositiveSmallIntegerField(
        "Modbus address", validators=[MaxValueValidator(255)], help_text="0 to 255."
    )
    name = models.CharField(max_length=120, blank=True)
    type = models.CharField(max_length=120, blank=True, help_text="What the device calls itself.")
    type_number = models.CharField(max_length=40, blank=True)
    device_class = models.PositiveIntegerField("class", null=True)
    ignored = models.BooleanField(
        default=False, help_text="What it sends is kept as it comes, and becomes no readings."
    )
    first_seen_at = models.DateTimeField("first seen", null=True)
    last_seen_at = models.DateTimeField("last seen", null=True)
    newest_row = models.BigIntegerField(null=True, help_text="The newest stamp, of a good row or another.")
    newest_good = models.BigIntegerField(null=True, help_text="The newest stamp of a row with values.")
    error_code = models.PositiveIntegerField("error", default=0, help_text="Of the newest row.")
    failing_since = models.BigIntegerField(
        null=True, help_text="The first of the newest rows without values."
    )

    objects: ClassVar[LoggerDeviceQuerySet] = LoggerDeviceQuerySet.as_manager()  # type: ignore[assignment]
    history = HistoricalRecords(
        excluded_fields=[
            "name",
            "type",
            "type_number",
            "last_seen_at",
            "newest_row",
            "newest_good",
            "error_code",
            "failing_since",
        ]
    )

    class Meta:
        ordering = ["logger", "address"]
        constraints = [models.UniqueConstraint(fields=["logger", "address"], name="logger_device_unique")]

    def __str__(self) -> str:
        return f"{self.name or 'Device'} ({self.logger}, {self.address})"


class Layout(models.Model):
    """What the columns of a device mean from a stamp on: mapped, or still to be asked of people.

    Rows are read by the layout of their own time, so that what changes today rewrites no history.
    """

    class State(models.TextChoices):
        MAPPED = "mapped", "Mapped"
        ASKS = "asks", "Needs mapping"

    device = models.ForeignKey(LoggerDevice, models.CASCADE, related_name="layouts", db_index=False)
    valid_from = models.BigIntegerField(default=ALWAYS, help_text="Unix ms; 0 from the beginning.")
    state = models.CharField(max_length=6, choices=State.choices, default=State.ASKS)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it asks.")
    device_class = models.PositiveIntegerField("class", null=True)
    width = models.PositiveIntegerField(default=0)
    header = models.JSONField(default=list, help_text="[name, unit] of each column, as its files say.")
    created_at = models.DateTimeField()
    mapped_at = models.DateTimeField("mapped", null=True)
    mapped_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-valid_from"]
        constraints = [models.UniqueConstraint(fields=["device", "valid_from"], name="layout_unique")]

    def __str__(self) -> str:
        return f"Layout of {self.device}"


class Point(models.Model):
    """A column of a device, and which field of its meter it becomes."""

    layout = models.ForeignKey(Layout, models.CASCADE, related_name="points", db_index=False)
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=120, blank=True, help_text="As the logger calls it.")
    sent_unit = models.CharField(max_length=120, blank=True, help_text="As the logger calls it.")
    field = models.CharField(max_length=200)
    role = models.CharField(max_length=40, blank=True, choices=ROLE_CHOICES)
    quantity = models.CharField(max_length=40, blank=True)
    unit = models.CharField(max_length=20, blank=True)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.GAUGE)
    factor = models.FloatField(default=1.0, help_text="What is sent, times this, is what is stored.")
    used = models.BooleanField(default=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["layout", "number"], name="point_number_unique"),
            models.UniqueConstraint(fields=["layout", "field"], name="point_field_unique"),
        ]

    def __str__(self) -> str:
        return self.name or f"Point {self.number}"


class MeterQuerySet(models.QuerySet["Meter"]):
    def visible_to(self, user: User | AnonymousUser) -> MeterQuerySet:
        """The meters of the houses `user` may know of."""
        return self.filter(source__house__in=House.objects.visible_to(user))


class Meter(models.Model):
    """A place where energy is measured. Its name, label and switch are its source's."""

    source = models.OneToOneField(
        Source, models.CASCADE, primary_key=True, related_name="meter", editable=False
    )

    objects: ClassVar[MeterQuerySet] = MeterQuerySet.as_manager()  # type: ignore[assignment]
    history = HistoricalRecords()

    class Meta:
        ordering = ["source__name"]

    def __str__(self) -> str:
        return str(self.source)


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def visible_to(self, user: User | AnonymousUser) -> AssignmentQuerySet:
        """The assignments of the devices `user` may know of."""
        return self.filter(device__in=LoggerDevice.objects.visible_to(user))


class Assignment(models.Model):
    """A device is a meter, over [starts, ends): rows stamped then are the meter's readings."""

    device = models.ForeignKey(LoggerDevice, models.CASCADE, related_name="assignments")
    meter = models.ForeignKey(Meter, models.CASCADE, related_name="assignments")
    starts = models.BigIntegerField(default=ALWAYS, help_text="Unix ms; 0 from the beginning.")
    ends = models.BigIntegerField(null=True, blank=True, help_text="Unix ms; empty while it lasts.")

    objects: ClassVar[AssignmentQuerySet] = AssignmentQuerySet.as_manager()  # type: ignore[assignment]
    history = HistoricalRecords()

    class Meta:
        ordering = ["device", "-starts"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends=None) | Q(ends__gt=F("starts")),
                name="assignment_ends_after_start",
                violation_error_message="An assignment ends after it starts.",
            ),
            # No two may overlap, which the mutations see to; that two are without end is what races bring.
            models.UniqueConstraint(
                fields=["device"], condition=Q(ends=None), name="assignment_device_open_once"
            ),
            models.UniqueConstraint(
                fields=["meter"], condition=Q(ends=None), name="assignment_meter_open_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.device} is {self.meter}"


class UploadSessionQuerySet(models.QuerySet["UploadSession"]):
    def visible_to(self, user: User | AnonymousUser) -> UploadSessionQuerySet:
        """The sessions of the loggers `user` may know of."""
        return self.filter(logger__in=Logger.objects.visible_to(user))


class UploadSession(models.Model):
    """One time that a logger called: it begins with a status report, else with a request after a pause."""

    logger = models.ForeignKey(Logger, models.CASCADE, related_name="sessions", db_index=False)
    started_at = models.DateTimeField("started")
    last_at = models.DateTimeField("last request")
    attempt = models.PositiveIntegerField(null=True, help_text="Which try of the logger's it is.")
    address = models.GenericIPAddressField(null=True)
    requests = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0, help_text="Requests that were not answered SUCCESS.")
    status = models.JSONField(default=dict, help_text="What the logger said of itself.")

    objects: ClassVar[UploadSessionQuerySet] = UploadSessionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-started_at", "-id"]
        indexes = [models.Index(fields=["logger", "-started_at"], name="upload_session_newest")]

    def __str__(self) -> str:
        return f"{self.logger} at {self.started_at:%Y-%m-%d %H:%M}"


class UploadFileQuerySet(models.QuerySet["UploadFile"]):
    def visible_to(self, user: User | AnonymousUser) -> UploadFileQuerySet:
        """The files of the loggers `user` may know of."""
        return self.filter(session__logger__in=Logger.objects.visible_to(user))


class UploadFile(models.Model):
    """A file that a logger sent or fetched, what was answered, and what came of its rows."""

    session = models.ForeignKey(UploadSession, models.CASCADE, related_name="files")
    device = models.ForeignKey(LoggerDevice, models.SET_NULL, null=True, related_name="files", db_index=False)
    receipt = models.OneToOneField(
        Receipt, models.SET_NULL, null=True, related_name="upload_file", help_text="Empty: it is not kept."
    )
    mode = models.CharField(max_length=32)
    filename = models.CharField(max_length=200, blank=True)
    size = models.PositiveIntegerField(default=0, help_text="Bytes, as they came.")
    md5 = models.CharField("MD5", max_length=32, blank=True)
    received_at = models.DateTimeField("received")
    reply_status = models.PositiveSmallIntegerField("reply", default=200)
    reply = models.CharField("reply text", max_length=200, blank=True)
    repeat = models.BooleanField(default=False, help_text="The very same file came before.")
    rows = models.PositiveIntegerField(null=True, help_text="Empty: not parsed yet.")
    new = models.PositiveIntegerField(null=True)
    same = models.PositiveIntegerField(null=True)
    changed = models.PositiveIntegerField(null=True)
    rejected = models.PositiveIntegerField(null=True)
    faulty = models.PositiveIntegerField("errors", null=True, help_text="Rows without values.")
    first = models.BigIntegerField(null=True, help_text="Its oldest stamp.")
    last = models.BigIntegerField(null=True, help_text="Its newest stamp.")
    notes = models.JSONField(default=list, help_text="What is odd about it, in words.")

    objects: ClassVar[UploadFileQuerySet] = UploadFileQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-received_at", "-id"]
        indexes = [
            models.Index(fields=["device", "-received_at"], name="upload_file_newest"),
            models.Index(fields=["device", "md5"], name="upload_file_repeat"),
            models.Index(fields=["received_at"], name="upload_file_received"),
        ]

    def __str__(self) -> str:
        return self.filename or f"{self.mode} {self.pk}"


class ConfigVersionQuerySet(models.QuerySet["ConfigVersion"]):
    def visible_to(self, user: User | AnonymousUser) -> ConfigVersionQuerySet:
        """The configuration files of the loggers `user` may know of."""
        return self.filter(logger__in=Logger.objects.visible_to(user))


class ConfigVersion(models.Model):
    """A configuration file of a logger as it once was. It holds passwords in clear, so it is encrypted."""

    logger = models.ForeignKey(Logger, models.CASCADE, related_name="configs", db_index=False)
    name = models.CharField("file", max_length=40)
    md5 = models.CharField("MD5", max_length=32)
    size = models.PositiveIntegerField()
    file_time = models.DateTimeField("changed on the logger", null=True)
    first_at = models.DateTimeField("first received")
    last_at = models.DateTimeField("last received")
    content = EncryptedJSONField(editable=False)
    offered_at = models.DateTimeField("offered to the logger", null=True)
    offered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    fetched_at = models.DateTimeField("fetched by the logger", null=True)

    objects: ClassVar[ConfigVersionQuerySet] = ConfigVersionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["logger", "name", "-last_at"]
        verbose_name = "configuration file"
        constraints = [
            models.UniqueConstraint(fields=["logger", "name", "md5"], name="config_version_unique"),
            models.UniqueConstraint(
                fields=["logger", "name"], condition=~Q(offered_at=None), name="config_offered_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.logger}"


from apps.meters.sets.models import (  # noqa: E402  they refer to what stands above
    DerivedDay,
    DerivedMeter,
    MeterSet,
    SetMember,
)

__all__ = [
    "Assignment",
    "ClassPoint",
    "ConfigVersion",
    "DerivedDay",
    "DerivedMeter",
    "DeviceClass",
    "Layout",
    "Logger",
    "LoggerDevice",
    "Meter",
    "MeterSet",
    "Point",
    "SetMember",
    "UnclaimedLogger",
    "UploadFile",
    "UploadSession",
]
