"""How long alerts are kept that are over."""

from __future__ import annotations

from datetime import datetime, timedelta

from apps.alerts.models import Alert, Maintenance, State

KEEP = timedelta(days=365)


def retain(*, now: datetime) -> None:
    """Delete alerts that cleared more than a year ago, and maintenance windows that ended before that."""
    Alert.objects.filter(state=State.CLEARED, cleared_at__lt=now - KEEP).delete()
    Maintenance.objects.filter(ends_at__lt=now - KEEP).delete()
