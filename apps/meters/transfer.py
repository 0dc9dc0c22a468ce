"""Device classes as rows of a file."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from apps.accounts.models import User
from apps.houses import tables
from apps.meters import answering
from apps.meters.models import DeviceClass

COLUMNS = ("number", "title", "points", "roles")


def row_of(device_class: DeviceClass) -> list[object]:
    """The cells of a class; roles as JSON, {"0": "energy", "31": "power_factor %"}."""
    roles = {point.number: f"{point.role} {point.unit}".strip() for point in device_class.points.all()}
    return [device_class.number, device_class.title, device_class.width, json.dumps(roles)]


def save(row: tables.Row, by: User) -> DeviceClass:
    """Add the class of a row, or change the one of that number; a missing column changes nothing.

    Raises ValidationError.
    """
    number = _whole(row, "number")
    if number is None:
        raise ValidationError({"number": "A class has a number."})
    known = DeviceClass.objects.filter(number=number).first()
    width = _whole(row, "points")
    return answering.save_class(
        number=number,
        title=row.get("title", known.title if known else ""),
        width=width if width is not None else (known.width if known else 0),
        points=_roles(row["roles"]) if row.get("roles") else _stored(known),
        now=timezone.now(),
        by=by,
    )


def _whole(row: tables.Row, column: str) -> int | None:
    value = tables.number(row, column)
    if value is not None and not (value.is_integer() and 0 <= value < 2**31):
        raise ValidationError({column: "This is no whole number."})
    return None if value is None else int(value)


def _roles(text: str) -> answering.Points:
    try:
        given: Any = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise ValidationError(
            {"roles": 'Write a JSON object, such as {"0": "energy", "31": "power_factor %"}.'}
        )
    if not all(key.isascii() and key.isdigit() for key in given):
        raise ValidationError({"roles": "Points are numbers, from 0."})
    return {int(key): _role_and_unit(value) for key, value in given.items()}


def _role_and_unit(text: str) -> tuple[str, str]:
    role, _, unit = text.strip().partition(" ")
    return role, unit.strip()


def _stored(known: DeviceClass | None) -> answering.Points:
    return {} if known is None else {point.number: (point.role, point.unit) for point in known.points.all()}
