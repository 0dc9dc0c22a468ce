"""The evaluation's schedule; operators may edit it in the admin."""

from django.db import migrations

NAME = "Evaluate alerts"


def add(apps, schema_editor):
    minute, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=1, period="minutes"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME,
        # One that nobody ran within a minute is not worth running: the next is queued already.
        defaults={"task": "alerts.evaluate", "interval": minute, "expire_seconds": 60},
    )


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(add, remove)]
