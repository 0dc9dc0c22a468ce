"""The inbox's parser of log files: readings, events, and what is to be asked of people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from apps.inbox.models import Receipt
from apps.inbox.parsers import ParseError, Result
from apps.meters import happenings, layouts, metering
from apps.meters.acquisuite import codes
from apps.meters.acquisuite.logfile import LogFile, parse
from apps.meters.acquisuite.unpacking import UnreadableError, unpack
from apps.meters.models import Assignment, Layout, LoggerDevice, UploadFile
from apps.meters.reading import Counts, Rows, Span, take

KIND = "acquisuite.log"
VERSION = 1
AHEAD_MS = 24 * 3600 * 1000
STATE = Layout.State


def parse_log(receipt: Receipt, body: bytes) -> Result:
    """Read a log file. What nobody has mapped yet is left for a replay, and named in the answer."""
    device = _device(receipt)
    newest = _milliseconds(receipt.received_at) + AHEAD_MS
    try:
        log = parse(unpack(body), newest=newest)
    except UnreadableError as error:
        raise ParseError(str(error)) from error
    counts = Counts(rejected=log.bad_count)
    wanted = "" if device.ignored else _read(device, log, receipt, counts)
    _remember(receipt, device, log, counts)
    return Result(wanted)


def _device(receipt: Receipt) -> LoggerDevice:
    """The device, which nobody else reads until the transaction ends. Raises ParseError when it is gone."""
    told: dict[str, Any] = receipt.metadata
    locked = LoggerDevice.objects.select_for_update(of=("self",), no_key=True)
    found = locked.filter(
        logger__serial=told.get("serial"), logger__house=receipt.house_id, address=told.get("address", -1)
    )
    device = found.select_related("logger__house").first()
    if device is None:  # it is made when a file of it comes, and goes with its logger
        raise ParseError("Its logger is gone.")
    device.name = device.name or told.get("variables", {}).get("MODBUSDEVICENAME", "")[:120]
    return device


def _read(device: LoggerDevice, log: LogFile, receipt: Receipt, counts: Counts) -> str:
    """Store what can be read, and say what it takes to read the rest."""
    device_class = _class(receipt)
    known = layouts.settle(device=device, log=log, device_class=device_class, now=receipt.received_at)
    assignments = list(device.assignments.select_related("meter__source"))
    if not assignments and _opens_meter(device, known):
        assignments = [metering.open_meter(device=device)]
    happenings.take(device=device, log=log, layouts=known, assignments=assignments, at=receipt.received_at)
    later = _later(device, receipt, log)
    wanted = []
    places = layouts.places(known, log.stamps)
    for place, layout in enumerate(known):
        rows = log.good & (places == place)
        if rows.any():
            _mind_width(layout, log, counts)
            wanted += _read_by(layout, rows, assignments, log, later, receipt.received_at, counts)
    return " ".join(dict.fromkeys(wanted))


def _read_by(
    layout: Layout,
    rows: Rows,
    assignments: list[Assignment],
    log: LogFile,
    later: list[Span],
    received_at: datetime,
    counts: Counts,
) -> list[str]:
    if layout.state == STATE.ASKS:
        return [layout.reason or "Nobody has said what its points are."]
    left = rows.copy()
    for one in assignments:
        own = left & (log.stamps >= one.starts)
        own &= log.stamps < one.ends if one.ends is not None else True
        if own.any():
            left &= ~own
            take(
                log=log,
                rows=own,
                layout=layout,
                assignment=one,
                later=later,
                received_at=received_at,
                counts=counts,
            )
    return ["No meter is assigned to the device at the time of some rows."] if left.any() else []


def _opens_meter(device: LoggerDevice, known: list[Layout]) -> bool:
    """A device that can be read and never had a meter gets one, if its logger is to do so."""
    return device.logger.opens_meters and any(one.state == STATE.MAPPED for one in known)


def _mind_width(layout: Layout, log: LogFile, counts: Counts) -> None:
    if log.header_width and log.header_width != log.width:
        counts.note(f"Its header names {log.header_width} points; its rows have {log.width}.")
    if layout.width and log.width != layout.width:
        counts.note(f"Its rows have {log.width} points instead of {layout.width}.")


def _later(device: LoggerDevice, receipt: Receipt, log: LogFile) -> list[Span]:
    """The spans of the device's files that arrived after this one, were read, and overlap it."""
    if not log.stamps.size:
        return []
    files = UploadFile.objects.filter(
        device=device,
        receipt__gt=receipt.pk,
        first__lte=int(log.stamps.max()),
        last__gte=int(log.stamps.min()),
    )
    spans = files.values_list("first", "last")
    return [(first, last) for first, last in spans if first is not None and last is not None]


def _remember(receipt: Receipt, device: LoggerDevice, log: LogFile, counts: Counts) -> None:
    """Write down what came of the file, and what it tells of the device."""
    empty = not log.stamps.size
    if log.bad:
        counts.note(f"Line {log.bad[0].line}: {log.bad[0].reason}.")
    UploadFile.objects.filter(receipt=receipt).update(
        device=device,
        rows=len(log.stamps) + log.bad_count,
        new=counts.new,
        same=counts.same,
        changed=counts.changed,
        rejected=counts.rejected,
        faulty=int((~log.good).sum()),
        first=None if empty else int(log.stamps.min()),
        last=None if empty else int(log.stamps.max()),
        notes=counts.notes,
    )
    if not empty and int(log.stamps.max()) >= (device.newest_row or 0):
        _describe(receipt, device, log)


def _describe(receipt: Receipt, device: LoggerDevice, log: LogFile) -> None:
    """The device as its newest file shows it; older files that come late change nothing."""
    told = receipt.metadata.get("variables", {})
    last = int(log.stamps.argmax())
    good = log.stamps[log.good]
    newest_good = max([device.newest_good or 0, *good.max(initial=0).reshape(1).tolist()]) or None
    faults = np.array([codes.is_fault(code) for code in log.codes.tolist()])
    recent = log.stamps[faults & (log.stamps > (newest_good or 0))]
    LoggerDevice.objects.filter(pk=device.pk).update(
        name=told.get("MODBUSDEVICENAME", "")[:120],
        type=told.get("MODBUSDEVICETYPE", "")[:120],
        type_number=told.get("MODBUSDEVICETYPENUMBER", "")[:40],
        device_class=_class(receipt),
        first_seen_at=device.first_seen_at or receipt.received_at,
        last_seen_at=receipt.received_at,
        newest_row=int(log.stamps[last]),
        newest_good=newest_good,
        error_code=int(log.codes[last]),
        failing_since=_failing_since(device, recent.min().item() if recent.size else None, newest_good),
    )


def _failing_since(device: LoggerDevice, first: int | None, newest_good: int | None) -> int | None:
    """When the faults began that lasted since the last good row."""
    before = device.failing_since
    if before is not None and (newest_good is None or before > newest_good):
        return before if first is None else min(before, first)
    return first


def _class(receipt: Receipt) -> int | None:
    text = str(receipt.metadata.get("variables", {}).get("MODBUSDEVICECLASS", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
