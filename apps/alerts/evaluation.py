"""Opening and clearing alerts: what the detectors see now, against what is open already.

Run every minute. Two runs at once do the work once; a run that is repeated changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction

from apps.alerts import detection, device_warnings
from apps.alerts.detection import Picture
from apps.alerts.kinds import PATIENCE, Finding, Kind, Subject
from apps.alerts.models import Alert, Evaluation, Suspicion
from apps.alerts.mutations import clear_all, open_or_renew_all, recover
from apps.readings.sql import fetch

_LOCK = 0x5745 << 40  # of the same kind as the store's locks, and none of them
TOO_LONG_AGO = timedelta(minutes=5)


@transaction.atomic
def evaluate(*, now: datetime) -> bool:
    """Bring all alerts up to date; False when another is at it."""
    if not fetch("SELECT pg_try_advisory_xact_lock(%(key)s::bigint)", {"key": _LOCK})[0][0]:
        return False
    last, _ = Evaluation.objects.get_or_create(pk=1, defaults={"at": now})
    lasting = {_subject(alert): alert for alert in Alert.objects.exclude(kind=Kind.WARNING).lasting()}
    offline = {subject.house_id for subject in lasting if subject.kind is Kind.OFFLINE}
    picture = detection.look(now, offline)
    _settle(picture, lasting, _suspicions(last, now), now)
    last.warnings_until = device_warnings.take_in(since=last.warnings_until, now=now)
    last.at = now
    last.save()
    return True


def _subject(row: Alert | Suspicion) -> Subject:
    return Subject(row.house_id, row.source_id, Kind(row.kind), row.key)


def _suspicions(last: Evaluation, now: datetime) -> dict[Subject, Suspicion]:
    """What was suspected a minute ago. After a longer pause nobody knows what was in between."""
    if not timedelta(0) <= now - last.at <= TOO_LONG_AGO:
        Suspicion.objects.all().delete()
    return {_subject(row): row for row in Suspicion.objects.all()}


def _settle(
    picture: Picture, lasting: Mapping[Subject, Alert], suspected: Mapping[Subject, Suspicion], now: datetime
) -> None:
    ripe = {
        subject
        for subject in picture.faulty
        if subject in lasting or _has_lasted(subject, suspected.get(subject), now)
    }
    open_or_renew_all(findings=[Finding(one, picture.faulty[one]) for one in ripe], at=now)
    _suspect(picture, ripe, suspected, now)
    over = [
        alert
        for subject, alert in lasting.items()
        if subject not in picture.faulty and subject not in picture.doubtful
    ]
    _let_go(over, now)


def _has_lasted(subject: Subject, suspicion: Suspicion | None, now: datetime) -> bool:
    since = now if suspicion is None else suspicion.since
    return now - since >= PATIENCE[subject.kind].opens


def _suspect(
    picture: Picture, ripe: set[Subject], suspected: Mapping[Subject, Suspicion], now: datetime
) -> None:
    """Remember new faults, and forget those that opened an alert or went away."""
    new = [subject for subject in picture.faulty if subject not in ripe and subject not in suspected]
    Suspicion.objects.bulk_create(Suspicion(**subject._asdict(), since=now) for subject in new)
    kept = (picture.faulty.keys() | picture.doubtful) - ripe
    gone = [row.pk for subject, row in suspected.items() if subject not in kept]
    if gone:
        Suspicion.objects.filter(pk__in=gone).delete()


def _let_go(over: list[Alert], now: datetime) -> None:
    """Clear alerts whose fault has been over for long enough; note it of the others."""
    long_ago = [alert.pk for alert in over if _is_over(alert, now)]
    if long_ago:
        clear_all(alert_ids=long_ago, at=now)
    just = [alert.pk for alert in over if alert.fine_since is None and alert.pk not in long_ago]
    if just:
        recover(alert_ids=just, at=now)


def _is_over(alert: Alert, now: datetime) -> bool:
    return now - (alert.fine_since or now) >= PATIENCE[Kind(alert.kind)].clears
