"""What becomes of log-ins that are over: nothing of them is kept for longer than somebody may ask."""

from __future__ import annotations

from datetime import datetime, timedelta

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.sessions.models import Session
from knox.models import AuthToken

KEEP = timedelta(days=90)
"""How long it stays known who logged in, or failed to, and from where."""


def retain(*, now: datetime) -> None:
    """Delete sessions and tokens that have expired, and records of log-ins older than 90 days."""
    Session.objects.filter(expire_date__lt=now).delete()
    AuthToken.objects.filter(expiry__lt=now).delete()
    for record in (AccessAttempt, AccessFailureLog, AccessLog):
        record.objects.filter(attempt_time__lt=now - KEEP).delete()
