"""Tasks; each calls one function."""

from celery import shared_task
from django.utils import timezone

from apps.meters import retention
from apps.meters.sets import computing


@shared_task(name=computing.TASK)
def compute_missing(source_id: int | None = None) -> None:
    """Work out what is due of the derived meters, or of one of them that something was just stored for."""
    computing.run_due(source_id)


@shared_task(name="meters.retain")
def retain() -> None:
    """Forget what loggers sent more than a year ago."""
    retention.retain(now=timezone.now())
