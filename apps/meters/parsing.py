"""The inbox's parser of log files: readings, events, and what is to be asked of people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from apps.houses.models import House
from apps.inbox.models import Receipt
from apps.inbox.parsers import ParseError, Result
from apps.meters import happenings, layouts, metering
from apps.meters.acquisuite import codes, logfile
from apps.meters.acquisuite.logfile import LogFile
from apps.meters.acquisuite.unpacking import UnreadableError, unpack
from apps.meters.models import Assignment, Layout, Logger, LoggerDevice, Meter
from apps.meters.reading import Counts, Rows, Span, take
from apps.readings.models import Source
from config.prepared import fetch, run, select_joined

KIND = "acquisuite.log"
VERSION = 1
AHEAD_MS = 24 * 3600 * 1000
STATE = Layout.State


def parse_log(receipt: Receipt, body: bytes) -> Result:
    """Read a log file. What nobody has mapped yet is left for a replay, and named in the answer."""
    try:
        lines = logfile.split(unpack(body))
    except UnreadableError as error:
        raise ParseError(str(error)) from error
    return parse_lines(receipt, lines)


def parse_lines(receipt: Receipt, lines: Sequence[str]) -> Result:
    """The same for a file that was unpacked and cut into lines already."""
    device = _device(receipt)
    try:
        log = logfile.read(lines, newest=_milliseconds(receipt.received_at) + AHEAD_MS)
    except UnreadableError as error:
        raise ParseError(str(error)) from error
    counts = Counts(rejected=log.bad_count)
    wanted = "" if device.ignored else _read(device, log, receipt, counts)
    _remember(receipt, device, log, counts)
    return Result(wanted)


def _device(receipt: Receipt) -> LoggerDevice:
    """The device, which nobody else reads until the transaction ends. Raises ParseError when it is gone."""
    told: dict[str, Any] = receipt.metadata
    whose = {"serial": told.get("serial"), "house": receipt.house_id, "address": told.get("address", -1)}
    found = select_joined({"device": LoggerDevice, "logger": Logger, "house": House}, _DEVICE, whose)
    if not found:  # it is made when a file of it comes, and goes with its logger
        raise ParseError("Its logger is gone.")
    device: LoggerDevice
    ((device, device.logger, device.logger.house),) = found
    device.name = device.name or told.get("variables", {}).get("MODBUSDEVICENAME", "")[:120]
    return device


_DEVICE = """
FROM meters_loggerdevice AS device
JOIN meters_logger AS logger ON logger.id = device.logger_id
JOIN houses_house AS house ON house.id = logger.house_id
WHERE logger.serial = %(serial)s::varchar AND house.id = %(house)s::bigint
    AND device.address = %(address)s::smallint
FOR NO KEY UPDATE OF device
"""


def _read(device: LoggerDevice, log: LogFile, receipt: Receipt, counts: Counts) -> str:
    """Store what can be read, and say what it takes to read the rest."""
    device_class = _class(receipt)
    known = layouts.settle(device=device, log=log, device_class=device_class, now=receipt.received_at)
    assignments = _assignments(device)
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


def _assignments(device: LoggerDevice) -> list[Assignment]:
    """Which meters it is, newest first; their sources stay until the transaction ends."""
    models = {"assignment": Assignment, "meter": Meter, "source": Source}
    found = []
    for one, meter, source in select_joined(models, _ASSIGNMENTS, {"device": device.pk}):
        one.meter, meter.source = meter, source
        found.append(one)
    return found


_ASSIGNMENTS = """
FROM meters_assignment AS assignment
JOIN meters_meter AS meter ON meter.source_id = assignment.meter_id
JOIN readings_source AS source ON source.id = meter.source_id
WHERE assignment.device_id = %(device)s::bigint
ORDER BY assignment.starts DESC
FOR KEY SHARE OF source
"""


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
    first, last = int(log.stamps.min()), int(log.stamps.max())
    spans = fetch(_LATER, {"device": device.pk, "receipt": receipt.pk, "first": first, "last": last})
    return [(first, last) for first, last in spans]


_LATER = """
SELECT first, last FROM meters_uploadfile
WHERE device_id = %(device)s::bigint AND receipt_id > %(receipt)s::bigint
    AND first <= %(last)s::bigint AND last >= %(first)s::bigint
"""


def _remember(receipt: Receipt, device: LoggerDevice, log: LogFile, counts: Counts) -> None:
    """Write down what came of the file, and what it tells of the device."""
    empty = not log.stamps.size
    if log.bad:
        counts.note(f"Line {log.bad[0].line}: {log.bad[0].reason}.")
    told = {
        "receipt": receipt.pk,
        "device": device.pk,
        "rows": len(log.stamps) + log.bad_count,
        "new": counts.new,
        "same": counts.same,
        "changed": counts.changed,
        "rejected": counts.rejected,
        "faulty": int((~log.good).sum()),
        "first": None if empty else int(log.stamps.min()),
        "last": None if empty else int(log.stamps.max()),
        "notes": json.dumps(counts.notes),
    }
    run(_OUTCOME, told)
    if not empty and int(log.stamps.max()) >= (device.newest_row or 0):
        _describe(receipt, device, log)


_OUTCOME = """
UPDATE meters_uploadfile SET
    device_id = %(device)s::bigint, rows = %(rows)s::int, new = %(new)s::int, same = %(same)s::int,
    changed = %(changed)s::int, rejected = %(rejected)s::int, faulty = %(faulty)s::int,
    first = %(first)s::bigint, last = %(last)s::bigint, notes = %(notes)s::jsonb
WHERE receipt_id = %(receipt)s::bigint
"""


def _describe(receipt: Receipt, device: LoggerDevice, log: LogFile) -> None:
    """The device as its newest file shows it; older files that come late change nothing."""
    told = receipt.metadata.get("variables", {})
    last = int(log.stamps.argmax())
    good = log.stamps[log.good]
    newest_good = max([device.newest_good or 0, *good.max(initial=0).reshape(1).tolist()]) or None
    faults = codes.are_faults(log.codes)
    recent = log.stamps[faults & (log.stamps > (newest_good or 0))]
    shown = {
        "device": device.pk,
        "name": told.get("MODBUSDEVICENAME", "")[:120],
        "type": told.get("MODBUSDEVICETYPE", "")[:120],
        "type_number": told.get("MODBUSDEVICETYPENUMBER", "")[:40],
        "class": _class(receipt),
        "seen_at": receipt.received_at,
        "newest_row": int(log.stamps[last]),
        "newest_good": newest_good,
        "error_code": int(log.codes[last]),
        "failing_since": _failing_since(device, recent.min().item() if recent.size else None, newest_good),
    }
    run(_SHOWN, shown)


_SHOWN = """
UPDATE meters_loggerdevice SET
    name = %(name)s::varchar, type = %(type)s::varchar, type_number = %(type_number)s::varchar,
    device_class = %(class)s::int, first_seen_at = coalesce(first_seen_at, %(seen_at)s::timestamptz),
    last_seen_at = %(seen_at)s::timestamptz, newest_row = %(newest_row)s::bigint,
    newest_good = %(newest_good)s::bigint, error_code = %(error_code)s::int,
    failing_since = %(failing_since)s::bigint
WHERE id = %(device)s::bigint
"""


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
