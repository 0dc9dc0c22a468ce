"""What the admin's pages show of devices and agents beside their forms."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from apps.devices import commands, deletion
from apps.devices.declared import declared
from apps.devices.models import Device, EdgeUnit
from apps.houses.models import House
from apps.readings import store
from collectors import drivers

SHOWN_COMMANDS = 5
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

NO_LIST, WAITING, DRIFTED, FAULTY, IN_USE = (
    "no device yet",
    "waiting for the agent",
    "another one in use",
    "in use, with errors",
    "in use",
)
LIST_LABELS = {WAITING: "warning", DRIFTED: "danger", FAULTY: "danger", IN_USE: "success"}
"""The colour of each word about a device list."""


@dataclass(frozen=True)
class FieldRow:
    """A field with its newest value; `role` is empty for none, `age` too when there is no value."""

    name: str
    unit: str
    role: str
    kind: str
    sign: str
    value: str
    age: str


@dataclass(frozen=True)
class CommandRow:
    """A command to a device, in words."""

    url: str
    what: str
    told: str
    by: str
    standing: str
    message: str


@dataclass(frozen=True)
class AgentState:
    """How the agent of a house fares, in words; `faults` are (device, message)."""

    devices: str
    colour: str
    version: int
    acknowledged: int | None
    running: int | None
    faults: list[tuple[str, str]]
    seen: str
    software: str
    spool: str
    clock: str


def field_rows(device: Device, now: int) -> list[FieldRow]:
    """Every field that is declared or was ever heard of, by name. `now` in Unix ms."""
    roles = {field.name: field.role or "" for field in declared(device)}
    newest = store.latest([device.pk])[device.pk]
    series = {one.field: one for one in device.source.series.all()}
    return [
        FieldRow(
            name=name,
            unit=series[name].unit if name in series else "",
            role=roles.get(name, ""),
            kind=series[name].kind if name in series else "state",
            sign=series[name].sign if name in series else "",
            value=in_words(newest[name][1]) if name in newest else "",
            age=age(now - newest[name][0]) if name in newest else "",
        )
        for name in sorted({*series, *newest})
    ]


def agent_of(house: House, now: datetime) -> AgentState:
    """How the agent of `house` fares; of one never heard of, that."""
    unit = EdgeUnit.objects.filter(house=house).first() or EdgeUnit(house=house)
    words = list_state(unit)
    return AgentState(
        devices=words,
        colour=LIST_LABELS.get(words, ""),
        version=unit.config_version,
        acknowledged=unit.acked_version,
        running=unit.running_version,
        faults=[(fault["device"], fault["message"]) for fault in unit.ack_errors],
        seen=since(unit.last_seen_at, now),
        software=unit.agent_version or "not known",
        spool=_spool(unit),
        clock=clock(unit),
    )


def list_state(unit: EdgeUnit) -> str:
    """Whether the agent runs the device list that it should: a key of LIST_LABELS, or NO_LIST."""
    if not unit.config_version:
        return NO_LIST
    if unit.acked_version is None or unit.acked_version < unit.config_version:
        return WAITING
    if unit.running_version not in (None, unit.acked_version):
        return DRIFTED
    return FAULTY if unit.ack_errors else IN_USE


def clock(unit: EdgeUnit) -> str:
    """How far the agent's clock is off, in words."""
    if unit.clock_offset_ms is None:
        return "not known"
    direction = "ahead" if unit.clock_offset_ms >= 0 else "behind"
    return f"{abs(unit.clock_offset_ms) / 1000:.1f} s {direction}"


def _spool(unit: EdgeUnit) -> str:
    if unit.spool is None:
        return "not known"
    bound = "" if unit.spool_bound is None else f" of at most {unit.spool_bound:,}"
    return f"{unit.spool:,}{bound}"


def in_words(value: float | str | bool) -> str:
    """A reading or a state, for people."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
    return value


def since(moment: datetime | None, now: datetime) -> str:
    """How long ago something was, “never” for None."""
    return "never" if moment is None else age(int((now - moment).total_seconds() * 1000))


def age(milliseconds: int) -> str:
    """How long ago, in the largest unit that fits: “12 s ago”; for a stamp of the future “3 h ahead”."""
    length, direction = abs(milliseconds), "ago" if milliseconds >= 0 else "ahead"
    for unit, span in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if length >= span:
            return f"{length // span} {unit} {direction}"
    return f"{length // 1000} s {direction}"


def titles(kinds: Collection[str]) -> dict[str, str]:
    """What people call each kind, in the order of these names."""
    found = {kind: drivers.load(kind).TITLE for kind in kinds}
    return dict(sorted(found.items(), key=lambda item: item[1].casefold()))


def title_of(kind: str) -> str:
    """What people call a kind; of one that is gone, its name."""
    return drivers.load(kind).TITLE if kind in drivers.kinds() else kind


def command_rows(device: Device, now: datetime) -> list[CommandRow]:
    """The newest commands to a device."""
    found = device.commands.select_related("device", "created_by")[:SHOWN_COMMANDS]
    return [
        CommandRow(
            url=reverse("admin:devices_command_change", args=[command.pk]),
            what=commands.in_words(command),
            told=since(command.created_at, now),
            by=str(command.created_by or ""),
            standing=command.standing(now),
            message=command.message,
        )
        for command in found
    ]


def agent_context(house: House, now: datetime) -> dict[str, Any]:
    """What a page needs that shows how the agent of `house` fares."""
    return {"agent": agent_of(house, now), "agent_house": house}


def device_context(device: Device, now: datetime) -> dict[str, Any]:
    """What the page of a device needs."""
    rows = field_rows(device, int(now.timestamp() * 1000))
    deleted = deletion.under_way(device)
    told = command_rows(device, now)
    return {
        "takes_commands": bool(told or commands.offered(device)),
        "field_rows": rows,
        "being_deleted": deleted,
        "command_rows": told,
        **agent_context(device.source.house, now),
    }
