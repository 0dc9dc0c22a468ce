"""Rollups, and the marks and boundaries by which they follow the readings; all that is stored is marked."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

TABLES = ["boundary", "dependency", "invalidation", "rollup"]


def cascade(table, column="source"):
    """Rows go away with their source, in the database."""
    return migrations.RunSQL(
        f"ALTER TABLE readings_{table} ADD CONSTRAINT readings_{table}_{column}_fk"
        f" FOREIGN KEY ({column}_id) REFERENCES readings_source (id) ON DELETE CASCADE",
        f"ALTER TABLE readings_{table} DROP CONSTRAINT readings_{table}_{column}_fk",
    )


# For SQL and Grafana: one row per bin, by the names people know; times are timestamptz, missing is null.
_WHOSE = (
    "house.name AS house, source.namespace, source.name AS source, series.field, series.unit, series.kind"
)
_JOINS = """
JOIN readings_series AS series ON series.id = rollup.series_id
JOIN readings_source AS source ON source.id = rollup.source_id
JOIN houses_house AS house ON house.id = source.house_id
"""
_MEANS = """
    integral * 3600 / nullif(covered, 0) AS mean,
    covered / extract(epoch FROM "end" - "start")::float8 AS coverage
"""
_COLUMNS = "count, sum, min, max, first, last, covered, integral, increase, quality"

DAYS = f"""
CREATE VIEW rollup_day AS
SELECT *, {_MEANS} FROM (
    SELECT {_WHOSE}, rollup.source_id, rollup.series_id, rollup.day,
        to_timestamp(starts[1] / 1000.0) AS "start",
        to_timestamp(starts[array_upper(starts, 1)] / 1000.0) AS "end",
        {_COLUMNS}
    FROM readings_rollup AS rollup {_JOINS}
) AS bins
"""  # noqa: S608  no part of it comes from outside

HOURS = f"""
CREATE VIEW rollup_hour AS
SELECT *, {_MEANS} FROM (
    SELECT {_WHOSE}, rollup.source_id, rollup.series_id, rollup.day,
        to_timestamp(starts[hour] / 1000.0) AS "start",
        to_timestamp(starts[hour + 1] / 1000.0) AS "end",
        hour_count[hour]::int AS count,
        nullif(hour_sum[hour], 'NaN') AS sum,
        nullif(hour_min[hour], 'NaN') AS min,
        nullif(hour_max[hour], 'NaN') AS max,
        nullif(hour_first[hour], 'NaN') AS first,
        nullif(hour_last[hour], 'NaN') AS last,
        hour_covered[hour] AS covered,
        nullif(hour_integral[hour], 'NaN') AS integral,
        nullif(hour_increase[hour], 'NaN') AS increase,
        hour_quality[hour]::int AS quality
    FROM readings_rollup AS rollup {_JOINS}
    CROSS JOIN LATERAL generate_series(1, array_upper(starts, 1) - 1) AS hour
) AS bins
"""  # noqa: S608  no part of it comes from outside


def longer(view, unit):
    """Whole weeks or months of local days; never stored."""
    return f"""
CREATE VIEW {view} AS
SELECT *, {_MEANS} FROM (
    SELECT house, namespace, source, field, unit, kind, source_id, series_id,
        date_trunc('{unit}', day)::date AS day,
        min("start") AS "start", max("end") AS "end",
        sum(count) AS count, sum(sum) AS sum, min(min) AS min, max(max) AS max,
        (array_agg(first ORDER BY day) FILTER (WHERE first IS NOT NULL))[1] AS first,
        (array_agg(last ORDER BY day DESC) FILTER (WHERE last IS NOT NULL))[1] AS last,
        sum(covered) AS covered, sum(integral) AS integral, sum(increase) AS increase,
        bit_or(quality) AS quality
    FROM rollup_day
    GROUP BY house, namespace, source, field, unit, kind, source_id, series_id, date_trunc('{unit}', day)
) AS bins
"""  # noqa: S608  no part of it comes from outside


VIEWS = [
    ("rollup_day", DAYS),
    ("rollup_hour", HOURS),
    ("rollup_week", longer("rollup_week", "week")),
    ("rollup_month", longer("rollup_month", "month")),
]

MARK_ALL = """
INSERT INTO readings_invalidation (source_id, day, seq, reason)
SELECT source_id, day, nextval('readings_invalidation_seq'), 'never rolled up'
FROM (SELECT DISTINCT source_id, day FROM readings_segment ORDER BY source_id, day) AS days
"""


class Migration(migrations.Migration):
    dependencies = [
        ("readings", "0003_sweep_every_minute"),
    ]

    operations = [
        migrations.CreateModel(
            name="Boundary",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "source_id",
                        "series_id",
                        "day",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.IntegerField()),
                ("first_stamp", models.BigIntegerField()),
                ("first_value", models.FloatField()),
                (
                    "first_length",
                    models.FloatField(help_text="An interval's recorded length, ms.", null=True),
                ),
                ("last_stamp", models.BigIntegerField()),
                ("last_value", models.FloatField()),
                ("state", models.JSONField(null=True)),
                ("advance_start", models.BigIntegerField(null=True)),
                ("advance_end", models.BigIntegerField(null=True)),
                ("increase", models.FloatField(null=True)),
                (
                    "series",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="readings.series",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="readings.source",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "boundaries",
            },
        ),
        migrations.CreateModel(
            name="Dependency",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "source_id", "input_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("before", models.PositiveSmallIntegerField()),
                ("after", models.PositiveSmallIntegerField()),
                (
                    "input",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="readings.source",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="readings.source",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "dependencies",
            },
        ),
        migrations.CreateModel(
            name="Invalidation",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "source_id", "day", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.IntegerField()),
                ("seq", models.BigIntegerField(help_text="From readings_invalidation_seq.")),
                (
                    "recompute",
                    models.BigIntegerField(
                        help_text="The number of the last mark that says inputs changed.", null=True
                    ),
                ),
                ("reason", models.CharField(max_length=40)),
                (
                    "source",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="readings.source",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Rollup",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "source_id",
                        "series_id",
                        "day",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                ("count", models.IntegerField()),
                ("sum", models.FloatField(null=True)),
                ("min", models.FloatField(null=True)),
                ("max", models.FloatField(null=True)),
                ("first", models.FloatField(null=True)),
                ("last", models.FloatField(null=True)),
                ("covered", models.FloatField()),
                ("integral", models.FloatField(null=True)),
                ("increase", models.FloatField(null=True)),
                (
                    "quality",
                    models.IntegerField(default=0, help_text="Bits of `Quality`, of all hours together."),
                ),
                (
                    "starts",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                (
                    "hour_count",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), null=True, size=None
                    ),
                ),
                (
                    "hour_sum",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), null=True, size=None
                    ),
                ),
                (
                    "hour_min",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), null=True, size=None
                    ),
                ),
                (
                    "hour_max",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), null=True, size=None
                    ),
                ),
                (
                    "hour_first",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), null=True, size=None
                    ),
                ),
                (
                    "hour_last",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), null=True, size=None
                    ),
                ),
                (
                    "hour_covered",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), null=True, size=None
                    ),
                ),
                (
                    "hour_integral",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), null=True, size=None
                    ),
                ),
                (
                    "hour_increase",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), null=True, size=None
                    ),
                ),
                (
                    "hour_quality",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), null=True, size=None
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="readings.series",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="readings.source",
                    ),
                ),
            ],
        ),
        *[cascade(table) for table in TABLES],
        cascade("dependency", "input"),
        migrations.RunSQL(
            "CREATE SEQUENCE readings_invalidation_seq", "DROP SEQUENCE readings_invalidation_seq"
        ),
        # Marks come and go by the minute, and a sweep looks at all there are.
        migrations.RunSQL(
            "ALTER TABLE readings_invalidation SET"
            " (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200)",
            "ALTER TABLE readings_invalidation RESET"
            " (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)",
        ),
        *[migrations.RunSQL(view, f"DROP VIEW {name}") for name, view in VIEWS],
        migrations.RunSQL(MARK_ALL, migrations.RunSQL.noop),
    ]
