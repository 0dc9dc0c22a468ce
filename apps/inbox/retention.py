"""How long bodies are kept. The receipts stay: that something arrived remains known."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from apps.inbox import bodies
from apps.inbox.models import Body, Receipt, State

_BATCH = 1000


def retain(*, now: datetime) -> None:
    """Let the bodies go that arrived last more than INBOX_KEEP_DAYS days ago.

    Those that wait for people to map them stay for INBOX_KEEP_WAITING_DAYS: nothing else has their readings.
    """
    usual = timedelta(days=settings.INBOX_KEEP_DAYS)
    longest = max(usual, timedelta(days=settings.INBOX_KEEP_WAITING_DAYS))
    old = Receipt.objects.filter(
        Q(received_at__lt=now - longest) | ~Q(state=State.NEEDS_MAPPING),
        received_at__lt=now - usual,
        body__isnull=False,
    )
    old.update(state=State.EXPIRED, body=None)
    while _drop_some():
        pass


@transaction.atomic
def _drop_some() -> int:
    """Drop bodies that no receipt refers to; how many.

    The same bytes may be arriving just now. Whoever takes them in has the row locked, and it is skipped; or
    they wait for us, and then keep it anew. That nothing refers to it is asked again, once it is locked.
    """
    free = Body.objects.select_for_update(skip_locked=True).filter(_unused())
    locked = list(free.values_list("pk", flat=True)[:_BATCH])
    unused = list(Body.objects.filter(_unused(), pk__in=locked).values_list("pk", flat=True))
    bodies.store.drop(unused)
    return len(unused)


def _unused() -> Q:
    return ~Q(Exists(Receipt.objects.filter(body=OuterRef("pk"))))
