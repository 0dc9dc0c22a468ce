"""Reading samples back: one statement, then decoding straight into the arrays that are returned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from apps.readings.arrivals import decode_rows, settle, touched
from apps.readings.codec import CorruptPayload, decode_clock, decode_values
from apps.readings.samples import DAY, EMPTY, Samples, Stamps, Values
from apps.readings.sql import array, fetch

_SOURCES = "ANY(ARRAY(SELECT DISTINCT source_id FROM readings_series WHERE id = ANY(%(series)s::bigint[])))"

# One statement is one snapshot: between two, compaction could move readings from the tail to the segments, or
# drop the clock a segment named. Clocks come once, however many series share them.
_READ = f"""
WITH packed AS MATERIALIZED (
    SELECT source_id, day, series_id, clock_id, count, payload FROM readings_segment
    WHERE source_id = {_SOURCES} AND day BETWEEN %(first)s::int AND %(last)s::int
        AND series_id = ANY(%(series)s::bigint[])
)
SELECT 's', source_id, day, series_id, clock_id, count, payload FROM packed
UNION ALL
SELECT 'c', clock.source_id, clock.day, clock.id, 0, 0, clock.payload
FROM (SELECT DISTINCT source_id, day, clock_id FROM packed) AS named
JOIN readings_clock AS clock
    ON (clock.source_id, clock.day, clock.id) = (named.source_id, named.day, named.clock_id)
UNION ALL
SELECT 't', source_id, day, id, 0, 0, payload FROM readings_tail
WHERE %(tail)s::boolean AND source_id = {_SOURCES} AND day BETWEEN %(first)s::int AND %(last)s::int
"""  # noqa: S608  no part of it comes from outside

_EXTENT = """
SELECT min(held.first), max(held.last)
FROM unnest(%(sources)s::bigint[]) AS source (id)
CROSS JOIN LATERAL (
    SELECT min(day), max(day) FROM readings_segment WHERE source_id = source.id
    UNION ALL
    SELECT min(day), max(day) FROM readings_tail WHERE source_id = source.id
) AS held (first, last)
"""

ClockKey = tuple[int, int, int]  # source, day, id


@dataclass(frozen=True, eq=False)
class _Piece:
    """One series over one day: `count` values, as stored or merged with arrivals already."""

    clock: ClockKey
    count: int
    values: bytes | Values


@dataclass(frozen=True, eq=False)
class _Span:
    """The stamps of some clocks one after another; [first, last) of them were asked for."""

    whole: int
    first: int
    last: int
    stamps: Stamps


class _Clocks:
    """Stamps by clock, each decoded when first needed."""

    def __init__(self, start: int, end: int) -> None:
        self.packed: dict[ClockKey, bytes] = {}
        self._single: dict[ClockKey, Stamps] = {}
        self._spans: dict[tuple[ClockKey, ...], _Span] = {}
        self._range = start, end

    def stamps(self, key: ClockKey) -> Stamps:
        if key not in self._single:
            self._single[key] = decode_clock(self.payload(key))
        return self._single[key]

    def payload(self, key: ClockKey) -> bytes:
        """The stored clock of a segment. Raises CorruptPayload where it is gone."""
        if key not in self.packed:
            raise CorruptPayload("The clock of a segment is missing.")
        return self.packed[key]

    def add(self, source_id: int, day: int, stamps: Stamps) -> ClockKey:
        """The key of merged stamps: the same one for the same stamps. Stored clocks have ids from 0 up."""
        number = -1
        while (key := (source_id, day, number)) in self._single:
            if np.array_equal(self._single[key], stamps):
                return key
            number -= 1
        self._single[key] = stamps
        return key

    def span(self, pieces: Sequence[_Piece]) -> _Span:
        """The stamps of a series, made once for all series on the same clocks."""
        keys = tuple(piece.clock for piece in pieces)
        if keys not in self._spans:
            self._spans[keys] = self._join(pieces)
        return self._spans[keys]

    def _join(self, pieces: Sequence[_Piece]) -> _Span:
        whole = np.empty(sum(piece.count for piece in pieces), np.int64)
        position = 0
        for piece in pieces:
            out = whole[position : position + piece.count]
            if piece.clock in self._single:
                out[:] = self._single[piece.clock]
            else:
                try:
                    decode_clock(self.payload(piece.clock), out)
                except CorruptPayload as error:
                    raise _placed(error, piece) from error
            position += piece.count
        first, last = np.searchsorted(whole, self._range).tolist()
        return _Span(len(whole), first, last, whole[first:last])


@dataclass
class _Found:
    """What the statement returned: pieces by series and day, clocks, and tail rows by source and day."""

    clocks: _Clocks
    pieces: dict[int, dict[int, _Piece]] = field(default_factory=lambda: defaultdict(dict))
    tails: dict[tuple[int, int], list[tuple[int, bytes]]] = field(default_factory=lambda: defaultdict(list))


def read(series_ids: Collection[int], *, start: int, end: int, tail: bool = True) -> dict[int, Samples]:
    """The samples of each series in [start, end) ms; every asked id is a key.

    A reading is seen from the moment its upload was answered, or without `tail` once it is compacted. Series
    sampled together share one `stamps` array. Raises CorruptPayload.
    """
    answer = dict.fromkeys(series_ids, EMPTY)
    if not answer or end <= start:
        return answer
    found = _find(list(answer), start, end, tail)
    for (source_id, day), rows in found.tails.items():
        _apply(found, source_id, day, rows, answer.keys())
    for number, days in found.pieces.items():
        answer[number] = _unpack([days[day] for day in sorted(days)], found.clocks)
    return answer


def extent(source_ids: Collection[int]) -> tuple[int, int]:
    """The UTC days that hold anything of the sources lie in [start, end) ms; (0, 0) when none does."""
    ((first, last),) = fetch(_EXTENT, {"sources": array(source_ids)})
    return (0, 0) if first is None else (first * DAY, (last + 1) * DAY)


def _find(series: list[int], start: int, end: int, tail: bool) -> _Found:
    found = _Found(_Clocks(start, end))
    days = {"first": start // DAY, "last": (end - 1) // DAY}
    rows = fetch(_READ, {"series": array(series), "tail": tail, **days})
    for row, source_id, day, number, clock_id, count, payload in rows:
        if row == "s":
            found.pieces[number][day] = _Piece((source_id, day, clock_id), count, payload)
        elif row == "c":
            found.clocks.packed[source_id, day, number] = payload
        else:
            found.tails[source_id, day].append((number, payload))
    return found


def _apply(
    found: _Found, source_id: int, day: int, rows: list[tuple[int, bytes]], wanted: Collection[int]
) -> None:
    """Replace the pieces of one day by what they are after the tail, which beats the segments."""
    arrivals = decode_rows(rows)
    series = touched(arrivals).intersection(wanted)
    stored = {number: _samples(found, number, day) for number in series if day in found.pieces[number]}
    for number, samples in settle(stored, arrivals, series).items():
        clock = found.clocks.add(source_id, day, samples.stamps)
        found.pieces[number][day] = _Piece(clock, len(samples), samples.values)


def _samples(found: _Found, number: int, day: int) -> Samples:
    piece = found.pieces[number][day]
    values = decode_values(piece.values) if isinstance(piece.values, bytes) else piece.values
    return Samples(found.clocks.stamps(piece.clock), values)


def _unpack(pieces: Sequence[_Piece], clocks: _Clocks) -> Samples:
    span = clocks.span(pieces)
    values = np.empty(span.whole, np.float64)
    position = 0
    for piece in pieces:
        out = values[position : position + piece.count]
        if isinstance(piece.values, bytes):
            try:
                decode_values(piece.values, out)
            except CorruptPayload as error:
                raise _placed(error, piece) from error
        else:
            out[:] = piece.values
        position += piece.count
    return Samples(span.stamps, values[span.first : span.last])


def _placed(error: CorruptPayload, piece: _Piece) -> CorruptPayload:
    _, day, _ = piece.clock
    return CorruptPayload(f"{datetime.fromtimestamp(day * DAY // 1000, UTC):%Y-%m-%d} (UTC): {error}")
