"""Running jobs in this process, without the signs of life that a worker gives."""

from __future__ import annotations

from apps.jobs import kinds
from apps.jobs.models import Job, State


class Here:
    """A job's `running` in this process, and what it was told last."""

    def __init__(self) -> None:
        self.told: tuple[int, int | None] = (0, None)

    def progress(self, done: int, total: int | None, message: str = "") -> None:
        self.told = done, total


def perform(job: Job | None) -> tuple[int, int | None]:
    """Run it here, unless it was cancelled; how many of how many days it did."""
    assert job is not None
    here = Here()
    if Job.objects.unfinished().filter(pk=job.pk).exists():
        kinds.function(job.kind)(here, **job.args)  # type: ignore[arg-type]  # all that it uses
        Job.objects.filter(pk=job.pk).update(state=State.DONE)
    return here.told
