"""Meter sets: which meters of a house measure what, under which rules, and the meter worked out of them.

Stamps are Unix milliseconds UTC, days UTC day numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords

from apps.houses.models import House
from apps.meters.physics import grid
from apps.meters.physics.balance import Role, Target
from apps.meters.physics.power import PfConvention
from apps.readings.models import Source

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from apps.accounts.models import User
    from apps.meters.models import Meter


class Topology(models.TextChoices):
    """What is metered. An empty place never says by itself whether there is no solar or no meter for it."""

    NO_UTILITY = "no_utility", "Solar and load have meters: the utility meter is derived"
    NO_LOAD = "no_load", "Solar and utility have meters: the load meter is derived"
    NO_SOLAR_METER = "no_solar_meter", "Load and utility have meters: the solar meter is derived"
    ALL = "all", "Solar, load and utility have meters: what is left over is computed"
    WITHOUT_SOLAR = "without_solar", "There is no solar: load and utility are the same"
    SUM = "sum", "Another sum of meters"


ROLES = [
    (Role.SOLAR, "Solar: generation counts"),
    (Role.LOAD, "Load: consumption counts"),
    (Role.UTILITY, "Utility: import counts, export is below zero"),
    (Role.BATTERY, "Battery: discharge counts, charge is below zero"),
    (Role.PLUS, "Added, in another sum"),
    (Role.MINUS, "Subtracted, in another sum"),
]
POLARITIES = [(1, "As the meter says"), (-1, "Reversed: wired the other way round")]
CONVENTIONS = [
    (PfConvention.UNSIGNED, "Its sign says nothing"),
    (PfConvention.IEC, "IEC: its sign is that of the power"),
    (PfConvention.IEEE, "IEEE: leading +, lagging −"),
    (PfConvention.PERCENT, "In per cent, without a sign"),
]
GRIDS = [(minutes, f"{minutes} min") for minutes in grid.FORCED]
POSITIVE = [MinValueValidator(0)]


class MeterSetQuerySet(models.QuerySet["MeterSet"]):
    def visible_to(self, user: User | AnonymousUser) -> MeterSetQuerySet:
        """The sets of the houses `user` may know of."""
        return self.filter(house__in=House.objects.visible_to(user))


class MeterSet(models.Model):
    """What the meters of a house are to each other."""

    house = models.OneToOneField(House, models.CASCADE, related_name="meter_set")
    topology = models.CharField(
        "what is metered", max_length=16, choices=Topology.choices, default=Topology.NO_UTILITY
    )
    grid_min = models.PositiveSmallIntegerField(
        "grid",
        null=True,
        blank=True,
        choices=GRIDS,
        help_text="Length of the intervals that are worked out. Empty: as the slowest meter is read.",
    )
    tolerance_s = models.PositiveSmallIntegerField(
        "tolerance",
        null=True,
        blank=True,
        help_text="Seconds by which a reading may miss the end of an interval and still be taken for it."
        " Empty: half an interval, a minute at most.",
    )
    coverage = models.FloatField(
        default=grid.COVERAGE,
        validators=[MinValueValidator(0.1), MaxValueValidator(1)],
        help_text="The part of an interval that a faster meter must cover, 0.1 to 1.",
    )
    rating_kva = models.FloatField(
        "rating",
        null=True,
        blank=True,
        validators=[MinValueValidator(0.1)],
        help_text="Of the connection, in kVA: below 0.5 % of it a power factor says nothing.",
    )
    tare_kw = models.FloatField(
        "night draw",
        default=0.1,
        validators=POSITIVE,
        help_text="What the inverters may draw at night, in kW, before solar power below zero is a fault.",
    )
    phases_match = models.BooleanField(
        "phases match",
        default=False,
        help_text="Whether A, B and C are the same conductors at all meters: then phases are worked out.",
    )
    residual_percent = models.FloatField(
        "tolerated residual",
        default=5.0,
        validators=POSITIVE,
        help_text="Where all is metered: per cent of a day's load that may be left over.",
    )
    anchor_kwh = models.FloatField(
        "register", default=0.0, help_text="What the derived register shows at the stamp beside, in kWh."
    )
    anchor_at = models.BigIntegerField(null=True, blank=True, editable=False, help_text="Unix ms.")
    version = models.PositiveIntegerField(
        default=1, editable=False, help_text="Grows with every change that gives other values."
    )

    objects: ClassVar[MeterSetQuerySet] = MeterSetQuerySet.as_manager()  # type: ignore[assignment]
    history = HistoricalRecords()

    class Meta:
        ordering = ["house"]

    def __str__(self) -> str:
        return f"Meters of {self.house}"

    @property
    def derived(self) -> Meter | None:
        """The meter that is worked out of this set, None while there is none."""
        found = self.derived_meters.filter(retired_at=None).select_related("meter__source").first()
        return found.meter if found else None


class SetMember(models.Model):
    """A meter, or a field of a device, and what it measures from a stamp on, under which rules.

    Rows of the same meter follow each other: each holds until the next begins, or it ends by itself.
    """

    meter_set = models.ForeignKey(MeterSet, models.CASCADE, related_name="members", db_index=False)
    source = models.ForeignKey(Source, models.CASCADE, related_name="+", verbose_name="meter")
    field = models.CharField(
        max_length=200, blank=True, help_text="Of a device that is no meter: its power or its register."
    )
    role = models.CharField("measures", max_length=8, choices=ROLES)
    polarity = models.SmallIntegerField(choices=POLARITIES, default=1)
    pf_convention = models.CharField(
        "power factor", max_length=8, choices=CONVENTIONS, default=PfConvention.UNSIGNED
    )
    accuracy_percent = models.FloatField(
        "accuracy",
        default=0.5,
        validators=[MinValueValidator(0.01), MaxValueValidator(20)],
        help_text="Per cent of its reading.",
    )
    since = models.BigIntegerField(null=True, blank=True, help_text="Unix ms; empty from the beginning.")
    until = models.BigIntegerField(null=True, blank=True, help_text="Unix ms; empty while it lasts.")

    history = HistoricalRecords()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["meter_set", "source", "field", "since"],
                nulls_distinct=False,
                name="set_member_unique",
            )
        ]

    def __str__(self) -> str:
        return f"{self.source.name}.{self.field}" if self.field else self.source.name


class DerivedMeter(models.Model):
    """A meter that a set works out. That of an earlier set-up stays, retired, with its history."""

    meter = models.OneToOneField(
        "meters.Meter", models.CASCADE, primary_key=True, related_name="derived", editable=False
    )
    meter_set = models.ForeignKey(MeterSet, models.CASCADE, related_name="derived_meters", db_index=False)
    target = models.CharField(max_length=8, choices=[(target, target.title()) for target in Target])
    retired_at = models.DateTimeField("retired", null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["meter_set", "target"], name="derived_meter_unique"),
            models.UniqueConstraint(
                fields=["meter_set"], condition=models.Q(retired_at=None), name="derived_meter_current"
            ),
        ]

    def __str__(self) -> str:
        return str(self.meter)


class DerivedDay(models.Model):
    """A UTC day of a derived meter: which version of its set it is of, and what is odd about it."""

    pk = models.CompositePrimaryKey("source_id", "day")
    source = models.ForeignKey(
        Source, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    day = models.IntegerField()
    version = models.PositiveIntegerField()
    intervals = models.PositiveIntegerField(default=0, help_text="That have a value.")
    negative_load = models.PositiveIntegerField(default=0, help_text="Intervals with a load below zero.")
    negative_solar = models.PositiveIntegerField(
        default=0, help_text="Intervals with solar power below what inverters draw at night."
    )
    load_kwh = models.FloatField(null=True)
    residual_kwh = models.FloatField(null=True, help_text="Where solar, load and utility all have meters.")

    def __str__(self) -> str:
        return f"Day {self.day} of source {self.source_id}, version {self.version}"
