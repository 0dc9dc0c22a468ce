"""The classes that the vendor documents, to begin with."""

from typing import Any

from django.db import migrations

from apps.meters.acquisuite.classes import CLASSES


def fill(apps: Any, schema_editor: Any) -> None:
    device_class, point = apps.get_model("meters", "DeviceClass"), apps.get_model("meters", "ClassPoint")
    for known in CLASSES:
        row = device_class.objects.create(number=known.number, title=known.title, width=known.width)
        point.objects.bulk_create(
            point(device_class=row, number=number, role=role, unit=known.units.get(number, ""))
            for number, role in known.roles.items()
        )


class Migration(migrations.Migration):
    dependencies = [("meters", "0001_initial")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
