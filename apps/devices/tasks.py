"""Tasks; each calls one function."""

from celery import shared_task
from django.utils import timezone

from apps.devices import retention


@shared_task(name="devices.retain")
def retain() -> None:
    """Forget states that ended a year ago, and refusals of long ago."""
    retention.retain(now=timezone.now())
