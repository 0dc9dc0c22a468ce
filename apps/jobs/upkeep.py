"""What keeps jobs going and their table small."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q
from django.db.models.functions import Now

from apps.jobs.models import Job, State
from apps.jobs.run import dead
from config.hints import send_soon

# After so many workers died over a job, it is the job that kills them.
MOST_ATTEMPTS = 5
KEEP = timedelta(days=365)


def sweep() -> None:
    """Hint anew at jobs that wait, and at those whose worker died; give up where that does not help."""
    lost = Job.objects.filter(dead())
    lost.filter(cancel_requested=True).update(state=State.CANCELLED, ended_at=Now())
    lost.filter(attempts__gte=MOST_ATTEMPTS).update(
        state=State.FAILED, ended_at=Now(), message=f"The worker that ran it died {MOST_ATTEMPTS} times."
    )
    for job_id in Job.objects.filter(Q(state=State.QUEUED) | dead()).values_list("pk", flat=True):
        send_soon("jobs.run", job_id)


def retain(*, now: datetime) -> None:
    """Delete jobs that ended more than a year ago."""
    Job.objects.filter(ended_at__lt=now - KEEP).delete()
