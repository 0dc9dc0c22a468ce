"""Short ways to write uploads, and the dictionary that the store must agree with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

from apps.readings import store
from apps.readings.models import Source
from apps.readings.series import series_ids

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = 20_522  # the UTC day of NOW
T0 = DAY * store.DAY
NAN = float("nan")


def block(fields: str, stamps: Sequence[int], *rows: Sequence[float]) -> store.Block:
    """`fields` separated by spaces; one row of values each."""
    values = np.array(rows, np.float64).reshape(len(fields.split()), len(stamps))
    return store.Block(tuple(fields.split()), np.array(stamps, np.int64), values)


def append(source: Source, *blocks: store.Block, at: datetime = NOW) -> None:
    """Store one upload."""
    store.append([store.Upload(source.pk, blocks)], received_at=at)


def put(source: Source, field: str, readings: dict[int, float], at: datetime = NOW) -> None:
    """Store one field."""
    append(source, block(field, list(readings), list(readings.values())), at=at)


def number(source: Source, field: str) -> int:
    """The id of the field's series."""
    return series_ids(source.pk, [field])[field]


def held(source: Source, field: str, start: int = T0, end: int = T0 + store.DAY) -> dict[int, float]:
    """What the store returns of a field, as a dictionary."""
    series = number(source, field)
    return as_dict(store.read([series], start=start, end=end)[series])


def as_dict(samples: store.Samples) -> dict[int, float]:
    return dict(zip(samples.stamps.tolist(), samples.values.tolist(), strict=True))


def samples(readings: dict[int, float]) -> store.Samples:
    stamps = np.array(list(readings), np.int64)
    return store.Samples(stamps, np.array(list(readings.values()), np.float64))


def value_of(field: str, stamp: int) -> float:
    """A value that only the field and the stamp decide, so that repeats never contradict."""
    return ((stamp * 31 + sum(field.encode()) * 7919) % 100_003) / 10


def truth(field: str, stamps: Iterable[int]) -> dict[int, float]:
    """What a field holds whose values are `value_of`, in order of time."""
    return {stamp: value_of(field, stamp) for stamp in sorted(set(stamps))}
