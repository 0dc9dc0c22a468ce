"""Telling devices what to do: an operator asks, the house's agent does it and says what became of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.accounts.models import User
from apps.devices import deletion
from apps.devices.models import Command, CommandState, Device
from apps.houses.models import House
from apps.readings.models import Source
from apps.readings.times import milliseconds
from collectors import drivers

MOST_OPEN = 20
"""Of one device: more are no control but a mistake."""
LONGEST = timedelta(days=1)
MESSAGE_LENGTH = 500


@transaction.atomic
def send_command(
    *, device: Device, data: dict[str, Any], valid_for: timedelta, now: datetime, by: User | None
) -> Command:
    """Have the agent tell the device. Raises ValidationError, naming the setting where it is about one."""
    source = Source.objects.select_for_update(of=("self",)).select_related("house").get(pk=device.pk)
    _check(device, source, data, valid_for)
    if Command.objects.filter(device=device).open(now).count() >= MOST_OPEN:
        raise ValidationError(f"{MOST_OPEN} commands wait already. Cancel some, or wait until they expire.")
    return Command.objects.create(
        house=source.house,
        device=device,
        data=data,
        created_at=now,
        created_by=by,
        expires_at=now + valid_for,
    )


def _check(device: Device, source: Source, data: dict[str, Any], valid_for: timedelta) -> None:
    if not (source.enabled and source.house.enabled) or deletion.under_way(device):
        raise ValidationError("The device is not read at the moment, so nothing can be told to it.")
    if not timedelta(0) < valid_for <= LONGEST:
        raise ValidationError({"valid_for": "A command is valid for a day at most."})
    try:
        drivers.parse_command(device.type, data)
    except drivers.ConfigError as error:
        about = {"setting": error.field, "problem": error.message}
        raise ValidationError("%(setting)s: %(problem)s", params=about) from None


def cancel_command(*, command: Command, now: datetime, by: User) -> bool:
    """Withdraw a command that has not been carried out. False when it was, or expired.

    One that the agent has fetched may be under way: then its outcome takes the place of this.
    """
    waiting = Command.objects.filter(pk=command.pk).open(now)
    message = f"By {by}."[:MESSAGE_LENGTH]
    return bool(waiting.update(state=CommandState.CANCELLED, finished_at=now, message=message))


def fetch(*, house: House, now: datetime) -> list[dict[str, Any]]:
    """What the agent of `house` should do: [{"id", "device", "data", "expires_at" (Unix ms)}], oldest first.

    Commands of disabled devices wait until they are enabled, or expire.
    """
    found = list(
        Command.objects.filter(house=house, device__source__enabled=True, house__enabled=True)
        .open(now)
        .select_related("device__source")
        .order_by("created_at", "id")
    )
    if new := [command.pk for command in found if command.fetched_at is None]:
        Command.objects.filter(pk__in=new, fetched_at=None).update(fetched_at=now)
    return [
        {
            "id": command.pk,
            "device": command.device.source.name,
            "data": command.data,
            "expires_at": milliseconds(command.expires_at),
        }
        for command in found
    ]


def finish(*, house: House, command_id: int, state: CommandState, message: str, now: datetime) -> None:
    """Write down what became of a command: the first word of the agent counts, repeats change nothing.

    It counts also of a command that was cancelled or expired meanwhile: it tells what happened. Raises
    Command.DoesNotExist for one that the house has not.
    """
    commands = Command.objects.filter(house=house, pk=command_id)
    unfinished = commands.filter(state__in=[CommandState.WAITING, CommandState.CANCELLED])
    if not unfinished.update(state=state, message=message[:MESSAGE_LENGTH], finished_at=now):
        commands.get()


def offered(device: Device) -> dict[str, type[drivers.Command]]:
    """What a device can be told, by action; nothing where its type is gone."""
    return drivers.commands(device.type) if device.type in drivers.kinds() else {}


def in_words(command: Command) -> str:
    """What the device is told, such as “Set the mode: Mode manual, Set-point 500”."""
    data = dict(command.data)
    known = offered(command.device).get(str(data.pop("action", "")))
    if known is None:
        return str(command.data)
    titles = {setting.name: setting.title for setting in drivers.settings_of(known)}
    said = ", ".join(f"{titles.get(name, name)} {_value(value)}" for name, value in data.items())
    return f"{known.TITLE}: {said}" if said else known.TITLE


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
