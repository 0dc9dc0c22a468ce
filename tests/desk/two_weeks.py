"""Two weeks of the demo's house, as its devices would have delivered them, cut into uploads.

The meter is thinned to a reading each half minute, so that bringing them four times costs less than a minute.
All else is as the demo has it, in weeks in which Brussels puts its clocks forward, with what can go wrong
besides: a current transformer is clamped on the wrong way round for two days, and a register dips, says
nothing but zero in some nights, and is swapped.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from apps.desk import demo
from apps.desk.demo_devices import APPLIANCES
from apps.readings.times import milliseconds
from collectors.simulation.history import History
from collectors.simulation.world import World

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW = datetime(2026, 4, 5, 12, 7, tzinfo=UTC)
START, END = milliseconds(NOW) - 14 * DAY_MS, milliseconds(NOW)
GAP = (END - 3 * DAY_MS, END - 3 * DAY_MS + 4 * HOUR_MS)
REVERSED = range(START + 5 * DAY_MS, START + 7 * DAY_MS)
METER_STEP, REGISTER_STEP = 30_000, 300_000  # ms; the demo's meter has one of 10_000
SWAP = START + 9 * DAY_MS + 5 * HOUR_MS

Told = Mapping[str, History]
"""All that there is to tell, by device."""
Upload = tuple[int, bytes]
"""When the agent could first send it (ms), and its body."""


def two_weeks() -> Told:
    world = World(demo.SEED, START // DAY_MS * DAY_MS - 7 * DAY_MS, demo.BUILDING)
    return {**dict(_of_appliances(world)), "register": _register(world)}


def uploads(told: Told, each: int) -> list[Upload]:
    """All of it in order, `each` ms an upload."""
    bounds = range(START // each * each, END + each, each)
    return [(min(end, END), _body(told, begin, end)) for begin, end in pairwise(bounds)]


def large_uploads(told: Told, size: int) -> list[Upload]:
    """All of it in as few uploads as `size` bytes allow, cut at whole hours."""
    found = []
    begin = START // HOUR_MS * HOUR_MS
    while begin < END:
        end = _farthest(told, begin, size)
        found.append((END, _body(told, begin, end)))
        begin = end
    return found


def _farthest(told: Told, begin: int, size: int) -> int:
    ends = range(begin + HOUR_MS, END + 2 * HOUR_MS, HOUR_MS)
    return ends[bisect_left(ends, size + 1, key=lambda end: len(_body(told, begin, end))) - 1]


def _body(told: Told, begin: int, end: int) -> bytes:
    batches = [one for name, history in told.items() for one in _batches(name, history, begin, end)]
    events = [
        {"source": name, "timestamp": one.timestamp, "type": one.type, "data": dict(one.data)}
        for name, history in told.items()
        for one in history.events
        if begin <= one.timestamp < end
    ]
    return json.dumps({"batches": batches, "events": events}).encode()


def _batches(source: str, history: History, begin: int, end: int) -> Iterator[dict[str, Any]]:
    first, last = (bisect_left(history.timestamps, bound) for bound in (begin, end))
    if first < last:
        fields = {name: column[first:last] for name, column in history.fields.items()}
        yield {"source": source, "timestamps": history.timestamps[first:last], "fields": fields}


def _of_appliances(world: World) -> Iterator[tuple[str, History]]:
    for one in APPLIANCES:
        step = METER_STEP if one.kind == "egauge" else one.step
        history = one.past(world, -(-START // step) * step, END, step, GAP)
        if one.kind == "egauge":
            _turn_round(history, "A.GridPower")
        yield one.kind, history


def _turn_round(history: History, name: str) -> None:
    own = history.fields[name]
    own[:] = [-v if t in REVERSED else v for t, v in zip(history.timestamps, own, strict=True)]


def _register(world: World) -> History:
    """A meter's two registers in kWh, of which that of import has trouble."""
    stamps = [t for t in range(START, END, REGISTER_STEP) if not GAP[0] <= t < GAP[1]]
    before = world.energy(SWAP).load - 12  # what the new meter has not counted
    loads = [(t, world.energy(t).load) for t in stamps]
    taken = [round(kwh - before if t >= SWAP else kwh + 700, 2) for t, kwh in loads]
    dips = [kwh - 0.1 if place % 500 == 40 else kwh for place, kwh in enumerate(taken)]
    zeros = [0.0 if _is_quiet(t) else kwh for t, kwh in zip(stamps, dips, strict=True)]
    return History(stamps, {"import": zeros, "solar": [round(world.energy(t).solar, 2) for t in stamps]})


def _is_quiet(t: int) -> bool:
    return t // HOUR_MS % 24 < 3 and t // DAY_MS % 3 == 0
