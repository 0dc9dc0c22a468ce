"""One table for everything that takes longer than a person or a request should wait."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.jobs import kinds


class Person(Protocol):
    """What this layer knows of who is logged in."""

    pk: Any

    @property
    def is_superuser(self) -> bool: ...


class State(models.TextChoices):
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


UNFINISHED = [State.QUEUED, State.RUNNING]


class JobQuerySet(models.QuerySet["Job"]):
    def visible_to(self, user: Person) -> JobQuerySet:
        """All jobs for an administrator, else those `user` started."""
        return self if user.is_superuser else self.filter(by_id=user.pk, by__is_active=True)

    def unfinished(self) -> JobQuerySet:
        """Those that wait or run."""
        return self.filter(state__in=UNFINISHED)


class Job(models.Model):
    """A long task: who started it, how far it is, how it ended."""

    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=200, blank=True, help_text="What it is about, in words.")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="jobs",
        verbose_name="started by",
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(null=True, blank=True, help_text="Empty: not known.")
    message = models.CharField(max_length=500, blank=True)
    cancel_requested = models.BooleanField(default=False)
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    args = models.JSONField(default=dict, blank=True)
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="How often a worker took it up: again when one died over it."
    )
    created_at = models.DateTimeField("created", auto_now_add=True)
    started_at = models.DateTimeField("started", null=True, blank=True)
    alive_at = models.DateTimeField(null=True, blank=True, help_text="Its worker's last sign of life.")
    ended_at = models.DateTimeField("ended", null=True, blank=True)

    objects: ClassVar[JobQuerySet] = JobQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["id"], name="job_unfinished", condition=Q(state__in=["queued", "running"]))
        ]

    def __str__(self) -> str:
        return f"{self.title}: {self.subject}" if self.subject else self.title

    @property
    def title(self) -> str:
        """What its kind does, in words."""
        return kinds.title(self.kind)

    @property
    def percent(self) -> int | None:
        """How far it is, 0 to 100; None while its length is not known."""
        if not self.total:
            return None
        return min(100, 100 * self.done // self.total)
