"""What people answer to devices that ask: the meaning of a layout, or of all devices of a class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.accounts.models import User
from apps.jobs.models import Job
from apps.meters import layouts, metering, refilling
from apps.meters.acquisuite.mapping import Target
from apps.meters.acquisuite.points import ROLES, factor
from apps.meters.models import ALWAYS, ClassPoint, DeviceClass, Layout, LoggerDevice

Points = Mapping[int, tuple[str, str]]
"""Role and unit of each point, by its number."""


@transaction.atomic
def answer(*, layout: Layout, targets: Iterable[Target], now: datetime, by: User | None) -> Job | None:
    """Say what the columns of a layout are; a job then reads what waited, or what was read otherwise.

    Raises ValidationError for two points of the same field, and for a field that was of another unit so far.
    """
    asked = layout.state == Layout.State.ASKS
    layouts.map_layout(layout=layout, targets=targets, now=now, by=by)
    metering.declare(device=layout.device)
    if asked:
        return refilling.read_waiting(device=layout.device, by=by)
    later = Layout.objects.filter(device=layout.device_id, valid_from__gt=layout.valid_from)
    ends = later.order_by("valid_from").values_list("valid_from", flat=True).first()
    return refilling.read_again(device=layout.device, starts=layout.valid_from, ends=ends, by=by)


@transaction.atomic
def ignore(*, device: LoggerDevice, ignored: bool, by: User | None) -> None:
    """Make no readings of what `device` sends, or make them again, also of what came meanwhile."""
    device.ignored = ignored
    device._history_user = by  # type: ignore[attr-defined]  # who, in the history
    device.save(update_fields=["ignored"])
    if not ignored:
        refilling.read_again(device=device, starts=ALWAYS, by=by)


@transaction.atomic
def save_class(
    *, number: int, title: str, width: int, points: Points, now: datetime, by: User | None
) -> DeviceClass:
    """Save a class with exactly these points, and map the devices that waited for it.

    Raises ValidationError naming the field.
    """
    found = DeviceClass.objects.filter(number=number).first() or DeviceClass(number=number)
    found.title, found.width = title, width
    found.full_clean()
    found._history_user = by  # type: ignore[attr-defined]
    found.save()
    found.points.all().delete()
    for place, (role, unit) in points.items():
        point = ClassPoint(device_class=found, number=place, role=role, unit=unit)
        try:
            point.full_clean()
        except ValidationError as error:
            raise ValidationError({"points": f"Point {place}: {' '.join(error.messages)}"}) from None
        check_unit(role, unit)
        point.save()
    apply_class(number=number, now=now, by=by)
    return found


@transaction.atomic
def apply_class(*, number: int, now: datetime, by: User | None) -> int:
    """Map the devices that wait for class `number` to be known, and read what they sent; how many."""
    devices = layouts.map_by_class(number=number, now=now)
    for device in devices:
        refilling.read_waiting(device=device, by=by)
    return len(devices)


def check_unit(role: str, unit: str) -> None:
    """Raise ValidationError for a unit that is none of the role's."""
    if role in ROLES and factor(ROLES[role], unit) is None:
        raise ValidationError({"unit": f"“{unit}” is no unit of {ROLES[role].title.lower()}."})
