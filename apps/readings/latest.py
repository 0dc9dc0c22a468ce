"""The newest value of every field, kept beside the store so that a live page decodes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from apps.readings.sql import array, fetch, run

Value = float | str | bool
Newest = dict[str, tuple[int, Value]]

_encode = msgspec.json.Encoder().encode
# Typed, as PostgreSQL writes 1e300 and 5.0 out as integers; psycopg's own decoder takes twice as long.
_decode = msgspec.json.Decoder(dict[str, tuple[int, float | str | bool]]).decode

AHEAD = 5 * 60_000
"""Ms. A stamp farther ahead of its arrival than this comes from a wrong clock."""

# Within `given`, one row per source, and the parameter `ahead`, the last believable stamp; to be used as the
# body of a statement that defines `given`. An upload newer than all that is known, which nearly every one is,
# needs no look at single fields. A known value of a wrong clock gives way to any other: else it would stay
# until its time.
MERGE = """
INSERT INTO readings_latest AS known (source_id, newest, fields)
SELECT source_id, newest, fields FROM given ORDER BY source_id
ON CONFLICT (source_id) DO UPDATE SET
    newest = CASE WHEN known.newest > %(ahead)s::bigint
        THEN excluded.newest ELSE greatest(known.newest, excluded.newest) END,
    fields = known.fields || CASE
        WHEN (SELECT oldest FROM given WHERE given.source_id = known.source_id) >= known.newest
        THEN excluded.fields
        ELSE (
            SELECT coalesce(jsonb_object_agg(name, entry), '{}')
            FROM jsonb_each(excluded.fields) AS new (name, entry)
            WHERE coalesce(
                (known.fields -> name ->> 0)::bigint <= (entry ->> 0)::bigint
                OR (known.fields -> name ->> 0)::bigint > %(ahead)s::bigint,
                true
            )
        )
    END
"""


def latest(source_ids: Collection[int]) -> dict[int, Newest]:
    """The newest (stamp ms, value) of every field by source and field; every asked source is a key."""
    rows = fetch(
        "SELECT source_id, fields::text FROM readings_latest WHERE source_id = ANY(%(sources)s::bigint[])",
        {"sources": array(source_ids)},
    )
    return {source_id: {} for source_id in source_ids} | {key: _decode(fields) for key, fields in rows}


def newer(entries: Iterable[tuple[str, tuple[int, Value]]]) -> Newest:
    """The newest entry of each field; of equal stamps the last."""
    newest: Newest = {}
    for field, entry in entries:
        if field not in newest or newest[field][0] <= entry[0]:
            newest[field] = entry
    return newest


def encode(newest: Mapping[str, tuple[int, Value]]) -> bytes:
    """As JSON; bytes, because psycopg escapes a list of texts by regular expressions."""
    return _encode(newest)


def lock(source_id: int) -> Newest:
    """The newest values of a source; uploads to it wait from here to the end of the transaction."""
    rows = fetch(
        "SELECT fields::text FROM readings_latest WHERE source_id = %(source)s::bigint FOR UPDATE",
        {"source": source_id},
    )
    return _decode(rows[0][0]) if rows else {}


def put(source_id: int, newest: Mapping[str, tuple[int, Value]]) -> None:
    """Replace all newest values of a source; only for who has locked them. Of nothing there is no newest."""
    if not newest:
        run("DELETE FROM readings_latest WHERE source_id = %(source)s::bigint", {"source": source_id})
        return
    run(
        """
        INSERT INTO readings_latest (source_id, newest, fields)
        VALUES (%(source)s::bigint, %(newest)s::bigint, convert_from(%(fields)s::bytea, 'UTF8')::jsonb)
        ON CONFLICT (source_id) DO UPDATE SET newest = excluded.newest, fields = excluded.fields
        """,
        {
            "source": source_id,
            "newest": max(stamp for stamp, _ in newest.values()),
            "fields": encode(newest),
        },
    )
