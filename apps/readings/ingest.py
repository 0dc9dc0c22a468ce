"""Taking readings in: what arrives is on disk, in the order of arrival, when `append` returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from django.db import IntegrityError, connection, transaction
from numpy.typing import NDArray

from apps.readings import hints
from apps.readings.codec import Arrival, encode_arrivals
from apps.readings.latest import AHEAD, MERGE, Newest, Value, encode, newer
from apps.readings.models import Source
from apps.readings.samples import DAY, Stamps, Values
from apps.readings.series import forget, series_ids
from apps.readings.sql import array, run
from apps.readings.times import milliseconds


class UnknownSource(LookupError):  # noqa: N818  says what is wrong
    """Readings for sources that do not exist (any more); nothing of the call was stored."""

    def __init__(self, source_ids: frozenset[int]) -> None:
        super().__init__(f"No such sources: {sorted(source_ids)}")
        self.source_ids = source_ids


@dataclass(frozen=True, eq=False)
class Block:
    """Fields sampled together: `stamps` (n,) Unix ms in any order, `values` (len(fields), n), NaN = absent.

    Infinite values count as absent. Of equal stamps within one block the last wins.
    """

    fields: tuple[str, ...]
    stamps: Stamps
    values: Values

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.fields), len(self.stamps)):
            shape = f"{len(self.fields)} fields at {len(self.stamps)} stamps"
            raise ValueError(f"Values of shape {self.values.shape} for {shape}")


@dataclass(frozen=True)
class Upload:
    """What one source sent: blocks in order of precedence (later wins) and the newest state of each field."""

    source_id: int
    blocks: tuple[Block, ...] = ()
    states: Mapping[str, tuple[int, str | bool]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Arrived:
    """All that arrived of one source: tail payloads by day and what is newest."""

    source_id: int
    days: Mapping[int, bytes]
    newest: Newest


# %b: payloads go over as they are. Psycopg would send a list of them as text, in hexadecimal.
_APPEND = f"""
WITH given AS (
    SELECT source_id, newest, oldest, convert_from(fields, 'UTF8')::jsonb AS fields
    FROM unnest(
        %(sources)s::bigint[], %(newest)s::bigint[], %(oldest)s::bigint[], %(fields)b::bytea[]
    ) AS g (source_id, newest, oldest, fields)
), stored AS (
    INSERT INTO readings_tail (source_id, day, received_at, payload)
    SELECT source_id, day, %(received_at)b::timestamptz, payload
    FROM unnest(%(tails)s::bigint[], %(days)s::int[], %(payloads)b::bytea[]) AS t (source_id, day, payload)
)
{MERGE}
"""  # noqa: S608  no part of it comes from outside


def append(uploads: Sequence[Upload], *, received_at: datetime, held: bool = False) -> None:
    """Store uploads, all or nothing, in one statement.

    They are durable on return, or on commit inside a transaction. Undeclared fields become gauges of unknown
    unit. Raises UnknownSource; who holds the sources in a transaction, so that none can be deleted, says so
    by `held` and needs no savepoint.
    """
    try:
        with transaction.atomic() if connection.in_atomic_block and not held else nullcontext():
            arrived = [_pack(source_id, batch) for source_id, batch in _by_source(uploads)]
            _store([batch for batch in arrived if batch.newest], received_at)
    except IntegrityError as error:
        if gone := _forget_deleted({upload.source_id for upload in uploads}):
            raise UnknownSource(gone) from error
        raise
    for batch in arrived:
        for day in batch.days:
            hints.arrived(batch.source_id, day, at=received_at)


def _by_source(uploads: Sequence[Upload]) -> list[tuple[int, list[Upload]]]:
    """Sorted, so that two calls with the same sources lock their rows in the same order."""
    batches: dict[int, list[Upload]] = {}
    for upload in uploads:
        batches.setdefault(upload.source_id, []).append(upload)
    return sorted(batches.items())


def _pack(source_id: int, uploads: Iterable[Upload]) -> _Arrived:
    uploads = list(uploads)
    blocks = [block for upload in uploads for block in _present(upload.blocks)]
    numbers = series_ids(source_id, {name for block in blocks for name in block.fields})
    days: dict[int, list[Arrival]] = {}
    for block in blocks:
        series = np.array([numbers[name] for name in block.fields], np.int64)
        for day, stamps, values in _by_day(block):
            days.setdefault(day, []).append(Arrival(series, stamps, values))
    entries: list[tuple[str, tuple[int, Value]]] = [entry for block in blocks for entry in _newest(block)]
    entries += [entry for upload in uploads for entry in _states(upload)]
    return _Arrived(source_id, {day: encode_arrivals(days[day]) for day in sorted(days)}, newer(entries))


def _present(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks with infinities made absent, and without fields that are absent throughout."""
    for block in blocks:
        finite = np.isfinite(block.values)
        present = block if finite.all() else _without_absent(block, finite)
        if present.values.size:
            yield present


def _without_absent(block: Block, finite: NDArray[np.bool_]) -> Block:
    rows = np.logical_or.reduce(finite, axis=1)
    fields = tuple(name for name, kept in zip(block.fields, rows.tolist(), strict=True) if kept)
    return Block(fields, block.stamps, np.where(finite, block.values, np.nan)[rows])


def _by_day(block: Block) -> Iterator[tuple[int, Stamps, Values]]:
    days = block.stamps // DAY
    if days.min() == days.max():
        yield int(days[0]), block.stamps, block.values
        return
    order = np.argsort(days, kind="stable")  # which keeps the order within a day
    for own in np.split(order, np.flatnonzero(np.diff(days[order])) + 1):
        yield int(days[own[0]]), block.stamps[own], block.values[:, own]


def _newest(block: Block) -> Iterator[tuple[str, tuple[int, float]]]:
    """The newest present value of each field; of equal stamps the last."""
    at = len(block.stamps) - 1 - int(block.stamps[::-1].argmax())
    column = block.values[:, at]
    if np.isnan(column).any():
        yield from _newest_of_each(block)
        return
    stamp = int(block.stamps[at])
    yield from ((name, (stamp, value)) for name, value in zip(block.fields, column.tolist(), strict=True))


def _newest_of_each(block: Block) -> Iterator[tuple[str, tuple[int, float]]]:
    """Where some fields have nothing at the newest stamp. A stable sort keeps the last of equal ones last."""
    order = np.argsort(block.stamps, kind="stable")
    present = ~np.isnan(block.values[:, order])
    last = order[len(order) - 1 - present[:, ::-1].argmax(axis=1)]
    values = block.values[np.arange(len(last)), last]
    yield from zip(block.fields, zip(block.stamps[last].tolist(), values.tolist(), strict=True), strict=True)


def _states(upload: Upload) -> Iterator[tuple[str, tuple[int, str | bool]]]:
    """PostgreSQL's text knows no NUL character, so a state loses it."""
    for name, (stamp, state) in upload.states.items():
        yield name, (stamp, state.replace("\0", "") if isinstance(state, str) else state)


def _store(arrived: Sequence[_Arrived], received_at: datetime) -> None:
    if not arrived:
        return
    tails = [(batch.source_id, day, payload) for batch in arrived for day, payload in batch.days.items()]
    stamps = [[stamp for stamp, _ in batch.newest.values()] for batch in arrived]
    run(
        _APPEND,
        {
            "sources": array(batch.source_id for batch in arrived),
            "newest": array(map(max, stamps)),
            "oldest": array(map(min, stamps)),
            "fields": [encode(batch.newest) for batch in arrived],
            "received_at": received_at,
            "ahead": milliseconds(received_at) + AHEAD,
            "tails": array(source_id for source_id, _, _ in tails),
            "days": array(day for _, day, _ in tails),
            "payloads": [payload for _, _, payload in tails],
        },
    )


def _forget_deleted(source_ids: set[int]) -> frozenset[int]:
    """Those of the sources that were deleted while this process remembered their series."""
    gone = frozenset(source_ids - set(Source.objects.filter(pk__in=source_ids).values_list("pk", flat=True)))
    forget(gone)
    return gone
