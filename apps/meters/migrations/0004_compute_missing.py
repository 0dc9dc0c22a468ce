"""The schedule of derived meters, and their days that go with their source, in the database."""

from django.db import migrations

NAME = "Compute derived meters"


def add(apps, schema_editor):
    minute, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=1, period="minutes"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME,
        # One that nobody ran within a minute is not worth running: the next is queued already.
        defaults={"task": "meters.compute_missing", "interval": minute, "expire_seconds": 60},
    )


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("meters", "0003_sets"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE meters_derivedday ADD CONSTRAINT meters_derivedday_source_fk"
            " FOREIGN KEY (source_id) REFERENCES readings_source (id) ON DELETE CASCADE",
            "ALTER TABLE meters_derivedday DROP CONSTRAINT meters_derivedday_source_fk",
        ),
        migrations.RunPython(add, remove),
    ]
