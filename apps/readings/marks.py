"""Marks of work to do: source-days to roll up or to compute again, written with the change that causes them.

Every mark takes a number from one sequence. A worker reads the number, works, and deletes the mark only while
it still bears that number: a change meanwhile gave it another, and the work is done again.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from apps.readings.sql import run


class Reason(StrEnum):
    """Why a day is to be worked out again, as the health page and the log tell it."""

    READINGS = "readings changed"
    INPUT = "an input changed"
    NEIGHBOUR = "a neighbouring day changed"
    ZONE = "time zone changed"
    SETTINGS = "settings changed"
    DELETED = "an input was deleted"
    DECISION = "a decision on a counter"


# One statement for all marks of a transaction, in the order of the key: two never wait for each other.
# A derived day whose input is sealed cannot be computed again: it stays as it is.
_MARK = """
INSERT INTO readings_invalidation AS old (source_id, day, seq, recompute, reason)
SELECT source_id, day, seq, CASE WHEN inputs THEN seq END, reason
FROM (
    SELECT source_id, day, inputs, reason, nextval('readings_invalidation_seq') AS seq
    FROM (
        SELECT source_id, day, bool_or(inputs) AS inputs, min(reason) AS reason
        FROM ({days}) AS given
        WHERE NOT inputs OR NOT EXISTS (
            SELECT FROM readings_dependency AS reads
            JOIN readings_source AS input ON input.id = reads.input_id
            WHERE reads.source_id = given.source_id
                AND (given.day - reads.before) * 86400000::bigint < input.sealed_before
        )
        GROUP BY source_id, day ORDER BY source_id, day
    ) AS distinct_days
) AS numbered
ON CONFLICT (source_id, day) DO UPDATE SET
    seq = excluded.seq, recompute = coalesce(excluded.recompute, old.recompute), reason = excluded.reason
"""

_OWN = """
SELECT %(source)s::bigint AS source_id, day, false AS inputs, %(reason)s::text AS reason
FROM unnest(%(changed)b::int[]) AS own (day)
UNION ALL
SELECT %(source)s::bigint, day, false, %(neighbour)s::text FROM unnest(%(neighbours)b::int[]) AS own (day)
UNION ALL
"""

_DEPENDENT = """
SELECT reads.source_id, dependent.day::int AS day, true AS inputs, %(input)s::text AS reason
FROM unnest(%(changed)b::int[]) AS changed (day)
JOIN readings_dependency AS reads ON reads.input_id = %(source)s::bigint
CROSS JOIN LATERAL generate_series(changed.day - reads.after, changed.day + reads.before) AS dependent (day)
"""

_HELD = """
SELECT %(source)s::bigint AS source_id, day, {inputs} AS inputs, %(reason)s::text AS reason
FROM readings_segment
WHERE source_id = %(source)s::bigint AND day BETWEEN %(first)s::int AND %(last)s::int
"""

# A derived day may be wherever an input has data within reach.
_REACHED = """
UNION ALL
SELECT reads.source_id, dependent.day::int, true, %(reason)s::text FROM readings_dependency AS reads
CROSS JOIN LATERAL (
    SELECT day FROM readings_segment WHERE source_id = reads.input_id
        AND day BETWEEN %(first)s::int - reads.before AND %(last)s::int + reads.after
    UNION
    SELECT day FROM readings_tail WHERE source_id = reads.input_id
        AND day BETWEEN %(first)s::int - reads.before AND %(last)s::int + reads.after
) AS held
CROSS JOIN LATERAL generate_series(held.day - reads.after, held.day + reads.before) AS dependent (day)
WHERE reads.source_id = %(source)s::bigint AND dependent.day BETWEEN %(first)s::int AND %(last)s::int
"""

# What is worked out from a source reads as far from each of its readings as its settings say.
_DEPENDENT_ON_HELD = """
SELECT reads.source_id, dependent.day::int AS day, true AS inputs, %(reason)s::text AS reason
FROM readings_segment AS held
JOIN readings_dependency AS reads ON reads.input_id = held.source_id
CROSS JOIN LATERAL generate_series(held.day - reads.after, held.day + reads.before) AS dependent (day)
WHERE held.source_id = %(source)s::bigint AND held.day BETWEEN %(first)s::int AND %(last)s::int
"""

_HAS_INPUTS = "EXISTS (SELECT FROM readings_dependency WHERE source_id = %(source)s::bigint)"

_CHANGED = _MARK.format(days=_OWN + _DEPENDENT)
_DEPENDENTS = _MARK.format(days=_DEPENDENT)
_RANGE = _MARK.format(days=_HELD.format(inputs=_HAS_INPUTS) + _REACHED)
_ROLL = _MARK.format(days=_HELD.format(inputs="false"))
_INPUT_SETTINGS = _MARK.format(days=_DEPENDENT_ON_HELD)

_EVER = {"first": 0, "last": 2**31 - 400}


def changed(source_id: int, days: Collection[int]) -> None:
    """Note that what is stored of a source's days changed: they are rolled up, those derived computed again.

    In the transaction of the change, under the source's lock.
    """
    _write(source_id, days, ())


def neighbours(source_id: int, days: Collection[int]) -> None:
    """Note that days read what changed on a day beside them, so that their rollups may be others."""
    _write(source_id, (), days)


def inputs_gone(source_id: int, days: Collection[int]) -> None:
    """Note that a source that is being deleted no longer has these days."""
    if days:
        run(_DEPENDENTS, {"source": source_id, "changed": sorted(days), "input": Reason.DELETED})


def decided(source_id: int, day: int) -> None:
    """Note that an operator said something else of a day's readings: rollups and derived days follow."""
    rollups_of(source_id, day, day, Reason.DECISION)
    run(_DEPENDENTS, {"source": source_id, "changed": [day], "input": Reason.DECISION})


def whole_range(source_id: int, first_day: int, last_day: int, reason: str) -> int:
    """Note that a source's days [first_day, last_day] are no longer right; a derived one is computed again.

    Days that can hold nothing, and derived ones that read sealed readings, are left out. Returns how many.
    """
    return run(_RANGE, {"source": source_id, "first": first_day, "last": last_day, "reason": reason[:40]})


def rollups_of(source_id: int, first_day: int, last_day: int, reason: str) -> int:
    """Note that the rollups of [first_day, last_day] are no longer right, though the readings are."""
    return run(_ROLL, {"source": source_id, "first": first_day, "last": last_day, "reason": reason[:40]})


def settings_changed(source_id: int) -> int:
    """Note that all readings of a source mean something else; returns on how many days it has some."""
    asked = {"source": source_id, "reason": Reason.SETTINGS, **_EVER}
    run(_INPUT_SETTINGS, asked)
    return run(_ROLL, asked)


def zone_changed(source_id: int) -> int:
    """Note that a source's local days are others; returns how many UTC days are to be rolled up again."""
    return run(_ROLL, {"source": source_id, "reason": Reason.ZONE, **_EVER})


def _write(source_id: int, days: Collection[int], beside: Collection[int]) -> None:
    if not days and not beside:
        return
    run(
        _CHANGED,
        {
            "source": source_id,
            "changed": sorted(days),
            "reason": Reason.READINGS,
            "neighbours": sorted(beside),
            "neighbour": Reason.NEIGHBOUR,
            "input": Reason.INPUT,
        },
    )
