"""What the columns of devices mean, from when on: by class, name and header, else by asking people.

Where a file gives reason to doubt it, the layout ends there and a new one asks: its rows wait, unread, until
somebody has looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from numpy.typing import NDArray

from apps.accounts.models import User
from apps.meters import mirror
from apps.meters.acquisuite import codes, ini, mapping
from apps.meters.acquisuite.classes import LOCAL_FROM
from apps.meters.acquisuite.logfile import Column, LogFile
from apps.meters.acquisuite.mapping import Known, Target
from apps.meters.acquisuite.points import guess
from apps.meters.models import ALWAYS, ClassPoint, DeviceClass, Layout, Logger, LoggerDevice, Point
from apps.readings.samples import Stamps
from config.prepared import select

STATE = Layout.State


def settle(*, device: LoggerDevice, log: LogFile, device_class: int | None, now: datetime) -> list[Layout]:
    """The layouts of `device` in order of time, once `log` was looked at. Call it with the device locked."""
    known = select(Layout, "WHERE device_id = %(device)s::bigint ORDER BY valid_from", {"device": device.pk})
    if not known:
        known = [_first(device, log, device_class, now)]
    known = _after_header(device, known, log, device_class, now)
    return _after_codes(device, known, log, now)


def points_of(layout: Layout) -> list[Point]:
    """Its points, by number."""
    return select(Point, "WHERE layout_id = %(layout)s::bigint ORDER BY number", {"layout": layout.pk})


def places(known: Sequence[Layout], stamps: Stamps) -> NDArray[np.intp]:
    """Which of the layouts, by its place, each stamp is read by."""
    begins = np.array([layout.valid_from for layout in known], np.int64)
    return np.searchsorted(begins, stamps, side="right").clip(min=1) - 1


def suggestion(layout: Layout) -> list[Target]:
    """What is known or can be guessed of its points, for people to put right."""
    return mapping.targets(_known(layout, layout.device))


@transaction.atomic
def map_layout(*, layout: Layout, targets: Iterable[Target], now: datetime, by: User | None) -> None:
    """Say what the columns are. Raises ValidationError where two become the same field."""
    targets = list(targets)
    fields = [one.field for one in targets]
    if twice := sorted({name for name in fields if fields.count(name) > 1}):
        raise ValidationError(f"Two points would become the field “{twice[0]}”.")
    layout.points.all().delete()
    Point.objects.bulk_create(_point(layout, one) for one in targets)
    Layout.objects.filter(pk=layout.pk).update(
        state=STATE.MAPPED, reason="", width=max(layout.width, len(targets)), mapped_at=now, mapped_by=by
    )


def as_before(layout: Layout) -> list[Target]:
    """The targets of the layout before this one; none where there is none that is mapped."""
    earlier = Layout.objects.filter(
        device=layout.device_id, valid_from__lt=layout.valid_from, state=STATE.MAPPED
    )
    found = earlier.order_by("-valid_from").first()
    return [target_of(point) for point in found.points.all()] if found else []


def target_of(point: Point) -> Target:
    """What becomes of a point that is mapped."""
    return Target(
        point.number,
        point.name,
        point.sent_unit,
        point.field,
        point.role,
        point.quantity,
        point.unit,
        point.kind,
        point.factor,
        point.used,
    )


@transaction.atomic
def configured(
    *, logger: Logger, address: int, points: Mapping[int, ini.Point], now: datetime
) -> Layout | None:
    """Take in what a device's configuration file calls its points. Call it once the file is kept.

    A layout that was made from the class alone, before there were names, is made again and returned: what was
    read by it is to be read anew. Later another name is just that; another unit, or a name that moved to
    another point, makes the layout ask.
    """
    device, _ = LoggerDevice.objects.get_or_create(logger=logger, address=address)
    device = LoggerDevice.objects.select_for_update(no_key=True).select_related(None).get(pk=device.pk)
    layout = device.layouts.order_by("-valid_from").first()
    if layout is None or layout.state == STATE.ASKS:
        return None
    stored = {point.number: point for point in layout.points.all()}
    if layout.mapped_by_id is None and not any(point.name for point in stored.values()):
        map_layout(layout=layout, targets=suggestion(layout), now=now, by=None)
        return layout
    _follow(device, layout, stored, points, now)
    return None


def map_by_class(*, number: int, now: datetime) -> list[LoggerDevice]:
    """Map the devices that wait for class `number` to be known; those that can be read now are returned."""
    waiting = Layout.objects.filter(device_class=number, state=STATE.ASKS, valid_from=ALWAYS)
    if not _roles(number):
        return []
    found = list(waiting.select_related("device__logger"))
    for layout in found:
        layout.width = _width(number) or layout.width
        map_layout(layout=layout, targets=suggestion(layout), now=now, by=None)
    return [layout.device for layout in found]


def _first(device: LoggerDevice, log: LogFile, device_class: int | None, now: datetime) -> Layout:
    """By the device's class where its points are known."""
    roles = _roles(device_class)
    width = _width(device_class) or log.width
    layout = Layout.objects.create(
        device=device,
        device_class=device_class,
        width=width,
        header=_as_json(log.header),
        reason="" if roles else _unknown(device_class),
        created_at=now,
    )
    if roles:
        map_layout(layout=layout, targets=suggestion(layout), now=now, by=None)
        layout.refresh_from_db()
    return layout


def _after_header(
    device: LoggerDevice, known: list[Layout], log: LogFile, device_class: int | None, now: datetime
) -> list[Layout]:
    """A file of another class, or with other names on top, is of another layout from its first row on."""
    if not log.stamps.size:
        return known
    start = int(log.stamps.min())
    layout = known[int(places(known, log.stamps.min(keepdims=True))[0])]
    reason = _contradiction(layout, log, device_class)
    if not reason:
        _complete(layout, log, device_class)
        return known
    if layout.valid_from == start:
        start += 1
    asked = _ask(device, start, reason, device_class, log.header or _columns(layout), log.width, now)
    return sorted([*known, *([asked] if asked else [])], key=lambda one: one.valid_from)


def _contradiction(layout: Layout, log: LogFile, device_class: int | None) -> str:
    if None not in (device_class, layout.device_class) and device_class != layout.device_class:
        return f"The device's class changed from {layout.device_class} to {device_class}."
    if not log.header:
        return ""
    if layout.header:
        return "" if layout.header == _as_json(log.header) else "The header of its files changed."
    roles = dict(layout.points.exclude(role="").values_list("number", "role"))
    told = {number: guess(column.name, column.unit) for number, column in enumerate(log.header)}
    odd = [n for n, role in roles.items() if (other := told.get(n)) is not None and other.name != role]
    return f"The header calls point {odd[0]} otherwise than its class does." if odd else ""


def _complete(layout: Layout, log: LogFile, device_class: int | None) -> None:
    """Remember what an earlier file did not tell."""
    changes: dict[str, object] = {}
    if log.header and not layout.header:
        changes["header"] = layout.header = _as_json(log.header)
    if device_class is not None and layout.device_class is None:
        changes["device_class"] = layout.device_class = device_class
    if layout.state == STATE.ASKS and log.width > layout.width:
        changes["width"] = layout.width = log.width
    if changes:
        Layout.objects.filter(pk=layout.pk).update(**changes)


def _after_codes(device: LoggerDevice, known: list[Layout], log: LogFile, now: datetime) -> list[Layout]:
    """After a row that says that the device is another one, nothing is read until somebody has looked."""
    rows = np.flatnonzero(np.isin(log.codes, list(codes.NEW_LAYOUT)))
    for row in rows[np.argsort(log.stamps[rows], kind="stable")].tolist():
        stamp = int(log.stamps[row])
        layout = known[int(places(known, log.stamps[row : row + 1])[0])]
        if layout.state == STATE.ASKS or layout.valid_from == stamp:
            continue
        if layout.valid_from != ALWAYS and not _read_since(layout, stamp, log, device):
            continue  # the same news, told again before anything was read
        reason = f"Its log says that {codes.meaning(int(log.codes[row]))}."
        asked = _ask(device, stamp, reason, layout.device_class, _columns(layout), layout.width, now)
        known = sorted([*known, *([asked] if asked else [])], key=lambda one: one.valid_from)
    return known


def _read_since(layout: Layout, stamp: int, log: LogFile, device: LoggerDevice) -> bool:
    """Whether there was a good row between the layout's beginning and `stamp`."""
    within = log.good & (log.stamps >= layout.valid_from) & (log.stamps < stamp)
    return bool(within.any()) or layout.valid_from <= (device.newest_good or 0) < stamp


def _ask(
    device: LoggerDevice,
    stamp: int,
    reason: str,
    device_class: int | None,
    header: Sequence[Column],
    width: int,
    now: datetime,
) -> Layout | None:
    """A layout that waits for people, from `stamp` on; None where one begins just then."""
    layout, created = Layout.objects.get_or_create(
        device=device,
        valid_from=stamp,
        defaults={
            "reason": reason,
            "device_class": device_class,
            "header": _as_json(header),
            "width": width,
            "created_at": now,
        },
    )
    return layout if created else None


def _follow(
    device: LoggerDevice,
    layout: Layout,
    stored: Mapping[int, Point],
    points: Mapping[int, ini.Point],
    now: datetime,
) -> None:
    """Let names follow the configuration, unless there is reason to doubt the whole layout."""
    before = {number: point.name for number, point in stored.items()}
    after = {number: point.name for number, point in points.items() if number in stored and point.name}
    if reason := _doubt(stored, points, ini.moved(before, after)):
        stamp = max(int(now.timestamp() * 1000), layout.valid_from + 1)
        _ask(device, stamp, reason, layout.device_class, _columns(layout), layout.width, now)
        return
    for number, name in after.items():
        if stored[number].name != name:
            Point.objects.filter(pk=stored[number].pk).update(name=name)


def _doubt(stored: Mapping[int, Point], points: Mapping[int, ini.Point], moved: Sequence[str]) -> str:
    if moved:
        return f"Its configuration moved “{moved[0][:80]}” to another point."
    for number, point in points.items():
        old = stored.get(number)
        if old and old.used and old.sent_unit and point.unit and old.sent_unit != point.unit:
            return f"Its configuration changed the unit of point {number} to “{point.unit[:40]}”."
    return ""


def _known(layout: Layout, device: LoggerDevice) -> Known:
    return Known(
        width=layout.width,
        configured=mirror.points_of(device),
        header=_columns(layout),
        roles=_roles(layout.device_class),
        units=_units(layout.device_class),
    )


def _columns(layout: Layout) -> list[Column]:
    return [Column(name, unit) for name, unit in layout.header]


def _as_json(header: Iterable[Column]) -> list[list[str]]:
    return [[column.name, column.unit] for column in header]


def _roles(number: int | None) -> dict[int, str]:
    return dict(_class_points(number).values_list("number", "role"))


def _units(number: int | None) -> dict[int, str]:
    return dict(_class_points(number).exclude(unit="").values_list("number", "unit"))


def _class_points(number: int | None) -> QuerySet[ClassPoint]:
    """What the class tells of its points; of those that are a logger's own, nothing."""
    if number is None or number >= LOCAL_FROM:
        return ClassPoint.objects.none()
    return ClassPoint.objects.filter(device_class__number=number)


def _width(number: int | None) -> int:
    if number is None:
        return 0
    return DeviceClass.objects.filter(number=number).values_list("width", flat=True).first() or 0


def _unknown(number: int | None) -> str:
    if number is None:
        return "It does not say of which class it is."
    known = DeviceClass.objects.filter(number=number).first()
    return f"Nobody has said what the points of class {known or number} are."


def _point(layout: Layout, target: Target) -> Point:
    return Point(
        layout=layout,
        number=target.number,
        name=target.name,
        sent_unit=target.sent_unit,
        field=target.field,
        role=target.role,
        quantity=target.quantity,
        unit=target.unit,
        kind=target.kind,
        factor=target.factor,
        used=target.used,
    )
