"""What a log tells besides values: that it was restarted, that a clock was set, that a point is out of range.

Rows with codes of their own become events. Faults and alarms last over many rows, so they are states of the
meter: an event is stored when one changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from apps.devices import events, states
from apps.devices.edge.happenings import Happening
from apps.meters.acquisuite import codes
from apps.meters.acquisuite.logfile import LogFile
from apps.meters.layouts import places as layouts_of
from apps.meters.layouts import points_of
from apps.meters.models import Assignment, Layout, Logger, LoggerDevice
from apps.meters.reading import Rows
from apps.readings import store
from apps.readings.models import Source

FAULT, LOW, HIGH = "fault", "alarm.low", "alarm.high"
NONE = "none"
"""The state of a meter that nothing is wrong with."""
LONGEST = 200

Stated = states.Stated


def take(
    *,
    device: LoggerDevice,
    log: LogFile,
    layouts: Sequence[Layout],
    assignments: Iterable[Assignment],
    at: datetime,
) -> None:
    """Store the events and changed states of a log. Twice is once."""
    rows = np.flatnonzero(np.isin(log.codes, list(codes.EVENTS)))
    assignments = list(assignments)
    events.add(
        house=device.logger.house,
        happened=[_happening(device, log, row, assignments) for row in rows.tolist()],
    )
    _note_clock(device.logger, log)
    for one in assignments:
        own = log.stamps >= one.starts
        if one.ends is not None:
            own &= log.stamps < one.ends
        if own.any() and one.meter.source.enabled:
            _take_states(one.meter.source, log, own, layouts, at)


def _happening(device: LoggerDevice, log: LogFile, row: int, assignments: Iterable[Assignment]) -> Happening:
    stamp, code = int(log.stamps[row]), int(log.codes[row])
    of = (one.meter_id for one in assignments if _holds(one, stamp))
    data = {"code": code, "logger": device.logger.serial, "address": device.address}
    return Happening(next(of, None), stamp, codes.EVENTS[code], data)


def _holds(assignment: Assignment, stamp: int) -> bool:
    return assignment.starts <= stamp and (assignment.ends is None or stamp < assignment.ends)


def _note_clock(logger: Logger, log: LogFile) -> None:
    changed = log.stamps[log.codes == codes.CLOCK_CHANGED]
    if not changed.size:
        return
    moment = datetime.fromtimestamp(int(changed.max()) / 1000, UTC)
    known = Logger.objects.filter(pk=logger.pk)
    (known.filter(clock_changed_at=None) | known.filter(clock_changed_at__lt=moment)).update(
        clock_changed_at=moment
    )


def _take_states(source: Source, log: LogFile, rows: Rows, layouts: Sequence[Layout], at: datetime) -> None:
    """A state that is only ever “none” is not worth storing."""
    found = {FAULT: _faults(log, rows), LOW: _alarms(log, rows, log.low, layouts)}
    found[HIGH] = _alarms(log, rows, log.high, layouts)
    quiet = all(text == NONE for stated in found.values() for _, text in stated)
    newest = store.latest([source.pk])[source.pk]
    if quiet and not found.keys() & newest.keys():
        return
    told = {
        field: stated
        for field, stated in found.items()
        if stated and (field in newest or any(text != NONE for _, text in stated))
    }
    reported: states.Reported = {(source.pk, field): stated for field, stated in told.items()}
    events.add(house=source.house, happened=states.changed(reported))
    store.append([store.Upload(source.pk, states=states.newest(reported)[source.pk])], received_at=at)


def _faults(log: LogFile, rows: Rows) -> Stated:
    """Rows of events say nothing of the meter."""
    there = sorted({codes.GOOD, *log.codes.tolist()})
    texts = [_fault(code) for code in there]
    telling = rows & (log.good | codes.are_faults(log.codes))
    return _at_changes(log, telling, texts, np.searchsorted(there, log.codes))


def _fault(code: int) -> str:
    return NONE if code == codes.GOOD else f"{code}: {codes.meaning(code)}"


def _alarms(log: LogFile, rows: Rows, bitmaps: Mapping[int, int], layouts: Sequence[Layout]) -> Stated:
    """Good rows tell; the alarm cells of others are empty whatever they were before."""
    numbers = {NONE: 0}
    which = np.zeros(len(log.stamps), np.intp)
    if bitmaps:
        names = [{point.number: point.name or point.field for point in points_of(one)} for one in layouts]
        places = layouts_of(layouts, log.stamps)
        for row, bitmap in bitmaps.items():
            which[row] = numbers.setdefault(_alarm(bitmap, names[places[row]]), len(numbers))
    return _at_changes(log, rows & log.good, list(numbers), which)


def _alarm(bitmap: int, names: Mapping[int, str]) -> str:
    points = [number for number in range(bitmap.bit_length()) if bitmap >> number & 1]
    return ", ".join(names.get(number) or f"point {number}" for number in points)[:LONGEST] or NONE


def _at_changes(log: LogFile, rows: Rows, texts: Sequence[str], which: NDArray[np.intp]) -> Stated:
    """The texts of these rows where they change, and the last; of rows of one stamp a good one counts.

    `which` (n,) tells each row's text by its place in `texts`, which all differ.
    """
    order = np.flatnonzero(rows)
    if not order.size:
        return []
    order = order[np.lexsort((log.good[order], log.stamps[order]))]
    stamps = log.stamps[order]
    order = order[np.append(stamps[1:] != stamps[:-1], True)]
    told = which[order]
    changes = np.append(True, told[1:] != told[:-1])
    changes[-1] = True
    return [(int(log.stamps[row]), texts[which[row]]) for row in order[changes].tolist()]
