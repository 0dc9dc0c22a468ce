"""Devices as rows of a file. Secrets are never written; a row may bring new ones among its settings."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError

from apps.accounts.models import User
from apps.devices.models import Device
from apps.devices.mutations import create_device, update_device
from apps.devices.settings_fields import load_json
from apps.houses import tables
from apps.houses.models import House

COLUMNS = ("house", "name", "label", "type", "interval_s", "enabled", "settings")
"""`settings` is a JSON object without secrets."""


def row_of(device: Device) -> list[object]:
    """The cells of a device, in the order of COLUMNS."""
    source = device.source
    settings = json.dumps(device.config, ensure_ascii=False)
    return [
        source.house.name,
        source.name,
        source.label,
        device.type,
        device.interval_s,
        source.enabled,
        settings,
    ]


def save(row: tables.Row, by: User) -> Device:
    """Add the device of a row, or change the one of that house and name. Raises ValidationError.

    A cell that is missing or empty changes nothing, but for an empty label.
    """
    try:
        device = _saved(row, by)
        enabled = tables.yes_or_no(row, "enabled")
        if enabled is not None and enabled != device.source.enabled:
            device = update_device(device=device, enabled=enabled, by=by)
    except ValidationError as error:
        raise _by_column(error) from None
    return device


def _saved(row: tables.Row, by: User) -> Device:
    house = House.objects.visible_to(by).filter(name=row.get("house", "")).first()
    if house is None:
        raise ValidationError({"house": "There is no such house."})
    name, type_ = row.get("name", ""), row.get("type", "")
    device = Device.objects.filter(source__house=house, source__name=name).first()
    if device is None:
        given = {"config": {}, **_given(row)}
        return create_device(house=house, name=name, type=type_, **given, by=by)
    if type_ not in ("", device.type):
        raise ValidationError({"type": f"It is of type {device.type}, which cannot be changed."})
    return update_device(device=device, **_given(row), by=by)


def _given(row: tables.Row) -> dict[str, Any]:
    """What the row says of a device besides what it is."""
    given: dict[str, Any] = {"label": row["label"]} if "label" in row else {}
    if interval := row.get("interval_s"):
        given["interval_s"] = _whole(interval)
    if settings := row.get("settings"):
        given["config"] = _object(settings)
    return given


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValidationError({"interval_s": "This is no whole number of seconds."})
    return int(text)


def _object(text: str) -> Any:
    try:
        return load_json(text)
    except ValidationError as error:
        raise ValidationError({"settings": error.messages}) from None


def _by_column(error: ValidationError) -> ValidationError:
    """The file calls the configuration its settings."""
    told: dict[str, Any] = error.update_error_dict({})
    return ValidationError({"settings" if name == "config" else name: found for name, found in told.items()})
