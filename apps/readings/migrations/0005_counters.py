"""Settings of counters, their quarantined steps and what operators decide; how long readings are kept."""

import apps.houses.names
import apps.readings.models
import django.core.validators
import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("houses", "0002_credential_revoked_by"),
        ("readings", "0004_rollups"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="series",
            name="modulus",
            field=models.FloatField(
                blank=True,
                help_text="Of a counter: where its register begins at 0 again, in its unit, such as 6553.6 for 16 bits of 0.1 kWh. Empty: not known.",
                null=True,
                validators=[apps.readings.models.above_zero],
            ),
        ),
        migrations.AddField(
            model_name="series",
            name="rating",
            field=models.FloatField(
                blank=True,
                help_text="Of a counter: the largest increase in an hour, in its unit (for kWh that is kW). More is quarantined. Empty: not known.",
                null=True,
                validators=[apps.readings.models.above_zero],
            ),
        ),
        migrations.AddField(
            model_name="source",
            name="keep_raw_days",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Older readings are dropped for good each night; hours, days and months stay. Empty: readings are kept for ever.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(7),
                    django.core.validators.MaxValueValidator(36500),
                ],
                verbose_name="keep readings for (days)",
            ),
        ),
        migrations.CreateModel(
            name="HistoricalSeries",
            fields=[
                (
                    "id",
                    models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID"),
                ),
                ("field", models.CharField(max_length=200)),
                ("quantity", models.CharField(blank=True, max_length=40)),
                (
                    "unit",
                    models.CharField(
                        blank=True, help_text="Empty: not known yet; it may be set once.", max_length=20
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("gauge", "Gauge: a value at an instant"),
                            ("counter", "Counter: a register that grows"),
                            ("interval", "Interval: a mean over the time before its stamp"),
                            ("step", "Step: holds until the next value"),
                        ],
                        default="gauge",
                        max_length=8,
                    ),
                ),
                (
                    "cadence",
                    models.FloatField(blank=True, help_text="Declared seconds between readings.", null=True),
                ),
                (
                    "sign",
                    models.CharField(blank=True, help_text="Sign convention, in words.", max_length=120),
                ),
                (
                    "rating",
                    models.FloatField(
                        blank=True,
                        help_text="Of a counter: the largest increase in an hour, in its unit (for kWh that is kW). More is quarantined. Empty: not known.",
                        null=True,
                        validators=[apps.readings.models.above_zero],
                    ),
                ),
                (
                    "modulus",
                    models.FloatField(
                        blank=True,
                        help_text="Of a counter: where its register begins at 0 again, in its unit, such as 6553.6 for 16 bits of 0.1 kWh. Empty: not known.",
                        null=True,
                        validators=[apps.readings.models.above_zero],
                    ),
                ),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="readings.source",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical series",
                "verbose_name_plural": "historical series",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalSource",
            fields=[
                (
                    "id",
                    models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID"),
                ),
                (
                    "namespace",
                    models.CharField(
                        choices=[
                            ("device", "Device"),
                            ("meter", "Meter"),
                            ("plant", "Plant"),
                            ("analytics", "Analytics item"),
                        ],
                        default="device",
                        max_length=16,
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="Formulas say name.field. It cannot be changed later.",
                        max_length=64,
                        validators=[apps.houses.names.validate_identifier],
                    ),
                ),
                ("label", models.CharField(blank=True, max_length=120)),
                (
                    "enabled",
                    models.BooleanField(
                        default=True, help_text="A disabled source keeps its history and accepts nothing new."
                    ),
                ),
                (
                    "keep_raw_days",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Older readings are dropped for good each night; hours, days and months stay. Empty: readings are kept for ever.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(7),
                            django.core.validators.MaxValueValidator(36500),
                        ],
                        verbose_name="keep readings for (days)",
                    ),
                ),
                (
                    "sealed_before",
                    models.BigIntegerField(
                        blank=True,
                        editable=False,
                        help_text="Readings stamped before it (ms) are refused for ever.",
                        null=True,
                    ),
                ),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "house",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="houses.house",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical source",
                "verbose_name_plural": "historical sources",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="CounterDecision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("stamp", models.BigIntegerField(editable=False, verbose_name="when")),
                ("value", models.FloatField(editable=False, verbose_name="to")),
                (
                    "before_stamp",
                    models.BigIntegerField(editable=False, null=True, verbose_name="register before, when"),
                ),
                ("before_value", models.FloatField(editable=False, null=True, verbose_name="from")),
                (
                    "why",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("lower", "Fell and grows on from there"),
                            ("impossible", "Grew by more than its rating"),
                            ("outside", "Beyond its modulus"),
                            ("returned", "Back where it was before a fall"),
                        ],
                        editable=False,
                        max_length=12,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("accept", "Accepted"), ("reject", "Rejected"), ("swap", "Marked as swap")],
                        editable=False,
                        max_length=8,
                    ),
                ),
                ("at", models.DateTimeField(editable=False, verbose_name="decided")),
                ("revoked_at", models.DateTimeField(editable=False, null=True, verbose_name="revoked")),
                (
                    "by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "revoked_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="%(class)ss",
                        to="readings.series",
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("revoked_at", None)),
                        fields=("series", "stamp"),
                        name="counter_decision_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="QuarantinedStep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("stamp", models.BigIntegerField(editable=False, verbose_name="when")),
                ("value", models.FloatField(editable=False, verbose_name="to")),
                (
                    "before_stamp",
                    models.BigIntegerField(editable=False, null=True, verbose_name="register before, when"),
                ),
                ("before_value", models.FloatField(editable=False, null=True, verbose_name="from")),
                (
                    "why",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("lower", "Fell and grows on from there"),
                            ("impossible", "Grew by more than its rating"),
                            ("outside", "Beyond its modulus"),
                            ("returned", "Back where it was before a fall"),
                        ],
                        editable=False,
                        max_length=12,
                    ),
                ),
                (
                    "day",
                    models.IntegerField(
                        editable=False, help_text="The UTC day whose readings told that it is one."
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="%(class)ss",
                        to="readings.series",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "quarantine",
                "ordering": ["-stamp", "-id"],
                "permissions": [("decide_quarantinedstep", "Can decide on steps of counters")],
                "constraints": [
                    models.UniqueConstraint(fields=("series", "stamp"), name="quarantined_step_once")
                ],
            },
        ),
    ]
