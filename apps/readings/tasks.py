"""Tasks; each calls one function."""

from celery import shared_task
from django.utils import timezone

from apps.readings import retention, store, working


@shared_task(name="readings.sweep")
def sweep() -> None:
    """Compact every source-day that is due, and work out anew what changed."""
    store.sweep(now=timezone.now())


@shared_task(name="readings.compact_day")
def compact_day(source_id: int, day: int) -> None:
    """Compact one source-day and roll it up; when another worker has the source, the sweep does it."""
    working.compact_and_follow(source_id, day)


@shared_task(name="readings.follow")
def follow(source_id: int) -> None:
    """Work out anew what is marked of one source."""
    working.follow(source_id)


@shared_task(name="readings.retain")
def retain() -> None:
    """Drop the readings that need not be kept any longer."""
    retention.retain(now=timezone.now())
