"""From what drivers return to rows of the spool, and from rows to uploads in columns."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from collectors.agent.spool import Entry, Row
from collectors.agent.states import States
from collectors.drivers import Event, Reading
from collectors.drivers.values import State, as_number


class ReadingBody(msgspec.Struct, omit_defaults=True):
    """A reading as it lies in the spool; only states that changed are in it."""

    fields: dict[str, float | None]
    states: dict[str, State] = {}


def reading_rows(source: str, reading: Reading, states: States) -> list[Row]:
    """A reading as rows: its values with the states that changed, and warnings about states, if any.

    Raises DeviceError for values that are neither number, text nor boolean.
    """
    fields: dict[str, float | None] = {}
    found: dict[str, State] = {}
    for name, value in reading.values.items():
        match as_number(name, value):
            case str() | bool() as state:
                found[name] = state
            case number:
                fields[name] = number
    changed, warnings = states.changes(int(reading.timestamp), found)
    body = msgspec.json.encode(ReadingBody(fields, changed))
    row = Row(source, int(reading.timestamp), "reading", body)
    return [row, *(event_row(source, event) for event in warnings)]


def event_row(source: str, event: Event) -> Row:
    """An event as a row."""
    body = msgspec.json.encode({"type": event.type, "data": event.data})
    return Row(source, int(event.timestamp), "event", body)


def upload(entries: Iterable[Entry]) -> dict[str, Any]:
    """The ``batches`` and ``events`` of an upload: readings of a source with the same fields as columns."""
    groups: dict[tuple[str, tuple[str, ...]], list[tuple[int, ReadingBody]]] = {}
    events: list[dict[str, Any]] = []
    for _, row in entries:
        if row.what == "event":
            happened = msgspec.json.decode(row.body)
            events.append({"source": row.source, "timestamp": row.timestamp, **happened})
            continue
        body = msgspec.json.decode(row.body, type=ReadingBody)
        groups.setdefault((row.source, tuple(sorted(body.fields))), []).append((row.timestamp, body))
    batches = [_batch(source, names, readings) for (source, names), readings in groups.items()]
    return {"batches": batches, "events": events}


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


def refused_part(sent: Mapping[str, Any], refusal: Mapping[str, Any]) -> bytes:
    """The batches of an upload that a refusal speaks of, with the refusal, as JSON."""
    source = refusal.get("source")
    batches = [batch for batch in sent["batches"] if batch["source"] == source]
    return msgspec.json.encode({"refused": refusal, "batches": batches})
