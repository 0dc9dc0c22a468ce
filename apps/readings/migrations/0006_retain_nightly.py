"""When readings that need not be kept are dropped; operators may edit it in the admin."""

from django.db import migrations

NAME = "Drop old readings"


def add(apps, schema_editor):
    night, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="57", hour="3", timezone="UTC"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME, defaults={"task": "readings.retain", "crontab": night}
    )


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("readings", "0005_counters"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="source",
            options={
                "ordering": ["name"],
                "permissions": [("seal_source", "Can drop readings for good")],
            },
        ),
        migrations.RunPython(add, remove),
    ]
