"""Batches of readings: columns of numbers and of states that share their stamps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
Item = TypeVar("Item")


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
    """A batch as it should be."""

    source: str
    timestamps: list[int]
    fields: dict[str, list[float | None]] = {}
    states: dict[str, list[State | None]] = {}


class _Parts(msgspec.Struct):
    """A batch some of which is not as it should be: its parts, to be looked at one by one."""

    source: Raw = NULL
    timestamps: Raw = NULL
    fields: Raw = Raw(b"{}")
    states: Raw = Raw(b"{}")


_BATCH = msgspec.json.Decoder(_Batch)
_PARTS = msgspec.json.Decoder(_Parts)
_COLUMNS = msgspec.json.Decoder(dict[str, Raw])
_STAMPS = msgspec.json.Decoder(list[int])
# Takes neither text nor booleans, and no number a double cannot hold.
_NUMBERS = msgspec.json.Decoder(list[float | None])
_STATES = msgspec.json.Decoder(list[State | None])


def read(raw: Raw, scene: Scene) -> Part | None:
    """What of a batch can be stored, None for a batch refused as a whole. Refusals go to the ledger."""
    try:
        batch = _open(raw)
    except UNREADABLE:
        scene.ledger.refuse(None, Code.MALFORMED, count=1)
        return None
    name = batch.source if isinstance(batch.source, str) else text_of(batch.source)
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
    values = np.array(list(numbers.values()), np.float64).reshape(len(numbers), len(stamps))  # None: NaN
    keep = _keep(name, stamps, values, texts, target, scene)
    return _part(target, tuple(numbers), stamps, values, texts, keep)


def _open(raw: Raw) -> _Batch | _Parts:
    """All of the batch in one go where it is as it should be, which it nearly always is."""
    try:
        return _BATCH.decode(raw)
    except UNREADABLE:
        return _PARTS.decode(raw)


def _columns(
    name: str | None, columns: Raw | Mapping[str, list[Item]], scene: Scene
) -> Mapping[str, Raw | list[Item]]:
    if not isinstance(columns, Raw):
        return columns
    try:
        return _COLUMNS.decode(columns)
    except UNREADABLE:
        scene.ledger.refuse(name, Code.MALFORMED, count=1)
        return {}


def _stamps(given: Raw | list[int]) -> Stamps:
    try:
        stamps = _STAMPS.decode(given) if isinstance(given, Raw) else given
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
    name: str | None,
    columns: Mapping[str, Raw | list[Item]],
    read_one: Callable[[str, Raw | list[Item]], list[Item]],
    scene: Scene,
) -> dict[str, list[Item]]:
    accepted = {}
    for field, column in columns.items():
        try:
            accepted[field] = read_one(field, column)
        except RefusedError as refused:
            scene.ledger.refuse(name, refused.code, field=field, count=_count(column))
    return accepted


def _numbers(field: str, column: Raw | list[float | None], length: int) -> list[float | None]:
    if not is_field_name(field):
        raise RefusedError(Code.BAD_NAME)
    return _decode(_NUMBERS, column, length)


def _texts(field: str, column: Raw | list[State | None], length: int) -> list[State | None]:
    if not is_state_name(field):
        raise RefusedError(Code.BAD_NAME)
    values = _decode(_STATES, column, length)
    if not all(_is_state(value) for value in values):
        raise RefusedError(Code.BAD_VALUE)
    return values


def _decode(decoder: msgspec.json.Decoder[list[Item]], column: Raw | list[Item], length: int) -> list[Item]:
    try:
        values = decoder.decode(column) if isinstance(column, Raw) else column
    except UNREADABLE:
        raise RefusedError(Code.BAD_VALUE) from None
    if len(values) != length:
        raise RefusedError(Code.BAD_LENGTH)
    return values


def _is_state(value: State | None) -> bool:
    return not isinstance(value, str) or (len(value) <= STATE_LENGTH and is_text(value))


def _count(column: Raw | Sequence[object]) -> int:
    """The number of readings in a refused column; something that is no list is one."""
    values = value_of(column) if isinstance(column, Raw) else column
    return sum(item is not None for item in values) if isinstance(values, list) else 1


def _keep(
    name: str | None,
    stamps: Stamps,
    values: Numbers,
    texts: Mapping[str, list[State | None]],
    target: Target,
    scene: Scene,
) -> Mask | None:
    """Which stamps can be stored, None for all; the readings of the others are refused."""
    oldest = max(OLDEST, target.sealed_before or OLDEST)
    if not len(stamps) or (stamps.min() >= oldest and stamps.max() <= scene.newest):
        return None
    keep = np.ones(len(stamps), dtype=bool)
    present = _readings_at(values, texts)
    for code, out in _out_of_range(stamps, target, scene):
        if count := int(present[out].sum()):
            scene.ledger.refuse(name, code, count=count)
        keep &= ~out
    return keep


def _readings_at(values: Numbers, texts: Mapping[str, list[State | None]]) -> NDArray[np.int64]:
    """How many readings, and states, there are at each stamp."""
    present: NDArray[np.int64] = np.count_nonzero(~np.isnan(values), axis=0)
    for states in texts.values():
        present = present + np.array([state is not None for state in states], dtype=bool)
    return present


def _out_of_range(stamps: Stamps, target: Target, scene: Scene) -> Iterator[tuple[Code, Mask]]:
    too_old = stamps < OLDEST
    yield Code.TOO_OLD, too_old
    yield Code.IN_FUTURE, stamps > scene.newest
    if target.sealed_before is not None:
        yield Code.SEALED, (stamps < target.sealed_before) & ~too_old


def _part(
    target: Target,
    fields: tuple[str, ...],
    stamps: Stamps,
    values: Numbers,
    texts: Mapping[str, list[State | None]],
    keep: Mask | None,
) -> Part:
    states = {field: _stamped(stamps, keep, column) for field, column in texts.items()}
    if keep is not None:
        stamps, values = stamps[keep], values[:, keep]
    empty: Mask = np.logical_and.reduce(np.isnan(values), axis=1)
    if empty.any():  # a column of nothing but nulls says nothing, and creates no series
        fields = tuple(name for name, is_empty in zip(fields, empty.tolist(), strict=True) if not is_empty)
        values = values[~empty]
    return Part(target.id, fields, stamps, values, states)


def _stamped(stamps: Stamps, keep: Mask | None, states: list[State | None]) -> list[tuple[int, State]]:
    kept = [True] * len(states) if keep is None else keep.tolist()
    return [
        (stamp, state)
        for stamp, is_kept, state in zip(stamps.tolist(), kept, states, strict=True)
        if is_kept and state is not None
    ]
