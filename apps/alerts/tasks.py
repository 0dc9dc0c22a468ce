"""Tasks; each calls one function."""

from celery import shared_task
from django.utils import timezone

from apps.alerts import evaluation, mails, retention


@shared_task(name="alerts.evaluate")
def evaluate() -> None:
    """Open and clear alerts; when another worker is at it, there is nothing to do."""
    evaluation.evaluate(now=timezone.now())


@shared_task(name="alerts.mail")
def mail() -> None:
    """Mail what opened since the last time to those who want it."""
    mails.send(now=timezone.now())


@shared_task(name="alerts.retain")
def retain() -> None:
    """Forget alerts that cleared a year ago."""
    retention.retain(now=timezone.now())
