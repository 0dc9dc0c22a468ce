"""From what drivers return to rows of the spool, and from rows to uploads in columns."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from collectors.agent.spool import Entry, Row
from collectors.drivers import DeviceError, Event, Reading, Value

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)

State = str | bool


class ReadingBody(msgspec.Struct, omit_defaults=True):
    """A reading as it lies in the spool; only states that changed are in it."""

    fields: dict[str, float | None]
    states: dict[str, State] = {}


class States:
    """The last state of each field of a source, to send one only when it changes."""

    def __init__(self) -> None:
        self._last: dict[str, State] = {}

    def row(self, source: str, reading: Reading) -> Row:
        """The reading as a row. Raises DeviceError for values that are neither number, text nor boolean."""
        fields: dict[str, float | None] = {}
        states: dict[str, State] = {}
        for name, value in reading.values.items():
            match as_number(name, value):
                case str() | bool() as state:
                    states[name] = state
                case number:
                    fields[name] = number
        changed = {name: state for name, state in states.items() if self._last.get(name) != state}
        self._last |= changed
        body = msgspec.json.encode(ReadingBody(fields, changed))
        return Row(source, int(reading.timestamp), "reading", body)


def as_number(name: str, value: Value) -> float | State | None:
    """A number where there is one, also in text; otherwise the state, and None for what is no value."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return as_number(name, float(value)) if NUMBER.fullmatch(value) else value
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e300 else None  # not so for NaN and infinity either
    raise DeviceError(f"The driver delivered {name} as {type(value).__name__}, which is no value.")


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
