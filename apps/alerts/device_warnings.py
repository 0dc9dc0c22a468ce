"""Alerts of the warnings that devices and agents report as events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Q

from apps.alerts import warnings
from apps.alerts.kinds import Kind
from apps.alerts.models import Alert, State
from apps.alerts.mutations import clear_all
from apps.alerts.warnings import Report, Spell
from apps.readings.sql import fetch
from apps.readings.times import milliseconds

OVERLAP = timedelta(minutes=5)
"""Longer than a transaction takes that stores events: what it stored appears only when it ends."""


class Origin(NamedTuple):
    """Who warns: a source, or the agent of the house."""

    house_id: int
    source_id: int | None


# Of whoever warned since the last look, all warnings from the first of the new ones on: of two that come in
# the wrong order the later one may have been read long ago.
_REPORTS = """
WITH new AS (
    SELECT house_id, source_id, min(timestamp) AS first, max(stored_at) AS stored_at
    FROM devices_event
    WHERE type = 'WARNING' AND stored_at > coalesce(%(since)s::timestamptz, '-infinity')
    GROUP BY house_id, source_id
)
SELECT event.house_id, event.source_id, event.timestamp, event.data ->> 'data',
       event.data -> 'cleared' = 'true', new.stored_at
FROM new
JOIN devices_event AS event
    ON event.house_id = new.house_id AND event.source_id IS NOT DISTINCT FROM new.source_id
    AND event.type = 'WARNING' AND event.timestamp >= new.first
"""


def take_in(*, since: datetime | None, now: datetime) -> datetime | None:
    """Open, renew and clear alerts by the warnings stored since `since`, and forget those nobody repeats.

    `since` is by the database's clock; returns what it is the next time.
    """
    rows = fetch(_REPORTS, {"since": None if since is None else since - OVERLAP})
    known = _known({Origin(house, source) for house, source, *_ in rows})
    for (origin, key), reports in _by_class(rows, known).items():
        _save(origin, key, known.get((origin, key)), reports, milliseconds(now))
    return max((stored for *_, stored in rows), default=since)


def _known(origins: set[Origin]) -> dict[tuple[Origin, str], Alert]:
    """The newest alert of each warning that lasts, or that somebody who warned had before."""
    alerts = Alert.objects.filter(kind=Kind.WARNING)
    wanted = ~Q(state=State.CLEARED)
    if origins:
        wanted |= Q(house__in={origin.house_id for origin in origins})
    newest = alerts.filter(wanted).order_by("house_id", "source_id", "key", "-opened_at", "-id")
    return {
        (Origin(alert.house_id, alert.source_id), alert.key): alert
        for alert in newest.distinct("house_id", "source_id", "key")
    }


def _by_class(
    rows: Iterable[tuple[Any, ...]], known: Iterable[tuple[Origin, str]]
) -> dict[tuple[Origin, str], list[Report]]:
    """The reports of each warning, and none for those that only last."""
    reports: dict[tuple[Origin, str], list[Report]] = {subject: [] for subject in known}
    everything: dict[Origin, list[Report]] = defaultdict(list)
    for house, source, stamp, text, cleared, _ in rows:
        origin, report = Origin(house, source), Report(stamp, text or "", bool(cleared))
        if report.cleared and not report.text:
            everything[origin].append(report)
        else:
            reports.setdefault((origin, warnings.text_class(report.text)), []).append(report)
    for (origin, _), own in reports.items():
        own += everything.get(origin, [])
    return reports


def _save(origin: Origin, key: str, alert: Alert | None, reports: list[Report], now: int) -> None:
    before = None if alert is None else _spell(alert)
    found = warnings.spells(before, reports, now)
    if alert is not None and found[0] != before:
        _update(alert, found[0])
    new = found if alert is None else found[1:]
    Alert.objects.bulk_create(_alert(origin, key, spell) for spell in new)


def _spell(alert: Alert) -> Spell:
    opened = milliseconds(alert.opened_at)
    return Spell(
        opened_at=opened,
        last_at=alert.evidence.get("last", opened),
        text=alert.evidence.get("text", ""),
        cleared_at=None if alert.cleared_at is None else milliseconds(alert.cleared_at),
    )


def _alert(origin: Origin, key: str, spell: Spell) -> Alert:
    alert = Alert(**origin._asdict(), kind=Kind.WARNING, key=key, opened_at=_instant(spell.opened_at))
    alert.evidence = _evidence(spell)
    if spell.cleared_at is not None:
        alert.state, alert.cleared_at = State.CLEARED, _instant(spell.cleared_at)
    return alert


def _update(alert: Alert, spell: Spell) -> None:
    """Only what the spell says: somebody may be acknowledging the alert at this moment."""
    Alert.objects.filter(pk=alert.pk).update(evidence=_evidence(spell))
    if spell.cleared_at is not None:
        clear_all(alert_ids=[alert.pk], at=_instant(spell.cleared_at))


def _evidence(spell: Spell) -> dict[str, Any]:
    return {"text": spell.text, "last": spell.last_at}


def _instant(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp / 1000, UTC)
