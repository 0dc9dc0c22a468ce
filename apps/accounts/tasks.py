"""Tasks; each calls one function."""

from celery import shared_task
from django.utils import timezone

from apps.accounts import retention


@shared_task(name="accounts.retain")
def retain() -> None:
    """Forget sessions, tokens and log-ins that are over."""
    retention.retain(now=timezone.now())
