"""Meters, and which device is which meter from when to when.

A meter's series are declared from the layouts of the devices that are assigned to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from apps.accounts.models import User
from apps.houses.models import House
from apps.houses.names import RESERVED
from apps.meters import refilling
from apps.meters.models import ALWAYS, Assignment, Layout, Logger, LoggerDevice, Meter
from apps.readings import series
from apps.readings.models import Kind, Namespace, Source

SIGN = "as the meter sends it"
_MOST_TRIES = 1000


@transaction.atomic
def create_meter(*, house: House, name: str, label: str = "", by: User | None = None) -> Meter:
    """Save a meter and its source, whose name cannot change. Raises ValidationError naming the field."""
    source = Source(house=house, namespace=Namespace.METER, name=name, label=label)
    source.full_clean()
    source.save()
    meter = Meter(source=source)
    meter._history_user = by  # type: ignore[attr-defined]  # who, in the history
    meter.save()
    return meter


def update_meter(
    *, meter: Meter, label: str | None = None, enabled: bool | None = None, by: User | None = None
) -> None:
    """Save what is given. A disabled meter keeps its readings and takes no more. Raises ValidationError."""
    source = meter.source
    source.label = source.label if label is None else label
    source.enabled = source.enabled if enabled is None else enabled
    source.full_clean()
    source.save(update_fields=["label", "enabled"])
    meter._history_user = by  # type: ignore[attr-defined]
    meter._change_reason = "label or switch changed"  # type: ignore[attr-defined]
    meter.save()


@transaction.atomic
def open_meter(*, device: LoggerDevice, by: User | None = None) -> Assignment:
    """A new meter for a device that has none, from the beginning on; it is named after the device."""
    house = House.objects.select_for_update(no_key=True).get(pk=device.logger.house_id)
    meter = create_meter(house=house, name=_free_name(house, device), label=device.name, by=by)
    return _assign(Assignment(device=device, meter=meter), by)


@transaction.atomic
def assign(
    *,
    device: LoggerDevice,
    meter: Meter,
    starts: int = ALWAYS,
    ends: int | None = None,
    by: User | None = None,
) -> Assignment:
    """Let what `device` sends over [starts, ends) ms be the readings of `meter`, what it has sent included.

    Raises ValidationError for a meter of another house, and where one of the two is assigned otherwise then.
    """
    if meter.source.house_id != device.logger.house_id:
        raise ValidationError({"meter": "The meter is of another house than the logger."})
    assignment = _assign(Assignment(device=device, meter=meter, starts=starts, ends=ends), by)
    refilling.read_again(device=device, starts=starts, ends=ends, by=by)
    return assignment


@transaction.atomic
def reassign(
    *, device: LoggerDevice, meter: Meter | None, at: int = ALWAYS, by: User | None = None
) -> Assignment:
    """From `at` ms on, let `device` be `meter`, or a new one; what it is then ends there.

    Raises ValidationError as `assign` does.
    """
    for one in device.assignments.filter(ends=None):
        if one.starts >= at:
            remove(assignment=one, by=by)
        else:
            end(assignment=one, ends=at, by=by)
    if meter is None:
        house = House.objects.select_for_update(no_key=True).get(pk=device.logger.house_id)
        meter = create_meter(house=house, name=_free_name(house, device), label=device.name, by=by)
    return assign(device=device, meter=meter, starts=at, by=by)


@transaction.atomic
def end(*, assignment: Assignment, ends: int | None, by: User | None = None) -> None:
    """Let `assignment` end at `ends` ms, or last; what the meter holds after it is taken back.

    Raises ValidationError for an end before its start, or after another assignment's start.
    """
    _lock(assignment.device, assignment.meter)
    before, after = refilling.until(assignment.ends), refilling.until(ends)
    assignment.ends = ends
    _check_free(assignment)
    _save(assignment, by)
    first, last = min(before, after), max(before, after)
    spans = [(assignment.meter_id, first, last)]
    refilling.read_again(device=assignment.device, starts=first, ends=last, spans=spans, by=by)


@transaction.atomic
def remove(*, assignment: Assignment, by: User | None = None) -> None:
    """Take back an assignment as if it had never been, with the readings whose files are still kept."""
    last = refilling.until(assignment.ends)
    spans = [(assignment.meter_id, assignment.starts, last)]
    device, starts = assignment.device, assignment.starts
    assignment._history_user = by  # type: ignore[attr-defined]
    assignment.delete()
    refilling.read_again(device=device, starts=starts, ends=last, spans=spans, by=by)


@transaction.atomic
def take_over(*, old: Logger, new: Logger, at: int, by: User | None = None) -> list[Assignment]:
    """From `at` ms on, let the devices of `new` be the meters that those of `old` were, address by address.

    Raises ValidationError when a device of `new` is a meter already.
    """
    if old.house_id != new.house_id:
        raise ValidationError("The two loggers are not of the same house.")
    if old.pk == new.pk:
        raise ValidationError("A logger cannot take its own place.")
    lasting = Assignment.objects.filter(device__logger=old, ends=None).select_related(
        "device", "meter__source"
    )
    moved = []
    for one in lasting.order_by("device__address"):
        end(assignment=one, ends=at, by=by)
        device, _ = LoggerDevice.objects.get_or_create(
            logger=new, address=one.device.address, defaults={"name": one.device.name}
        )
        moved.append(assign(device=device, meter=one.meter, starts=at, by=by))
    return moved


def declare(*, device: LoggerDevice) -> None:
    """Have the series of all meters that `device` is, was or will be. Raises ValidationError."""
    mapped = device.layouts.filter(state=Layout.State.MAPPED).prefetch_related("points")
    specs = {spec.name: spec for layout in mapped.order_by("valid_from") for spec in _specs(layout, device)}
    for assignment in device.assignments.select_related("meter__source"):
        try:
            series.declare(source=assignment.meter.source, fields=specs.values())
        except series.SeriesConflict as error:
            raise ValidationError(str(error)) from None


@transaction.atomic
def set_configured_period(*, logger: Logger, seconds: int | None) -> None:
    """Note the log period of a logger's own configuration; its meters' series follow."""
    if seconds is None or seconds == logger.configured_period_s:
        return
    logger.configured_period_s = seconds
    Logger.objects.filter(pk=logger.pk).update(configured_period_s=seconds)
    declare_all(logger=logger)


def declare_all(*, logger: Logger) -> None:
    """Declare the series of all its meters anew, after its period changed."""
    for device in logger.devices.all():
        device.logger = logger
        declare(device=device)


def _specs(layout: Layout, device: LoggerDevice) -> Iterable[series.FieldSpec]:
    cadence = device.logger.period_s
    for point in layout.points.all():
        if point.used:
            yield series.FieldSpec(
                point.field, point.quantity, point.unit, point.kind, cadence, _sign(point.kind)
            )


def _sign(kind: str) -> str:
    return "" if kind == Kind.COUNTER else SIGN


def _free_name(house: House, device: LoggerDevice) -> str:
    """A name after the device's own where formulas can say that, with a number where it is taken."""
    taken = set(Source.objects.filter(house=house).values_list("name", flat=True))
    spelt = re.sub(r"[^A-Za-z0-9]+", "_", device.name).strip("_")[:50]
    wanted = spelt if re.match(r"[A-Za-z]", spelt) and spelt not in RESERVED else f"meter_{device.address}"
    choices = [wanted, *(f"{wanted}_{number}" for number in range(2, _MOST_TRIES))]
    return next(choice for choice in choices if choice not in taken)


def _lock(device: LoggerDevice, meter: Meter) -> None:
    """Nobody else assigns either of the two until the transaction ends."""
    list(LoggerDevice.objects.select_for_update(no_key=True).filter(pk=device.pk).values_list("pk"))
    list(Meter.objects.select_for_update(no_key=True).filter(pk=meter.pk).values_list("pk"))


def _check_free(assignment: Assignment) -> None:
    """Raise ValidationError where another assignment of the device or the meter overlaps."""
    assignment.full_clean(validate_constraints=False)
    if assignment.ends is not None and assignment.ends <= assignment.starts:
        raise ValidationError({"ends": "An assignment ends after it starts."})
    others = Assignment.objects.exclude(pk=assignment.pk).filter(Q(ends=None) | Q(ends__gt=assignment.starts))
    if assignment.ends is not None:
        others = others.filter(starts__lt=assignment.ends)
    if other := others.filter(device=assignment.device).select_related("meter__source").first():
        raise ValidationError({"device": f"This device is {other.meter} at that time."})
    if other := others.filter(meter=assignment.meter).select_related("device__logger").first():
        raise ValidationError({"meter": f"{other.device} is this meter at that time."})


def _assign(assignment: Assignment, by: User | None) -> Assignment:
    _lock(assignment.device, assignment.meter)
    _check_free(assignment)
    _save(assignment, by)
    declare(device=assignment.device)
    return assignment


def _save(assignment: Assignment, by: User | None) -> None:
    assignment._history_user = by  # type: ignore[attr-defined]
    assignment.save()
