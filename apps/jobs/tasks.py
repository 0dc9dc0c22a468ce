"""Tasks; each calls one function."""

from celery import shared_task
from django.utils import timezone

from apps.jobs import run as jobs
from apps.jobs import upkeep


@shared_task(name="jobs.run", soft_time_limit=3600, time_limit=3660)
def run(job_id: int) -> None:
    """Run one job, unless it runs or ran already."""
    jobs.perform(job_id)


@shared_task(name="jobs.sweep")
def sweep() -> None:
    """Restart jobs whose hint or worker was lost."""
    upkeep.sweep()


@shared_task(name="jobs.retain")
def retain() -> None:
    """Forget jobs that ended a year ago."""
    upkeep.retain(now=timezone.now())
