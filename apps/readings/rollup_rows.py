"""Rollups and borders as rows: written where they differ from what is stored, and read back as columns."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from apps.readings.arrays import pack_floats, pack_integers, unpack_floats, unpack_integers
from apps.readings.borders import Border
from apps.readings.local_days import Days
from apps.readings.models import Series
from apps.readings.rollups import NAMES, Columns, grouped
from apps.readings.samples import Stamps, Values
from apps.readings.sql import array, fetch, run, run_many

_NUMBERS = NAMES[1:-1]
_NAMES = (*NAMES, "starts", *(f"hour_{name}" for name in NAMES))

Row = tuple[Any, ...]
"""What a rollup holds, in the order of _NAMES; arrays as PostgreSQL sends them."""

_SENT = ", ".join(name if "_" not in name and name != "starts" else f"array_send({name})" for name in _NAMES)

_EXISTING = """
SELECT rollup.series_id, rollup.day, {sent}
FROM unnest(%(series)b::bigint[], %(first)b::date[], %(last)b::date[]) AS asked (id, first_day, last_day)
JOIN readings_rollup AS rollup ON rollup.source_id = %(source)s::bigint AND rollup.series_id = asked.id
    AND rollup.day BETWEEN asked.first_day AND asked.last_day
WHERE rollup.starts[1] >= %(sealed)s::bigint
""".format(sent=_SENT)  # noqa: UP032  an f-string of this length hides what is put in

_PUT = """
INSERT INTO readings_rollup (source_id, series_id, day, {names})
VALUES (%(source)s, %(series)s, %(day)s, {values})
ON CONFLICT (source_id, series_id, day) DO UPDATE SET {updates}
""".format(
    names=", ".join(_NAMES),
    values=", ".join(f"%({name})s" for name in _NAMES),
    updates=", ".join(f"{name} = excluded.{name}" for name in _NAMES),
)

_DAYS = """
SELECT series_id, starts[1], starts[array_upper(starts, 1)], {names} FROM readings_rollup
WHERE source_id = %(source)s::bigint AND series_id = ANY(%(series)s::bigint[])
    AND day BETWEEN %(first)s::date AND %(last)s::date
ORDER BY series_id, day
"""

_HOURS = """
SELECT series_id, array_send(starts), {names} FROM readings_rollup
WHERE source_id = %(source)s::bigint AND series_id = ANY(%(series)s::bigint[])
    AND day BETWEEN %(first)s::date AND %(last)s::date
ORDER BY series_id, day
"""

_DROP = """
DELETE FROM readings_rollup USING unnest(%(series)b::bigint[], %(days)b::date[]) AS gone (series, day)
WHERE source_id = %(source)s::bigint AND series_id = gone.series AND readings_rollup.day = gone.day
"""

_PUT_BORDER = """
INSERT INTO readings_boundary (source_id, series_id, day, first_stamp, first_value, first_length,
    last_stamp, last_value, state, advance_start, advance_end, increase)
VALUES (%(source)s, %(series)s, %(day)s, %(first_stamp)s, %(first_value)s, %(first_length)s,
    %(last_stamp)s, %(last_value)s, %(state)s::jsonb, %(begin)s, %(end)s, %(increase)s)
ON CONFLICT (source_id, series_id, day) DO UPDATE SET
    first_stamp = excluded.first_stamp, first_value = excluded.first_value,
    first_length = excluded.first_length, last_stamp = excluded.last_stamp,
    last_value = excluded.last_value, state = excluded.state, advance_start = excluded.advance_start,
    advance_end = excluded.advance_end, increase = excluded.increase
"""

_DROP_BORDERS = """
DELETE FROM readings_boundary USING unnest(%(series)b::bigint[], %(days)b::int[]) AS gone (series, day)
WHERE source_id = %(source)s::bigint AND series_id = gone.series AND readings_boundary.day = gone.day
"""

Key = tuple[int, date]  # series, local day


@dataclass(frozen=True, eq=False)
class Stored:
    """Bins in order of time, not necessarily without gaps between them: the i-th is [begins[i], ends[i]) ms.

    The edges of `columns` mean nothing.
    """

    begins: Stamps
    ends: Stamps
    columns: Columns


def read(
    source_id: int, series: Sequence[Series], start: int, end: int, *, hourly: bool, names: Sequence[str]
) -> dict[int, Stored]:
    """The stored days, or their hours, of some series of a source around [start, end) ms, by series id.

    Of the columns only `names` are read; the others are NaN. Series without any are no keys. One statement.
    """
    day = timedelta(days=1)
    asked = {
        "source": source_id,
        "series": array(one.pk for one in series),
        "first": _utc_date(start) - day,
        "last": _utc_date(end) + day,
    }
    sent = ", ".join(f"array_send(hour_{name})" if hourly else name for name in names)
    rows_ = fetch((_HOURS if hourly else _DAYS).format(names=sent), asked)
    found = {}
    for number, own in groupby(rows_, key=itemgetter(0)):
        kind = next(one.kind for one in series if one.pk == number)
        found[number] = (_hours_of if hourly else _days_of)(list(own), names, kind)
    return found


def replaced(stored: Stored | None, fresh: Stored) -> Stored:
    """`stored` with what begins within `fresh`, which has no gaps, taken from there."""
    if stored is None:
        return fresh
    first, last = np.searchsorted(stored.begins, (fresh.begins[0], fresh.ends[-1])).tolist()

    def joined(old: Values | None, new: Values | None) -> Values | None:
        return None if old is None or new is None else np.concatenate((old[:first], new, old[last:]))

    begins = np.concatenate((stored.begins[:first], fresh.begins, stored.begins[last:]))
    ends = np.concatenate((stored.ends[:first], fresh.ends, stored.ends[last:]))
    columns: dict[str, Any] = {
        name: joined(getattr(stored.columns, name), getattr(fresh.columns, name)) for name in NAMES
    }
    return Stored(begins, ends, Columns(edges=begins, **columns))


def _days_of(rows_: Sequence[Row], names: Sequence[str], kind: str) -> Stored:
    _, begins, ends, *columns = zip(*rows_, strict=True)
    given = {name: np.array(own, np.float64) for name, own in zip(names, columns, strict=True)}
    return _stored(np.array(begins, np.int64), np.array(ends, np.int64), given, kind)


def _hours_of(rows_: Sequence[Row], names: Sequence[str], kind: str) -> Stored:
    starts = [unpack_integers(row[1]) for row in rows_]
    begins, ends = (np.concatenate([own[cut] for own in starts]) for cut in (slice(None, -1), slice(1, None)))
    columns = zip(*[row[2:] for row in rows_], strict=True)
    given = {
        name: unpack_floats([_sent(payload, one) for payload, one in zip(own, starts, strict=True)])
        for name, own in zip(names, columns, strict=True)
    }
    return _stored(begins, ends, given, kind)


def _sent(payload: bytes | None, starts: Stamps) -> bytes:
    """Missing all over where the row is from a time when its series was of another kind."""
    return pack_floats(np.full(starts.size - 1, np.nan)) if payload is None else payload


def _stored(begins: Stamps, ends: Stamps, given: dict[str, Values], kind: str) -> Stored:
    absent = "integral" if kind == "counter" else "increase"
    missing = np.full(begins.size, np.nan)
    columns: dict[str, Any] = {name: None if name == absent else given.get(name, missing) for name in NAMES}
    return Stored(begins, ends, Columns(edges=begins, **columns))


def _utc_date(instant: int) -> date:
    return datetime.fromtimestamp(instant / 1000, UTC).date()


def rows(days: Days, hours: Columns) -> Iterator[tuple[date, Row]]:
    """The rows of one series, one for each day that something is known of."""
    places = np.searchsorted(hours.edges, days.bounds)
    filled = np.add.reduceat(hours.count + hours.covered, places[:-1]) > 0
    if not filled.any():
        return
    whole = grouped(hours, places)
    for place in np.flatnonzero(filled).tolist():
        yield days.dates[place], _row(whole, hours, place, slice(places[place], places[place + 1]))


def existing(source_id: int, ranges: Mapping[int, tuple[date, date]], *, sealed: int) -> dict[Key, Row]:
    """The rows of some series between two local days each, both included, that begin at `sealed` or later."""
    asked = {
        "source": source_id,
        "series": list(ranges),
        "first": [first for first, _ in ranges.values()],
        "last": [last for _, last in ranges.values()],
        "sealed": sealed,
    }
    return {(number, day): tuple(row) for number, day, *row in fetch(_EXISTING, asked)}


def write(source_id: int, new: Mapping[Key, Row], old: Mapping[Key, Row]) -> int:
    """Make the rows `old` into `new`, writing only what differs; returns how many were written or deleted."""
    changed = {key: row for key, row in new.items() if old.get(key) != row}
    if changed:
        run_many(
            _PUT,
            [
                {"source": source_id, "series": number, "day": day, **dict(zip(_NAMES, row, strict=True))}
                for (number, day), row in changed.items()
            ],
        )
    gone = old.keys() - new.keys()
    if gone:
        asked = {"series": [number for number, _ in gone], "days": [day for _, day in gone]}
        run(_DROP, {"source": source_id, **asked})
    return len(changed) + len(gone)


def put_borders(source_id: int, borders: Iterable[tuple[int, int, Border]]) -> None:
    """Store borders by (series, UTC day)."""
    given = [_border(source_id, number, day, own) for number, day, own in borders]
    if given:
        run_many(_PUT_BORDER, given)


def drop_borders(source_id: int, keys: Collection[tuple[int, int]]) -> None:
    """Delete the borders of days without data."""
    if keys:
        asked = {"series": [number for number, _ in keys], "days": [day for _, day in keys]}
        run(_DROP_BORDERS, {"source": source_id, **asked})


def _row(whole: Columns, hours: Columns, place: int, own: slice) -> Row:
    numbers = [_number(getattr(whole, name), place) for name in _NUMBERS]
    arrays = [_hours(getattr(hours, name), own) for name in NAMES]
    starts = pack_integers(hours.edges[own.start : own.stop + 1])
    return (int(whole.count[place]), *numbers, int(whole.quality[place]), starts, *arrays)


def _number(column: Values | None, place: int) -> float | None:
    """Null is missing in a row's own columns."""
    value = math.nan if column is None else float(column[place])
    return None if math.isnan(value) else value


def _hours(column: Values | None, own: slice) -> bytes | None:
    return None if column is None else pack_floats(column[own])


def _border(source_id: int, number: int, day: int, own: Border) -> dict[str, Any]:
    begin, end, increase = own.crossing or (None, None, None)
    return {
        "source": source_id,
        "series": number,
        "day": day,
        "first_stamp": own.first_stamp,
        "first_value": own.first_value,
        "first_length": own.first_length,
        "last_stamp": own.last_stamp,
        "last_value": own.last_value,
        "state": None if own.state is None else json.dumps(own.state),
        "begin": begin,
        "end": end,
        "increase": increase,
    }
