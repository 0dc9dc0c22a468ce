"""Batches of readings: columns of numbers and of states that share their stamps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from apps.devices.edge.body import UNREADABLE
from apps.devices.edge.parts import (
    NULL,
    OLDEST,
    Scene,
    Target,
    is_field_name,
    is_state_name,
    is_text,
    text_of,
    value_of,
)
from apps.devices.edge.refusals import Code, RefusedError

MOST_FIELDS = 500
STATE_LENGTH = 1_000
FARTHEST = 2**63 - 1

State = str | bool
Stamps = NDArray[np.int64]
Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Column = TypeVar("Column")


@dataclass(frozen=True)
class Part:
    """What was accepted of one batch: numbers of shape (fields, stamps), NaN where there is none, and the
    states of each field with their stamps, in the order of the batch."""

    source_id: int
    fields: tuple[str, ...]
    stamps: Stamps
    values: Numbers
    states: dict[str, list[tuple[int, State]]]

    @property
    def stored(self) -> int:
        """The number of readings in it; states are none."""
        return int(np.count_nonzero(~np.isnan(self.values)))


class _Batch(msgspec.Struct):
    source: Raw = NULL
    timestamps: Raw = NULL
    fields: Raw = Raw(b"{}")
    states: Raw = Raw(b"{}")


_BATCH = msgspec.json.Decoder(_Batch)
_COLUMNS = msgspec.json.Decoder(dict[str, Raw])
_STAMPS = msgspec.json.Decoder(list[int])
# Takes neither text nor booleans, and no number a double cannot hold.
_NUMBERS = msgspec.json.Decoder(list[float | None])
_STATES = msgspec.json.Decoder(list[str | bool | None])


def read(raw: Raw, scene: Scene) -> Part | None:
    """What of a batch can be stored, None for a batch refused as a whole. Refusals go to the ledger."""
    try:
        batch = _BATCH.decode(raw)
    except UNREADABLE:
        scene.ledger.refuse(None, Code.MALFORMED, count=1)
        return None
    name = text_of(batch.source)
    fields, states = _columns(name, batch.fields, scene), _columns(name, batch.states, scene)
    try:
        target = scene.target(name)
        stamps = _stamps(batch.timestamps)
        _check_width(len(fields) + len(states))
    except RefusedError as refused:
        count = sum(map(_count, [*fields.values(), *states.values()]))
        scene.ledger.refuse(name, refused.code, count=count)
        return None
    numbers = _accepted(name, fields, lambda field, column: _numbers(field, column, len(stamps)), scene)
    texts = _accepted(name, states, lambda field, column: _texts(field, column, len(stamps)), scene)
    keep = _keep(name, stamps, _readings_at(len(stamps), numbers, texts), target, scene)
    return _part(target, stamps, keep, numbers, texts)


def _columns(name: str | None, raw: Raw, scene: Scene) -> dict[str, Raw]:
    try:
        return _COLUMNS.decode(raw)
    except UNREADABLE:
        scene.ledger.refuse(name, Code.MALFORMED, count=1)
        return {}


def _stamps(raw: Raw) -> Stamps:
    try:
        stamps = _STAMPS.decode(raw)
    except UNREADABLE:
        raise RefusedError(Code.BAD_TIMESTAMPS) from None
    try:
        return np.array(stamps, dtype=np.int64)
    except OverflowError:  # beyond 64 bits is but another way of being too old or in the future
        return np.array([max(-FARTHEST, min(stamp, FARTHEST)) for stamp in stamps], dtype=np.int64)


def _check_width(columns: int) -> None:
    if columns > MOST_FIELDS:
        raise RefusedError(Code.TOO_MANY_FIELDS)


def _accepted(
    name: str | None, columns: Mapping[str, Raw], read_one: Callable[[str, Raw], Column], scene: Scene
) -> dict[str, Column]:
    accepted = {}
    for field, raw in columns.items():
        try:
            accepted[field] = read_one(field, raw)
        except RefusedError as refused:
            scene.ledger.refuse(name, refused.code, field=field, count=_count(raw))
    return accepted


def _numbers(field: str, raw: Raw, length: int) -> Numbers:
    if not is_field_name(field):
        raise RefusedError(Code.BAD_NAME)
    values = _decode(_NUMBERS, raw, length)
    return np.array(values, dtype=np.float64)  # None becomes NaN


def _texts(field: str, raw: Raw, length: int) -> list[State | None]:
    if not is_state_name(field):
        raise RefusedError(Code.BAD_NAME)
    values = _decode(_STATES, raw, length)
    if not all(_is_state(value) for value in values):
        raise RefusedError(Code.BAD_VALUE)
    return values


def _decode(decoder: msgspec.json.Decoder[list[Column]], raw: Raw, length: int) -> list[Column]:
    try:
        values = decoder.decode(raw)
    except UNREADABLE:
        raise RefusedError(Code.BAD_VALUE) from None
    if len(values) != length:
        raise RefusedError(Code.BAD_LENGTH)
    return values


def _is_state(value: State | None) -> bool:
    return not isinstance(value, str) or (len(value) <= STATE_LENGTH and is_text(value))


def _count(raw: Raw) -> int:
    """The number of readings in a refused column; something that is no list is one."""
    value = value_of(raw)
    return sum(item is not None for item in value) if isinstance(value, list) else 1


def _readings_at(
    length: int, numbers: Mapping[str, Numbers], texts: Mapping[str, list[State | None]]
) -> NDArray[np.int64]:
    """How many readings, and states, there are at each stamp."""
    present = np.zeros(length, dtype=np.int64)
    for values in numbers.values():
        present += ~np.isnan(values)
    for states in texts.values():
        present += np.array([state is not None for state in states], dtype=bool)
    return present


def _keep(name: str | None, stamps: Stamps, present: NDArray[np.int64], target: Target, scene: Scene) -> Mask:
    """Which stamps can be stored; the readings of the others are refused."""
    keep = np.ones(len(stamps), dtype=bool)
    for code, out in _out_of_range(stamps, target, scene):
        if count := int(present[out].sum()):
            scene.ledger.refuse(name, code, count=count)
        keep &= ~out
    return keep


def _out_of_range(stamps: Stamps, target: Target, scene: Scene) -> Iterator[tuple[Code, Mask]]:
    too_old = stamps < OLDEST
    yield Code.TOO_OLD, too_old
    yield Code.IN_FUTURE, stamps > scene.newest
    if target.sealed_before is not None:
        yield Code.SEALED, (stamps < target.sealed_before) & ~too_old


def _part(
    target: Target,
    stamps: Stamps,
    keep: Mask,
    numbers: Mapping[str, Numbers],
    texts: Mapping[str, list[State | None]],
) -> Part:
    kept = {field: values[keep] for field, values in numbers.items()}
    # A column of nothing but nulls says nothing, and creates no series.
    kept = {field: values for field, values in kept.items() if not np.isnan(values).all()}
    return Part(
        source_id=target.id,
        fields=tuple(kept),
        stamps=stamps[keep],
        values=np.array(list(kept.values()), dtype=np.float64).reshape(len(kept), int(keep.sum())),
        states={field: _stamped(stamps, keep, states) for field, states in texts.items()},
    )


def _stamped(stamps: Stamps, keep: Mask, states: list[State | None]) -> list[tuple[int, State]]:
    return [
        (stamp, state)
        for stamp, kept, state in zip(stamps.tolist(), keep.tolist(), states, strict=True)
        if kept and state is not None
    ]
