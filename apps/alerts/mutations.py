"""Every change of an alert's state."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from django.db.models import F
from django.db.models.functions import Coalesce

from apps.accounts.models import User
from apps.alerts.kinds import Finding, Kind, Subject
from apps.alerts.models import Alert, State
from apps.houses.models import House
from apps.readings.models import Source
from apps.readings.sql import run

_OPEN = """
INSERT INTO alerts_alert AS known (house_id, source_id, kind, key, state, opened_at, evidence)
SELECT house_id, source_id, kind, key, 'open', %(at)s::timestamptz, evidence
FROM jsonb_to_recordset(convert_from(%(rows)s::bytea, 'UTF8')::jsonb)
    AS given (house_id bigint, source_id bigint, kind text, key text, evidence jsonb)
ORDER BY house_id, source_id, kind, key
ON CONFLICT (house_id, source_id, kind, key) WHERE state <> 'cleared' DO UPDATE
SET evidence = excluded.evidence, fine_since = NULL
WHERE known.evidence <> excluded.evidence OR known.fine_since IS NOT NULL
"""


def open_or_renew(
    *,
    house: House,
    source: Source | None = None,
    kind: Kind,
    key: str = "",
    evidence: dict[str, Any],
    at: datetime,
) -> Alert:
    """The alert of this subject: the one that is open, with new evidence, else a new one."""
    subject = Subject(house.pk, None if source is None else source.pk, kind, key)
    open_or_renew_all(findings=[Finding(subject, evidence)], at=at)
    return Alert.objects.lasting().get(house=house, source=source, kind=kind, key=key)


def open_or_renew_all(*, findings: Iterable[Finding], at: datetime) -> None:
    """Open an alert for each finding, or renew the one that is open. One statement."""
    rows = [{**finding.subject._asdict(), "evidence": finding.evidence} for finding in findings]
    if rows:
        run(_OPEN, {"at": at, "rows": msgspec.json.encode(rows)})


def acknowledge(*, alert: Alert, by: User, at: datetime) -> Alert:
    """Say that somebody has seen it. One that is acknowledged or over already stays as it is."""
    acknowledge_all(alerts=Alert.objects.filter(pk=alert.pk), by=by, at=at)
    alert.refresh_from_db()
    return alert


def acknowledge_all(*, alerts: Iterable[Alert], by: User, at: datetime) -> int:
    """Acknowledge those of `alerts` that are open; returns how many."""
    still_open = Alert.objects.filter(pk__in=[alert.pk for alert in alerts], state=State.OPEN)
    return still_open.update(state=State.ACKNOWLEDGED, acknowledged_at=at, acknowledged_by=by)


def recover(*, alert_ids: Iterable[int], at: datetime) -> None:
    """Note that the faults seem to be over since `at`."""
    Alert.objects.filter(pk__in=list(alert_ids), fine_since=None).lasting().update(fine_since=at)


def clear(*, alert: Alert, at: datetime) -> Alert:
    """Say that it is over, since `at` or since it was noted to be fine. One that is over stays as it is."""
    clear_all(alert_ids=[alert.pk], at=at)
    alert.refresh_from_db()
    return alert


def clear_all(*, alert_ids: Iterable[int], at: datetime) -> None:
    """Clear alerts in one statement."""
    Alert.objects.filter(pk__in=list(alert_ids)).lasting().update(
        state=State.CLEARED, cleared_at=Coalesce(F("fine_since"), at)
    )
