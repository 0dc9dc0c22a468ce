"""Deleting devices with all they ever said, and what devices leave in a house that is deleted."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction

from apps.accounts.models import User
from apps.devices.edge import units
from apps.devices.models import Device, Event, EventQuerySet
from apps.houses.models import House
from apps.jobs.models import Job
from apps.jobs.run import Running
from apps.readings import series
from apps.readings.deletion import delete_readings
from apps.readings.models import Source

KIND = "devices.delete_device"
PIECE = 5_000
"""Events that one transaction deletes."""


def under_way(device: Device) -> bool:
    """Whether a job deletes it, or soon will."""
    return Job.objects.unfinished().filter(kind=KIND, args__source=device.pk).exists()


def run(running: Running, *, source: int, user: int | None) -> None:
    """Delete a device with its readings and events. Cancelled, it stays disabled, with what is left of it."""
    for done, total in delete_readings([source]):
        running.progress(done, total, "Deleting days of readings")
    for done, total in _events(Event.objects.filter(source=source)):
        running.progress(done, total, "Deleting events")
    _finish(source, User.objects.filter(pk=user or 0).first())


def events_of(house: House) -> Iterator[tuple[int, int]]:
    """Delete the events of a house."""
    return _events(Event.objects.filter(house=house))


def _events(events: EventQuerySet) -> Iterator[tuple[int, int]]:
    total, done = events.count(), 0
    while piece := list(events.order_by("pk").values_list("pk", flat=True)[:PIECE]):
        Event.objects.filter(pk__in=piece).delete()
        done += len(piece)
        yield done, max(total, done)


@transaction.atomic
def _finish(source: int, by: User | None) -> None:
    """Remove the device and its source. What was stored since its days were deleted goes with them."""
    device = Device.objects.select_for_update(of=("self",)).select_related("source__house").filter(pk=source)
    for found in device:  # none when an earlier attempt came so far
        units.bump(found.source.house)
        found._history_user = by  # type: ignore[attr-defined]  # who, in the history
        found._change_reason = "deleted"  # type: ignore[attr-defined]
        found.delete()
    Source.objects.filter(pk=source).delete()
    transaction.on_commit(lambda: series.forget([source]))
