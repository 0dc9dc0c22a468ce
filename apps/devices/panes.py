"""What the admin's page of a device shows beside its form."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from apps.devices.models import Device
from apps.readings import store
from collectors import drivers

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@dataclass(frozen=True)
class KindHelp:
    """How to configure one kind of device: a table of its settings, and an example to start from."""

    name: str
    title: str
    settings: list[drivers.Setting]
    example: str


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


def kind_help(kind: str) -> KindHelp:
    """The help of one kind."""
    module = drivers.load(kind)
    example = json.dumps(module.EXAMPLE, indent=2, ensure_ascii=False)
    return KindHelp(kind, module.TITLE, drivers.describe(kind), example)


def field_rows(device: Device, now: int) -> list[FieldRow]:
    """Every field that is declared or was ever heard of, by name. `now` in Unix ms."""
    roles = {field.name: field.role or "" for field in _declared(device)}
    newest = store.latest([device.pk])[device.pk]
    series = {one.field: one for one in device.source.series.all()}
    return [
        FieldRow(
            name=name,
            unit=series[name].unit if name in series else "",
            role=roles.get(name, ""),
            kind=series[name].kind if name in series else "state",
            sign=series[name].sign if name in series else "",
            value=_in_words(newest[name][1]) if name in newest else "",
            age=age(now - newest[name][0]) if name in newest else "",
        )
        for name in sorted({*series, *newest})
    ]


def _declared(device: Device) -> list[drivers.Field]:
    """Nothing for a configuration that no longer fits its driver: the form says what is wrong with it."""
    try:
        return device.fields()
    except drivers.ConfigError:
        return []


def _in_words(value: float | str | bool) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
    return value


def age(milliseconds: int) -> str:
    """How long ago, in the largest unit that fits: “12 s ago”; for a stamp of the future “3 h ahead”."""
    length, direction = abs(milliseconds), "ago" if milliseconds >= 0 else "ahead"
    for unit, span in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if length >= span:
            return f"{length // span} {unit} {direction}"
    return f"{length // 1000} s {direction}"


def context_of(device: Device, now: int) -> dict[str, Any]:
    """What the page of a device needs."""
    known = [device.type] if device.type in drivers.kinds() else []
    return {"kinds": [kind_help(kind) for kind in known], "field_rows": field_rows(device, now)}


def context_of_new() -> dict[str, Any]:
    """What the page that adds a device needs."""
    return {"kinds": [kind_help(kind) for kind in drivers.kinds()]}
