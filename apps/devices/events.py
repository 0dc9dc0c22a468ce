"""The event table: adding to it, and the states it knows of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import connection

from apps.devices.edge.batches import State
from apps.devices.edge.happenings import Happening
from apps.devices.models import Event
from apps.houses.models import House

Key = tuple[int, str]
"""A source and one of its fields."""


def add(*, house: House, happened: Iterable[Happening]) -> None:
    """Store events; one that is stored already stays as it is. Raises IntegrityError for a deleted source."""
    rows = [
        Event(
            house=house,
            source_id=event.source_id,
            timestamp=event.timestamp,
            type=event.type,
            data=event.data,
            digest=event.digest,
        )
        for event in happened
    ]
    # Sorted, so that two uploads of the same events never wait for each other in opposite orders.
    rows.sort(key=lambda row: (row.source_id or 0, row.timestamp, row.type, row.digest))
    Event.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1_000)


_AROUND = """
SELECT span.source_id, span.field, state.timestamp,
       state.data ->> 'value', jsonb_typeof(state.data -> 'value')
FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[]) AS span (source_id, field, first, last)
CROSS JOIN LATERAL (
    (SELECT id, timestamp, data FROM devices_event
     WHERE source_id = span.source_id AND type = 'STATE' AND data ->> 'field' = span.field
       AND timestamp < span.first ORDER BY timestamp DESC, id DESC LIMIT 1)
    UNION ALL
    (SELECT id, timestamp, data FROM devices_event
     WHERE source_id = span.source_id AND type = 'STATE' AND data ->> 'field' = span.field
       AND timestamp BETWEEN span.first AND span.last)
    UNION ALL
    (SELECT id, timestamp, data FROM devices_event
     WHERE source_id = span.source_id AND type = 'STATE' AND data ->> 'field' = span.field
       AND timestamp > span.last ORDER BY timestamp, id LIMIT 1)
) AS state
ORDER BY state.timestamp, state.id
"""


def states_around(spans: Mapping[Key, tuple[int, int]]) -> dict[Key, list[tuple[int, State]]]:
    """The stored states from the last before to the first after each span [first, last], in order.

    Every asked field is a key. One query, none when nothing is asked.
    """
    known: dict[Key, list[tuple[int, State]]] = {key: [] for key in spans}
    if not spans:
        return known
    sources, fields = zip(*spans, strict=True)
    firsts, lasts = zip(*spans.values(), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_AROUND, [list(sources), list(fields), list(firsts), list(lasts)])
        for source_id, field, stamp, text, kind in cursor:
            known[source_id, field].append((stamp, text == "true" if kind == "boolean" else text))
    return known
