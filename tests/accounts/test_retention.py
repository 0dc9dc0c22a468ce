"""What is forgotten of log-ins, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.sessions.models import Session
from django_celery_beat.models import PeriodicTask
from knox.models import AuthToken

from apps.accounts import retention, tasks
from apps.accounts.models import User

NOW = datetime(2026, 6, 1, 3, tzinfo=UTC)
DAY = timedelta(days=1)


def test_sessions_and_tokens_go_when_they_have_expired(admin: User) -> None:
    for name, expiry in (("over", NOW - DAY), ("running", NOW + DAY)):
        Session.objects.create(session_key=name, session_data="", expire_date=expiry)
        token, _ = AuthToken.objects.create(admin)
        AuthToken.objects.filter(pk=token.pk).update(expiry=expiry)
    retention.retain(now=NOW)
    assert Session.objects.get().session_key == "running"
    assert AuthToken.objects.get().expiry == NOW + DAY


@pytest.mark.django_db
@pytest.mark.parametrize("record", [AccessAttempt, AccessFailureLog, AccessLog])
def test_log_ins_are_known_for_90_days(record: type) -> None:
    for days in (89, 91):
        kept = record.objects.create(
            username="a@example.com", ip_address="192.0.2.1", user_agent=str(days), **failures(record)
        )
        record.objects.filter(pk=kept.pk).update(attempt_time=NOW - days * DAY)
    retention.retain(now=NOW)
    assert record.objects.get().attempt_time == NOW - 89 * DAY


def failures(record: type) -> dict[str, int]:
    return {"failures_since_start": 1} if record is AccessAttempt else {}


@pytest.mark.django_db
def test_that_happens_nightly() -> None:
    nightly = PeriodicTask.objects.get(task=tasks.retain.name)
    assert (nightly.crontab.hour, nightly.enabled) == ("3", True)
    tasks.retain.run()
