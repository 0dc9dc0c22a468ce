"""One source-day as it is stored, and how it is changed: only by who holds the source's lock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count

from apps.readings.codec import decode_clock, decode_values, encode_clock, encode_values
from apps.readings.samples import EMPTY, Samples, Stamps, find
from apps.readings.sql import fetch, run

_LOAD = """
SELECT 's', series_id, clock_id, payload FROM readings_segment
WHERE source_id = %(source)s::bigint AND day = %(day)s::int
UNION ALL
SELECT 'c', id, 0, payload FROM readings_clock WHERE source_id = %(source)s::bigint AND day = %(day)s::int
UNION ALL
SELECT 't', id, 0, payload FROM readings_tail WHERE source_id = %(source)s::bigint AND day = %(day)s::int
"""

_PUT_CLOCKS = """
INSERT INTO readings_clock (source_id, day, id, payload)
SELECT %(source)s::bigint, %(day)s::int, id, payload
FROM unnest(%(ids)s::int[], %(payloads)s::bytea[]) AS new (id, payload)
ON CONFLICT (source_id, day, id) DO UPDATE SET payload = excluded.payload
"""

_DROP_CLOCKS = """
DELETE FROM readings_clock
WHERE source_id = %(source)s::bigint AND day = %(day)s::int AND id = ANY(%(ids)s::int[])
"""

_PUT_SEGMENTS = """
INSERT INTO readings_segment AS old (source_id, day, series_id, clock_id, count, revision, payload)
SELECT %(source)s::bigint, %(day)s::int, series_id, clock_id, count, 1, payload
FROM unnest(%(series)s::bigint[], %(clocks)s::int[], %(counts)s::int[], %(payloads)s::bytea[])
    AS new (series_id, clock_id, count, payload)
ON CONFLICT (source_id, day, series_id) DO UPDATE SET
    clock_id = excluded.clock_id,
    count = excluded.count,
    revision = old.revision + 1,
    payload = excluded.payload
"""

_DROP_SEGMENTS = """
DELETE FROM readings_segment
WHERE source_id = %(source)s::bigint AND day = %(day)s::int AND series_id = ANY(%(series)s::bigint[])
"""

_DROP_TAIL = "DELETE FROM readings_tail WHERE source_id = %(source)s::bigint AND id = ANY(%(ids)s::bigint[])"


@dataclass
class StoredDay:
    """Segments by series as (clock id, payload), clocks by id, tail rows as (id, payload)."""

    source_id: int
    day: int
    segments: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    clocks: dict[int, bytes] = field(default_factory=dict)
    tail: list[tuple[int, bytes]] = field(default_factory=list)
    _stamps: dict[int, Stamps] = field(default_factory=dict)

    def stamps(self, clock_id: int) -> Stamps:
        """The stamps of a clock, decoded once."""
        if clock_id not in self._stamps:
            self._stamps[clock_id] = decode_clock(self.clocks[clock_id])
        return self._stamps[clock_id]

    def samples(self, series: int) -> Samples:
        """What the segment of a series holds, without the tail."""
        if series not in self.segments:
            return EMPTY
        clock_id, payload = self.segments[series]
        return Samples(self.stamps(clock_id), decode_values(payload))


def load(source_id: int, day: int) -> StoredDay:
    """The whole source-day as of one moment."""
    stored = StoredDay(source_id, day)
    for row, number, clock_id, payload in fetch(_LOAD, {"source": source_id, "day": day}):
        if row == "s":
            stored.segments[number] = clock_id, payload
        elif row == "c":
            stored.clocks[number] = payload
        else:
            stored.tail.append((number, payload))
    return stored


def write(stored: StoredDay, contents: Mapping[int, Samples]) -> frozenset[int]:
    """Make the segments of some series hold `contents`; empty samples remove them.

    Returns the series whose samples really changed; for the others nothing is written.
    """
    changed = {
        number: samples for number, samples in contents.items() if not stored.samples(number).equals(samples)
    }
    if changed:
        present = {number: samples for number, samples in changed.items() if len(samples)}
        clocks = _write_clocks(stored, present, stored.segments.keys() - changed.keys())
        _write_segments(stored, present, clocks)
        _run(stored, _DROP_SEGMENTS, series=list(changed.keys() & stored.segments.keys() - present.keys()))
    return frozenset(changed)


def drop_tail(stored: StoredDay) -> None:
    """Delete exactly the tail rows that were loaded: others may have arrived since."""
    _run(stored, _DROP_TAIL, ids=[number for number, _ in stored.tail])


def _write_clocks(
    stored: StoredDay, present: Mapping[int, Samples], untouched: Collection[int]
) -> dict[int, int]:
    """Store the clocks of `present`, drop those nobody uses any more; returns the clock id of each series."""
    vectors, places = _distinct(present)
    kept = {stored.segments[number][0] for number in untouched}
    ids = _identify(stored, vectors, kept)
    new = [position for position, number in enumerate(ids) if not _holds(stored, number, vectors[position])]
    _run(stored, _DROP_CLOCKS, ids=list(stored.clocks.keys() - kept - set(ids)))
    _run(
        stored,
        _PUT_CLOCKS,
        ids=[ids[position] for position in new],
        payloads=[encode_clock(vectors[position]) for position in new],
    )
    return {number: ids[place] for number, place in places.items()}


def _distinct(present: Mapping[int, Samples]) -> tuple[list[Stamps], dict[int, int]]:
    """The distinct vectors of stamps, and which of them each series has."""
    vectors: list[Stamps] = []
    places: dict[int, int] = {}
    for number, samples in present.items():
        place = find(samples.stamps, vectors)
        if place is None:
            place = len(vectors)
            vectors.append(samples.stamps)
        places[number] = place
    return vectors, places


def _identify(stored: StoredDay, vectors: Iterable[Stamps], kept: Collection[int]) -> list[int]:
    """A clock id for each vector: the one it has already, else the lowest that is free."""
    known = [(number, stored.stamps(number)) for number in sorted(stored.clocks)]
    places = [find(vector, [stamps for _, stamps in known]) for vector in vectors]
    had = [None if place is None else known[place][0] for place in places]
    taken = {*kept, *(number for number in had if number is not None)}
    free = (number for number in count() if number not in taken)
    return [next(free) if number is None else number for number in had]


def _holds(stored: StoredDay, clock_id: int, stamps: Stamps) -> bool:
    return clock_id in stored.clocks and find(stamps, [stored.stamps(clock_id)]) is not None


def _write_segments(stored: StoredDay, present: Mapping[int, Samples], clocks: Mapping[int, int]) -> None:
    _run(
        stored,
        _PUT_SEGMENTS,
        series=list(present),
        clocks=[clocks[number] for number in present],
        counts=[len(samples) for samples in present.values()],
        payloads=[encode_values(samples.values) for samples in present.values()],
    )


def _run(stored: StoredDay, query: str, **columns: list[int] | list[bytes]) -> None:
    """Run a statement on the source-day, unless its columns are empty."""
    if all(columns.values()):
        run(query, {"source": stored.source_id, "day": stored.day, **columns})
