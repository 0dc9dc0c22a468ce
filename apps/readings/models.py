"""Sources, their series, and the tables of the time-series store.

Stamps are Unix milliseconds UTC; a day is the UTC day number, stamp // 86 400 000.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from apps.houses.models import House
from apps.houses.names import validate_identifier
from apps.readings.counters import Decision, Why
from apps.readings.times import moment

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


LEAST_DAYS, MOST_DAYS = 7, 36_500


# What a quarantined step and a decision are called; `counters` says what they mean.
WHYS = [
    (Why.LOWER.value, "Fell and grows on from there"),
    (Why.IMPOSSIBLE.value, "Grew by more than its rating"),
    (Why.OUTSIDE.value, "Beyond its modulus"),
    (Why.RETURNED.value, "Back where it was before a fall"),
]
DECISIONS = [
    (Decision.ACCEPT.value, "Accepted"),
    (Decision.REJECT.value, "Rejected"),
    (Decision.SWAP.value, "Marked as swap"),
]


def above_zero(value: float) -> None:
    """A validator: ValidationError unless `value` is a finite number above zero."""
    if not 0 < value < inf:
        raise ValidationError("Enter a number above zero, or nothing where it is not known.", code="invalid")


class SourceQuerySet(models.QuerySet["Source"]):
    def visible_to(self, user: User | AnonymousUser) -> SourceQuerySet:
        """The sources of the houses `user` may know of."""
        return self.filter(house__in=House.objects.visible_to(user))


class Source(models.Model):
    """A named thing in a house whose fields are series."""

    house = models.ForeignKey(House, models.CASCADE, related_name="sources", db_index=False)
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
    keep_raw_days = models.PositiveIntegerField(
        "keep readings for (days)",
        null=True,
        blank=True,
        validators=[MinValueValidator(LEAST_DAYS), MaxValueValidator(MOST_DAYS)],
        help_text="Older readings are dropped for good each night; hours, days and months stay."
        " Empty: readings are kept for ever.",
    )
    sealed_before = models.BigIntegerField(
        null=True,
        blank=True,
        editable=False,
        help_text="Readings stamped before it (ms) are refused for ever.",
    )

    objects: ClassVar[SourceQuerySet] = SourceQuerySet.as_manager()  # type: ignore[assignment]
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]
        permissions = [("seal_source", "Can drop readings for good")]
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


class SeriesQuerySet(models.QuerySet["Series"]):
    def visible_to(self, user: User | AnonymousUser) -> SeriesQuerySet:
        """The series of the houses `user` may know of."""
        return self.filter(source__in=Source.objects.visible_to(user))


class Series(models.Model):
    """One field of a source over time."""

    source = models.ForeignKey(Source, models.CASCADE, related_name="series", db_index=False)
    field = models.CharField(max_length=200)
    quantity = models.CharField(max_length=40, blank=True)
    unit = models.CharField(max_length=20, blank=True, help_text="Empty: not known yet; it may be set once.")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.GAUGE)
    cadence = models.FloatField(null=True, blank=True, help_text="Declared seconds between readings.")
    sign = models.CharField(max_length=120, blank=True, help_text="Sign convention, in words.")
    rating = models.FloatField(
        null=True,
        blank=True,
        validators=[above_zero],
        help_text="Of a counter: the largest increase in an hour, in its unit (for kWh that is kW)."
        " More is quarantined. Empty: not known.",
    )
    modulus = models.FloatField(
        null=True,
        blank=True,
        validators=[above_zero],
        help_text="Of a counter: where its register begins at 0 again, in its unit, such as 6553.6 for"
        " 16 bits of 0.1 kWh. Empty: not known.",
    )

    objects: ClassVar[SeriesQuerySet] = SeriesQuerySet.as_manager()  # type: ignore[assignment]
    history = HistoricalRecords()

    class Meta:
        ordering = ["source", "field"]
        verbose_name_plural = "series"
        constraints = [models.UniqueConstraint(fields=["source", "field"], name="series_unique")]

    def __str__(self) -> str:
        return f"{self.source.name}.{self.field}"


class RegisterStep(models.Model):
    """A step of a counter's register: at `stamp` it went to `value`. Without `before_…` that is not known."""

    series = models.ForeignKey(Series, models.CASCADE, related_name="%(class)ss", editable=False)
    stamp = models.BigIntegerField("when", editable=False)
    value = models.FloatField("to", editable=False)
    before_stamp = models.BigIntegerField("register before, when", null=True, editable=False)
    before_value = models.FloatField("from", null=True, editable=False)
    why = models.CharField(max_length=12, choices=WHYS, blank=True, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.series}, {moment(self.stamp)}"


class QuarantinedStepQuerySet(models.QuerySet["QuarantinedStep"]):
    def visible_to(self, user: User | AnonymousUser) -> QuarantinedStepQuerySet:
        """The steps in the houses `user` may know of."""
        return self.filter(series__source__in=Source.objects.visible_to(user))

    def waiting(self) -> QuarantinedStepQuerySet:
        """Those nobody has decided on and still can; of the others the day is being worked out."""
        decided = CounterDecision.objects.filter(
            series=models.OuterRef("series"), stamp=models.OuterRef("stamp"), revoked_at=None
        )
        sealed = models.Q(series__source__sealed_before__gt=models.F("stamp"))
        return self.exclude(models.Exists(decided)).exclude(sealed)


class QuarantinedStep(RegisterStep):
    """A step that an operator is to decide on. It counts nothing until then."""

    day = models.IntegerField(editable=False, help_text="The UTC day whose readings told that it is one.")

    objects: ClassVar[QuarantinedStepQuerySet] = QuarantinedStepQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-stamp", "-id"]
        verbose_name_plural = "quarantine"
        permissions = [("decide_quarantinedstep", "Can decide on steps of counters")]
        constraints = [models.UniqueConstraint(fields=["series", "stamp"], name="quarantined_step_once")]


class CounterDecisionQuerySet(models.QuerySet["CounterDecision"]):
    def visible_to(self, user: User | AnonymousUser) -> CounterDecisionQuerySet:
        """The decisions in the houses `user` may know of."""
        return self.filter(series__source__in=Source.objects.visible_to(user))

    def in_force(self) -> CounterDecisionQuerySet:
        """Those nobody has revoked."""
        return self.filter(revoked_at=None)


class CounterDecision(RegisterStep):
    """What an operator said of a counter's reading; see `counters`. It stays when revoked."""

    kind = models.CharField(max_length=8, choices=DECISIONS, editable=False)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    at = models.DateTimeField("decided", editable=False)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    revoked_at = models.DateTimeField("revoked", null=True, editable=False)

    objects: ClassVar[CounterDecisionQuerySet] = CounterDecisionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["series", "stamp"], condition=Q(revoked_at=None), name="counter_decision_once"
            )
        ]


class Latest(models.Model):
    """The newest value per field, `{field: [stamp, value]}`: one row a source, so that one lock suffices."""

    source = models.OneToOneField(
        Source, models.DO_NOTHING, primary_key=True, related_name="latest", db_constraint=False
    )
    newest = models.BigIntegerField(help_text="The largest stamp in `fields`.")
    fields = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"Latest of source {self.source_id}"


class Tail(models.Model):
    """What arrived and is not compacted yet: one row per upload and UTC day; ids are in order of arrival."""

    pk = models.CompositePrimaryKey("source_id", "id")
    source = models.ForeignKey(
        Source, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    id = models.BigIntegerField(editable=False)  # GENERATED ALWAYS AS IDENTITY, by the migration
    day = models.IntegerField()
    received_at = models.DateTimeField()
    payload = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["source", "day", "id"], name="tail_source_day_id")]

    def __str__(self) -> str:
        return f"Tail {self.id} of source {self.source_id}, day {self.day}"


class Clock(models.Model):
    """One vector of stamps of a source-day, shared by all series sampled together."""

    pk = models.CompositePrimaryKey("source_id", "day", "id")
    source = models.ForeignKey(
        Source, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    day = models.IntegerField()
    id = models.IntegerField(help_text="A small number, unique within the source-day.")
    payload = models.BinaryField()

    def __str__(self) -> str:
        return f"Clock {self.id} of source {self.source_id}, day {self.day}"


class Segment(models.Model):
    """The values of one series over one UTC day, on the stamps of one clock."""

    pk = models.CompositePrimaryKey("source_id", "day", "series_id")
    source = models.ForeignKey(
        Source, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    day = models.IntegerField()
    series = models.ForeignKey(
        Series, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    clock_id = models.IntegerField()
    count = models.IntegerField()
    revision = models.IntegerField(default=1, help_text="Grows by one with every change of the samples.")
    payload = models.BinaryField()

    def __str__(self) -> str:
        return f"Segment of series {self.series_id}, day {self.day}, revision {self.revision}"


class Boundary(models.Model):
    """What the days around it need to know of one series' UTC day with data; it outlives the readings.

    A counter's `state` is that at the day's end, and its `increase` that of the advance which ends at the
    first sample accepted on this day and began on an earlier one.
    """

    pk = models.CompositePrimaryKey("source_id", "series_id", "day")
    source = models.ForeignKey(
        Source, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    series = models.ForeignKey(
        Series, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    day = models.IntegerField()
    first_stamp = models.BigIntegerField()
    first_value = models.FloatField()
    first_length = models.FloatField(null=True, help_text="An interval's recorded length, ms.")
    last_stamp = models.BigIntegerField()
    last_value = models.FloatField()
    state = models.JSONField(null=True)
    advance_start = models.BigIntegerField(null=True)
    advance_end = models.BigIntegerField(null=True)
    increase = models.FloatField(null=True)

    class Meta:
        verbose_name_plural = "boundaries"

    def __str__(self) -> str:
        return f"Boundary of series {self.series_id}, day {self.day}"


def _hours() -> ArrayField[list[float] | None, list[float] | None]:
    """A column per local hour: NaN where an hour has none, null where the kind of series has none at all."""
    return ArrayField(models.FloatField(), null=True)


class Rollup(models.Model):
    """One series over one local day of its house, as a whole and per local hour.

    `covered` is in seconds, `integral` in unit·h, `increase` (of counters) in the unit. `starts` holds the
    hours' bounds in ms, one more than there are hours: the day is [starts[0], starts[-1]).
    """

    pk = models.CompositePrimaryKey("source_id", "series_id", "day")
    source = models.ForeignKey(
        Source, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    series = models.ForeignKey(
        Series, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    day = models.DateField()
    count = models.IntegerField()
    sum = models.FloatField(null=True)
    min = models.FloatField(null=True)
    max = models.FloatField(null=True)
    first = models.FloatField(null=True)
    last = models.FloatField(null=True)
    covered = models.FloatField()
    integral = models.FloatField(null=True)
    increase = models.FloatField(null=True)
    quality = models.IntegerField(default=0, help_text="Bits of `Quality`, of all hours together.")
    starts = ArrayField(models.BigIntegerField())
    hour_count = _hours()
    hour_sum = _hours()
    hour_min = _hours()
    hour_max = _hours()
    hour_first = _hours()
    hour_last = _hours()
    hour_covered = _hours()
    hour_integral = _hours()
    hour_increase = _hours()
    hour_quality = _hours()

    def __str__(self) -> str:
        return f"Rollup of series {self.series_id}, {self.day}"


class Dependency(models.Model):
    """A derived source's UTC day reads `input` from `before` days earlier to `after` days later."""

    pk = models.CompositePrimaryKey("source_id", "input_id")
    source = models.ForeignKey(
        Source, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    input = models.ForeignKey(Source, models.DO_NOTHING, related_name="+", db_constraint=False)
    before = models.PositiveSmallIntegerField()
    after = models.PositiveSmallIntegerField()

    class Meta:
        verbose_name_plural = "dependencies"

    def __str__(self) -> str:
        return f"Source {self.source_id} reads source {self.input_id}"


class Damage(models.Model):
    """A source-day on which a step (see `damage`) cannot be done: readings there or near it are damaged."""

    pk = models.CompositePrimaryKey("source_id", "day", "step")
    source = models.ForeignKey(
        Source, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    day = models.IntegerField()
    step = models.CharField(max_length=8)
    error = models.CharField(max_length=300)

    class Meta:
        verbose_name_plural = "damage"

    def __str__(self) -> str:
        return f"Day {self.day} of source {self.source_id} cannot be worked on: {self.error}"


class Invalidation(models.Model):
    """A source-day to roll up again, and before that to compute again where `recompute` is set.

    Each mark takes a new number; who did the work deletes the row only while it bears the number they read.
    """

    pk = models.CompositePrimaryKey("source_id", "day")
    source = models.ForeignKey(
        Source, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    day = models.IntegerField()
    seq = models.BigIntegerField(help_text="From readings_invalidation_seq.")
    recompute = models.BigIntegerField(
        null=True, help_text="The number of the last mark that says inputs changed."
    )
    reason = models.CharField(max_length=40)

    def __str__(self) -> str:
        return f"Day {self.day} of source {self.source_id} is to be rolled up: {self.reason}"
