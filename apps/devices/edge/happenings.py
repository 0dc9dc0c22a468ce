"""Events as agents report them, and the events that changed states become."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw

from apps.devices.edge.batches import State
from apps.devices.edge.body import UNREADABLE
from apps.devices.edge.parts import NULL, OLDEST, Scene, Target, is_storable, text_of, value_of
from apps.devices.edge.refusals import Code, RefusedError
from apps.devices.models import STATE

TYPE_LENGTH = 64
DATA_SIZE = 64 * 1024  # bytes as JSON


@dataclass(frozen=True)
class Happening:
    """An event to store; `source_id` is None for one of the agent itself."""

    source_id: int | None
    timestamp: int
    type: str
    data: dict[str, Any]

    @property
    def digest(self) -> bytes:
        """16 bytes that equal data share, in whatever order its keys come."""
        return hashlib.blake2b(msgspec.json.encode(self.data, order="sorted"), digest_size=16).digest()


class _Event(msgspec.Struct):
    timestamp: Raw = NULL
    type: Raw = NULL
    source: Raw = NULL
    data: Raw = NULL


_EVENT = msgspec.json.Decoder(_Event)
_EVENTS = msgspec.json.Decoder(list[Raw])


def read_all(raw: Raw, scene: Scene) -> list[Happening]:
    """The events of an upload that can be stored. Refusals go to the ledger."""
    try:
        events = _EVENTS.decode(raw)
    except UNREADABLE:
        scene.ledger.refuse(None, Code.MALFORMED, count=1)
        return []
    return [happening for event in events if (happening := read(event, scene))]


def read(raw: Raw, scene: Scene) -> Happening | None:
    """The event, None for one that was refused."""
    try:
        event = _EVENT.decode(raw)
    except UNREADABLE:
        scene.ledger.refuse(None, Code.MALFORMED, count=1)
        return None
    try:
        return _happening(event, scene)
    except RefusedError as refused:
        scene.ledger.refuse(text_of(event.source), refused.code, count=1)
        return None


def _happening(event: _Event, scene: Scene) -> Happening:
    target = _target(event.source, scene)
    return Happening(
        source_id=None if target is None else target.id,
        timestamp=_timestamp(event.timestamp, target, scene),
        type=_type(event.type),
        data=_data(event.data),
    )


def _target(raw: Raw, scene: Scene) -> Target | None:
    """The source an event names; None for none: the agent itself."""
    if value_of(raw) is not None:
        return scene.target(text_of(raw))
    if not scene.enabled:
        raise RefusedError(Code.DISABLED_SOURCE)
    return None


def _timestamp(raw: Raw, target: Target | None, scene: Scene) -> int:
    stamp = value_of(raw)
    if type(stamp) is not int:  # a boolean is an int to isinstance
        raise RefusedError(Code.BAD_TIMESTAMPS)
    if stamp < OLDEST:
        raise RefusedError(Code.TOO_OLD)
    if stamp > scene.newest:
        raise RefusedError(Code.IN_FUTURE)
    if target is not None and stamp < (target.sealed_before or 0):
        raise RefusedError(Code.SEALED)
    return stamp


def _type(raw: Raw) -> str:
    name = text_of(raw)
    # STATE is what changed states are stored as; an agent sends those in batches.
    if name is None or not 1 <= len(name) <= TYPE_LENGTH or not name.isprintable() or name == STATE:
        raise RefusedError(Code.BAD_NAME)
    return name


def _data(raw: Raw) -> dict[str, Any]:
    data = value_of(raw)
    if data is None:
        return {}
    if not isinstance(data, dict) or len(bytes(raw)) > DATA_SIZE or not is_storable(data):
        raise RefusedError(Code.BAD_VALUE)
    return data


def changes(
    known: Sequence[tuple[int, State]], reported: Iterable[tuple[int, State]]
) -> list[tuple[int, State]]:
    """The `reported` states that differ from the state before their stamp, reported or `known`.

    `known` is in the order of stamps; of reports for one stamp the last counts.
    """
    changed, earlier, position = [], list(known), 0
    previous: tuple[int, State | None] = (0, None)
    for stamp, state in sorted(dict(reported).items()):
        while position < len(earlier) and earlier[position][0] < stamp:
            previous = max(previous, earlier[position], key=lambda item: item[0])
            position += 1
        if state != previous[1]:
            changed.append((stamp, state))
        previous = (stamp, state)
    return changed


def state_event(source_id: int, field: str, stamp: int, state: State) -> Happening:
    """The event that a changed state is stored as."""
    return Happening(source_id, stamp, STATE, {"field": field, "value": state})
