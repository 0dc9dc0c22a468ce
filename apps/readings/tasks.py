"""Tasks; each calls one function."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from apps.readings import retention, store, working


@shared_task(name="readings.sweep")
def sweep() -> None:
    """Compact every source-day that is due, and work out anew what changed."""
    store.sweep(now=timezone.now())


@shared_task(name="readings.compact_day", bind=True, max_retries=5, default_retry_delay=2)
def compact_day(self: Any, source_id: int, day: int) -> None:
    """Compact one source-day and roll it up; when another worker has the source, again in a moment.

    A file over midnight hints at two days of one source at once. In the end the sweep does it.
    """
    if not working.compact_and_follow(source_id, day) and self.request.retries < self.max_retries:
        raise self.retry()


@shared_task(name="readings.follow")
def follow(source_id: int) -> None:
    """Work out anew what is marked of one source."""
    working.follow(source_id)


@shared_task(name="readings.retain")
def retain() -> None:
    """Drop the readings that need not be kept any longer."""
    retention.retain(now=timezone.now())
