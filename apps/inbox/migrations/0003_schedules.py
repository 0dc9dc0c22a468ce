"""When receipts are swept and bodies expire; operators may edit it in the admin."""

from django.db import migrations

SWEEP = "Parse waiting receipts"
RETAIN = "Let old bodies go"


def add(apps, schema_editor):
    minute, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=1, period="minutes"
    )
    night, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="37", hour="3", timezone="UTC"
    )
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
    # A sweep nobody ran within a minute is not worth running: the next is queued already.
    sweep = {"task": "inbox.sweep", "interval": minute, "expire_seconds": 60}
    tasks.get_or_create(name=SWEEP, defaults=sweep)
    tasks.get_or_create(name=RETAIN, defaults={"task": "inbox.retain", "crontab": night})


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=[SWEEP, RETAIN]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("inbox", "0002_storage"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(add, remove)]
