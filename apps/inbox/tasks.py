"""Tasks; each calls one function."""

from celery import shared_task
from django.utils import timezone

from apps.inbox import parsing, retention


@shared_task(name="inbox.parse")
def parse(receipt_id: int) -> None:
    """Parse one receipt, unless that is done or under way."""
    parsing.parse(receipt_id)


@shared_task(name="inbox.sweep")
def sweep() -> None:
    """Parse receipts whose hint was lost."""
    parsing.sweep(now=timezone.now())


@shared_task(name="inbox.retain")
def retain() -> None:
    """Let old bodies go."""
    retention.retain(now=timezone.now())
