"""Loggers that nobody has added and that call us: a short list for people to choose from."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, QuerySet

from apps.meters.models import UnclaimedLogger
from config.text import storable

MOST = 500
MOST_OF_AN_ADDRESS = 20
"""A stranger who invents serial numbers pushes out their own."""


def note(*, serial: str, loop_name: str, address: str | None, now: datetime) -> None:
    """Remember that an unknown logger called; the oldest make room."""
    named = {"loop_name": storable(loop_name, 120)} if loop_name else {}
    known = UnclaimedLogger.objects.filter(serial=serial)
    if known.update(last_at=now, address=address, attempts=F("attempts") + 1, **named):
        return
    UnclaimedLogger.objects.bulk_create(
        [UnclaimedLogger(serial=serial, address=address, first_at=now, last_at=now, **named)],
        ignore_conflicts=True,
    )
    _drop_oldest(UnclaimedLogger.objects.filter(address=address), MOST_OF_AN_ADDRESS)
    _drop_oldest(UnclaimedLogger.objects.all(), MOST)


def forget(*, serial: str) -> None:
    """Take a logger off the list."""
    UnclaimedLogger.objects.filter(serial=serial).delete()


def _drop_oldest(found: QuerySet[UnclaimedLogger], most: int) -> None:
    beyond = list(found.order_by("-last_at", "-pk").values_list("pk", flat=True)[most : 2 * most])
    if beyond:
        UnclaimedLogger.objects.filter(pk__in=beyond).delete()
