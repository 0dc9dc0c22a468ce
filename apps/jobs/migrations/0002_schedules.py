"""When jobs are swept and forgotten; operators may edit it in the admin."""

from django.db import migrations

SWEEP = "Restart lost jobs"
RETAIN = "Forget old jobs"


def add(apps, schema_editor):
    minute, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=1, period="minutes"
    )
    night, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="17", hour="3", timezone="UTC"
    )
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
    # A sweep nobody ran within a minute is not worth running: the next is queued already.
    sweep = {"task": "jobs.sweep", "interval": minute, "expire_seconds": 60}
    tasks.get_or_create(name=SWEEP, defaults=sweep)
    tasks.get_or_create(name=RETAIN, defaults={"task": "jobs.retain", "crontab": night})


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=[SWEEP, RETAIN]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(add, remove)]
