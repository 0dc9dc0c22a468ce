"""The record of what was refused: how often, of which source and why, so that operators learn of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from apps.devices.edge.parts import Target
from apps.devices.edge.refusals import Ledger
from apps.houses.models import House
from apps.readings.sql import run

_NOTE = """
INSERT INTO devices_refusal AS known (house_id, source_id, code, name, field, count, first_at, last_at)
SELECT %(house)s::bigint, source_id, code, name, field, count, %(at)s::timestamptz, %(at)s::timestamptz
FROM jsonb_to_recordset(convert_from(%(rows)s::bytea, 'UTF8')::jsonb)
    AS given (source_id bigint, code text, name text, field text, count bigint)
ORDER BY source_id, code
ON CONFLICT (house_id, source_id, code) DO UPDATE SET
    count = known.count + excluded.count,
    name = excluded.name,
    field = excluded.field,
    last_at = greatest(known.last_at, excluded.last_at)
"""


@dataclass
class _Row:
    """One row's share of an upload; `name` and `field` are the last ones sent."""

    source_id: int | None
    code: str
    name: str = ""
    field: str = ""
    count: int = 0


def note(*, house: House, ledger: Ledger, targets: Mapping[str, Target], at: datetime) -> None:
    """Count what `ledger` says was refused; one statement, none when nothing was."""
    rows: dict[tuple[int | None, str], _Row] = {}
    for refusal, count in ledger.counts():
        target = targets.get(refusal.source or "")
        key = (None if target is None else target.id), refusal.code.value
        row = rows.setdefault(key, _Row(*key))
        row.name, row.field = _storable(refusal.source), _storable(refusal.field)
        row.count += count
    if rows:
        encoded = msgspec.json.encode(list(rows.values()))
        run(_NOTE, {"house": house.pk, "at": at, "rows": encoded})


def _storable(name: str | None) -> str:
    """A foreign name as PostgreSQL can store it: it may hold NUL or half of a surrogate pair."""
    return (name or "").encode("utf-8", "replace").decode().replace("\0", "")
