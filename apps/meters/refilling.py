"""Reading files again after people changed what their columns mean, or whose they are."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Max, Min, Q, QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.inbox import replaying
from apps.inbox.models import State
from apps.inbox.parsing import parse
from apps.jobs.models import Job
from apps.jobs.run import Running
from apps.jobs.run import start as start_job
from apps.meters.models import Assignment, LoggerDevice, UploadFile
from apps.readings import store
from apps.readings.models import Series

WAITING = "meters.read_waiting"
AGAIN = "meters.read_again"
FOREVER = 4 * 10**12
"""A stamp beyond all others."""

Span = tuple[int, int, int]
"""A meter's source, and [begin, end) ms of what it holds."""


def read_waiting(*, device: LoggerDevice, by: User | None) -> Job:
    """Read the files of `device` that waited for people, now that they have answered."""
    return start_job(kind=WAITING, subject=str(device), by=by, device=device.pk)


def read_again(
    *, device: LoggerDevice, starts: int, ends: int | None = None, spans: Sequence[Span] = (), by: User | None
) -> Job | None:
    """Read what `device` sent over [starts, ends) ms anew, from the files that are still kept.

    What its meters hold of that time, and `spans` besides, is taken back first: it may become another field's
    or another meter's. Readings whose files are gone stay as they are; where all are gone there is no job.
    """
    last = until(ends)
    if not _kept(device.pk).filter(_within(starts, last)).exists():
        return None
    held = sorted({*spans, *spans_of(device, starts, last)})
    return start_job(
        kind=AGAIN, subject=str(device), by=by, device=device.pk, starts=starts, ends=last, spans=held
    )


def until(ends: int | None) -> int:
    """The end of something that may last, as a stamp."""
    return FOREVER if ends is None else ends


def spans_of(device: LoggerDevice, starts: int, ends: int) -> list[Span]:
    """What the assignments of `device` hold of [starts, ends)."""
    found = [_clipped(one, starts, ends) for one in device.assignments.all()]
    return [(source, begin, end) for source, begin, end in found if begin < end]


def run_waiting(running: Running, *, device: int) -> None:
    """The job of `read_waiting`."""
    _parse(running, _kept(device).filter(receipt__state=State.NEEDS_MAPPING))


def run_again(running: Running, *, device: int, starts: int, ends: int, spans: list[list[int]]) -> None:
    """The job of `read_again`. Called again it does the same again, to the same end."""
    files = _kept(device).filter(_within(starts, ends))
    read = files.aggregate(first=Min("first"), last=Max("last"))
    if read["first"] is not None:
        for source, begin, end in spans:
            _withdraw(source, max(begin, read["first"]), min(end, read["last"] + 1))
    _parse(running, files)


def _clipped(assignment: Assignment, starts: int, ends: int) -> Span:
    last = min(ends, until(assignment.ends))
    return assignment.meter_id, max(starts, assignment.starts), last


def _within(starts: int, ends: int) -> Q:
    """Files with rows of that time, and those of which nobody could say yet what they hold."""
    return Q(last__gte=starts, first__lt=ends) | Q(receipt__state=State.NEEDS_MAPPING)


def _kept(device: int) -> QuerySet[UploadFile]:
    return UploadFile.objects.filter(device=device, receipt__body__isnull=False)


def _withdraw(source_id: int, begin: int, end: int) -> None:
    series = list(Series.objects.filter(source=source_id).values_list("pk", flat=True))
    store.withdraw(source_id=source_id, series_ids=series, start=begin, end=end, at=timezone.now())


def _parse(running: Running, files: QuerySet[UploadFile]) -> None:
    """In order of arrival, so that of contradicting files the last counts."""
    receipts = list(files.order_by("receipt").values_list("receipt", flat=True))
    running.progress(0, len(receipts))
    for done, receipt in enumerate(receipts, start=1):
        if receipt is not None and replaying.reset(receipt):
            parse(receipt)
        running.progress(done, len(receipts))
    running.progress(len(receipts), len(receipts), f"{len(receipts)} files read")
