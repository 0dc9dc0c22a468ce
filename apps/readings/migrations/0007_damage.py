"""Source-days that cannot be worked on because readings are damaged."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("readings", "0006_retain_nightly"),
    ]

    operations = [
        migrations.CreateModel(
            name="Damage",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "source_id",
                        "day",
                        "step",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.IntegerField()),
                ("step", models.CharField(max_length=8)),
                ("error", models.CharField(max_length=300)),
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
                "verbose_name_plural": "damage",
            },
        ),
        migrations.RunSQL(
            "ALTER TABLE readings_damage ADD CONSTRAINT readings_damage_source_fk"
            " FOREIGN KEY (source_id) REFERENCES readings_source (id) ON DELETE CASCADE",
            "ALTER TABLE readings_damage DROP CONSTRAINT readings_damage_source_fk",
        ),
    ]
