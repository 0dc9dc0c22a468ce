"""How long states, commands and refusals are kept. Other events, and charging sessions, stay for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef
from django.db.models.fields.json import KT

from apps.devices.models import STATE, Command, Event, Refusal
from apps.readings.times import milliseconds

KEEP_STATES = timedelta(days=365)
KEEP_COMMANDS = timedelta(days=365)
KEEP_REFUSALS = timedelta(days=90)
_BATCH = 10_000


def retain(*, now: datetime) -> None:
    """Delete states and commands of more than a year ago, and refusals that have not happened for 90 days."""
    while _drop_some(milliseconds(now - KEEP_STATES)):
        pass
    Command.objects.filter(created_at__lt=now - KEEP_COMMANDS).delete()
    Refusal.objects.filter(last_at__lt=now - KEEP_REFUSALS).delete()


def _drop_some(before: int) -> int:
    """Drop states that another took the place of before that stamp: the one that held then stays."""
    states = Event.objects.filter(type=STATE, timestamp__lt=before).annotate(field=KT("data__field"))
    later = states.filter(
        source=OuterRef("source"), field=OuterRef("field"), timestamp__gt=OuterRef("timestamp")
    )
    ended = list(states.filter(Exists(later)).order_by().values_list("pk", flat=True)[:_BATCH])
    Event.objects.filter(pk__in=ended).delete()
    return len(ended)
