"""Tasks; each calls one function."""

from celery import shared_task
from django.utils import timezone

from apps.readings import store


@shared_task(name="readings.sweep")
def sweep() -> None:
    """Compact every source-day that is due."""
    store.sweep(now=timezone.now())


@shared_task(name="readings.compact_day")
def compact_day(source_id: int, day: int) -> None:
    """Compact one source-day; when another worker has the source, the sweep does it."""
    store.compact(source_id, day)
