"""Every change to devices, for the admin, the API and commands alike.

A change that the agent must know of renumbers the house's device list in the same transaction.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.accounts.models import User
from apps.devices import deletion
from apps.devices.declared import declared
from apps.devices.edge import units
from apps.devices.edge.parts import is_storable
from apps.devices.models import Device
from apps.houses.models import House
from apps.jobs import run as jobs
from apps.jobs.models import Job
from apps.readings import series
from apps.readings.models import Namespace, Source
from collectors import drivers


@transaction.atomic
def create_device(
    *,
    house: House,
    name: str,
    type: str,  # noqa: A002  the word the contract uses
    config: dict[str, Any],
    interval_s: int = 10,
    label: str = "",
    by: User | None = None,
) -> Device:
    """Save a device, its source, and the series its driver declares.

    `config` is as operators write it, secrets included. Raises ValidationError naming the field.
    """
    units.bump(house)  # first: it makes others who add devices to this house wait
    source = Source(house=house, namespace=Namespace.DEVICE, name=name, label=label)
    device = Device(source=source, type=type, interval_s=interval_s)
    _configure(device, config)
    source.full_clean()
    source.save()
    _save(device, by, "created")
    _declare(device)
    return device


@transaction.atomic
def update_device(
    *,
    device: Device,
    config: dict[str, Any] | None = None,
    interval_s: int | None = None,
    label: str | None = None,
    enabled: bool | None = None,
    by: User | None = None,
) -> Device:
    """Save what is given and return the device as it then is; name and type never change.

    A secret that `config` leaves out or leaves empty stays; null removes it. Raises
    ValidationError naming the field, or for enabling a device that is being deleted.
    """
    device = _locked(device)
    if enabled and deletion.under_way(device):
        raise ValidationError("This device is being deleted.")
    before = _as_listed(device)
    if config is not None:
        _configure(device, config)
    device.interval_s = device.interval_s if interval_s is None else interval_s
    _update_source(device.source, label, enabled)
    _save(device, by, _reason(enabled))
    _declare(device)
    if _as_listed(device) != before:
        units.bump(device.source.house)
    return device


@transaction.atomic
def delete_device(*, device: Device, by: User | None = None) -> Job:
    """Disable `device` and start the job that deletes it with all it ever said. Raises ValidationError.

    A job that is cancelled, or fails, leaves it disabled with what is left; deleting it again goes on.
    """
    device = _locked(device)
    if deletion.under_way(device):
        raise ValidationError("This device is being deleted already.")
    device = update_device(device=device, enabled=False, by=by)
    return jobs.start(
        kind=deletion.KIND,
        subject=f"{device} of {device.source.house}",
        by=by,
        source=device.pk,
        user=None if by is None else by.pk,
    )


def synchronize(*, house: House) -> None:
    """Have the agent of `house` fetch its device list and acknowledge it, though nothing in it changed."""
    units.bump(house)


def _locked(device: Device) -> Device:
    """The device as it is now, changed by nobody else until the transaction ends."""
    known = Device.objects.select_related("source__house")
    return known.select_for_update(of=("self",)).get(pk=device.pk)


def _configure(device: Device, config: dict[str, Any]) -> None:
    """Check `config` and put its secrets apart. Raises ValidationError."""
    if not isinstance(config, dict) or not is_storable(config):
        raise ValidationError({"config": "This is no JSON object of settings."})
    try:
        hidden = drivers.secret_fields(device.type)
        device.secrets = _secrets(config, hidden, device.secrets)
        device.config = {name: value for name, value in config.items() if name not in hidden}
        drivers.parse_config(device.type, device.full_config())
    except drivers.ConfigError as error:
        raise _invalid(error) from None


def _secrets(config: dict[str, Any], hidden: set[str], stored: dict[str, Any]) -> dict[str, Any]:
    given = {name: config[name] for name in hidden if config.get(name, "") != ""}
    kept = {**stored, **given}
    return {name: kept[name] for name in sorted(hidden & kept.keys()) if kept[name] is not None}


def _invalid(error: drivers.ConfigError) -> ValidationError:
    """“type: …” for an unknown kind, else “config: <setting>: …”, with both parts as its params."""
    if error.field == "type":
        return ValidationError({"type": error.message})
    about = {"setting": error.field, "problem": error.message}
    return ValidationError({"config": ValidationError("%(setting)s: %(problem)s", "invalid", about)})


def _update_source(source: Source, label: str | None, enabled: bool | None) -> None:
    source.label = source.label if label is None else label
    source.enabled = source.enabled if enabled is None else enabled
    source.full_clean()
    source.save(update_fields=["label", "enabled"])


def _save(device: Device, by: User | None, reason: str | None) -> None:
    device.full_clean(exclude=["source"])
    device._history_user = by  # type: ignore[attr-defined]  # who, in the history
    device._change_reason = reason  # type: ignore[attr-defined]
    device.save()


def _reason(enabled: bool | None) -> str | None:
    return None if enabled is None else "enabled" if enabled else "disabled"


def _declare(device: Device) -> None:
    """Have the series of its fields; one whose stored settings no longer fit its driver keeps what it has."""
    specs = [
        series.FieldSpec(
            name=field.name,
            quantity=field.quantity,
            unit=field.unit,
            kind=field.kind,
            cadence=device.interval_s,
            sign=field.sign,
            rating=field.rating,
            modulus=field.modulus,
        )
        for field in declared(device)
    ]
    try:
        series.declare(source=device.source, fields=specs)
    except series.SeriesConflict as error:
        raise ValidationError({"config": str(error)}) from None


def _as_listed(device: Device) -> tuple[object, ...]:
    """What the agent is told of it."""
    return device.source.enabled, device.interval_s, device.full_config()
