"""From what drivers return to rows of the spool, and from rows to uploads in columns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from collectors.agent.spool import Entry, Row
from collectors.agent.states import States
from collectors.drivers import DeviceError, Event, Reading
from collectors.drivers.values import State, as_number

LAST_STAMP = 2**53


class ReadingBody(msgspec.Struct, omit_defaults=True):
    """A reading as it lies in the spool; only states that changed are in it."""

    fields: dict[str, float | None]
    states: dict[str, State] = {}


class EventBody(msgspec.Struct):
    """An event as it lies in the spool."""

    type: str
    data: dict[str, Any]


def reading_row(source: str, reading: Reading, states: States) -> Row:
    """A reading as a row: its numbers, and the states that changed.

    Raises DeviceError for values that are neither number, text nor boolean, and for impossible stamps.
    """
    fields: dict[str, float | None] = {}
    found: dict[str, State] = {}
    for name, value in reading.values.items():
        match as_number(name, value):
            case str() | bool() as state:
                found[name] = state
            case number:
                fields[name] = number
    stamp = _stamp(reading.timestamp)
    body = ReadingBody(fields, states.changes(stamp, found))
    return Row(source, stamp, "reading", msgspec.json.encode(body))


def event_row(source: str, event: Event) -> Row:
    """An event as a row; an empty source is the agent itself. Raises DeviceError for an impossible stamp."""
    return Row(
        source, _stamp(event.timestamp), "event", msgspec.json.encode(EventBody(event.type, dict(event.data)))
    )


def _stamp(timestamp: float) -> int:
    if not (isinstance(timestamp, int | float) and 0 <= timestamp < LAST_STAMP):
        raise DeviceError("The driver delivered a timestamp that is no moment.")
    return int(timestamp)


def upload(entries: Iterable[Entry]) -> dict[str, Any]:
    """The ``batches`` and ``events`` of an upload: readings of a source with the same fields as columns."""
    groups: dict[tuple[str, tuple[str, ...]], list[tuple[int, ReadingBody]]] = {}
    events: list[dict[str, Any]] = []
    for _, row in entries:
        if row.what == "event":
            events.append(
                event_part(row.source, row.timestamp, msgspec.json.decode(row.body, type=EventBody))
            )
            continue
        body = msgspec.json.decode(row.body, type=ReadingBody)
        groups.setdefault((row.source, tuple(sorted(body.fields))), []).append((row.timestamp, body))
    batches = [_batch(source, names, readings) for (source, names), readings in groups.items()]
    return {"batches": batches, "events": events}


def event_part(source: str, timestamp: int, body: EventBody) -> dict[str, Any]:
    """An event as uploads carry it; one of the agent itself names no source."""
    named = {"source": source} if source else {}
    return {**named, "timestamp": timestamp, "type": body.type, "data": body.data}


def is_whole(row: Row) -> bool:
    """Whether the body of a row is what it was when it was written."""
    try:
        msgspec.json.decode(row.body, type=EventBody if row.what == "event" else ReadingBody)
    except msgspec.MsgspecError:
        return False
    return True


def _batch(source: str, names: Sequence[str], readings: Sequence[tuple[int, ReadingBody]]) -> dict[str, Any]:
    states = sorted({name for _, body in readings for name in body.states})
    batch: dict[str, Any] = {
        "source": source,
        "timestamps": [timestamp for timestamp, _ in readings],
        "fields": {name: [body.fields[name] for _, body in readings] for name in names},
    }
    if states:
        batch["states"] = {name: [body.states.get(name) for _, body in readings] for name in states}
    return batch


def refused_parts(
    sent: Mapping[str, Any], refused: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, bytes]]:
    """What of an upload was refused, source by source: the reasons, and the refusals with it as JSON."""
    for source in dict.fromkeys(refusal.get("source") for refusal in refused):
        own = [refusal for refusal in refused if refusal.get("source") == source]
        parts = {
            name: [part for part in sent[name] if part.get("source") == source]
            for name in ("batches", "events")
        }
        reasons = dict.fromkeys(str(refusal.get("code")) for refusal in own)
        yield " ".join(reasons), msgspec.json.encode({"refused": own, **parts})
