"""Removing what was kept of an item, and with it the item where that was asked for."""

from __future__ import annotations

from django.db import transaction

from apps.accounts.models import User
from apps.analytics.models import AnalyticsItem
from apps.jobs import run as jobs
from apps.jobs.models import Job, JobQuerySet
from apps.jobs.run import Running
from apps.readings import series
from apps.readings.deletion import delete_readings
from apps.readings.models import Source

KIND = "analytics.remove"


def under_way(item: AnalyticsItem) -> bool:
    """Whether a job removes what is kept of it, or soon will."""
    return _jobs(item).exists()


def takes_item(item: AnalyticsItem) -> bool:
    """Whether a job deletes it too."""
    return _jobs(item).filter(args__with_item=True).exists()


def start(item: AnalyticsItem, by: User | None, *, with_item: bool = False) -> Job:
    """The job that removes what is kept of `item`: the one under way where it does all that is asked."""
    if found := _jobs(item).filter(**({"args__with_item": True} if with_item else {})).first():
        return found
    return jobs.start(
        kind=KIND,
        subject=f"analytics.{item.name} of {item.house}",
        by=by,
        item=item.pk,
        with_item=with_item,
        user=None if by is None else by.pk,
    )


def run_job(running: Running, *, item: int, with_item: bool, user: int | None) -> None:
    """Remove the kept days of an item, then its source. Cancelled, it leaves what it did not come to.

    An item whose results are kept again by then stays as it is.
    """
    found = AnalyticsItem.objects.filter(pk=item, aggregated=False).first()
    if found is None:
        return
    if found.source_id is not None:
        for done, total in delete_readings([found.source_id]):
            running.progress(done, total, "Removing days of results")
    _finish(item, with_item, User.objects.filter(pk=user or 0).first())


@transaction.atomic
def _finish(pk: int, with_item: bool, by: User | None) -> None:
    item = AnalyticsItem.objects.select_for_update(no_key=True).filter(pk=pk, aggregated=False).first()
    if item is None:
        return
    if item.source_id is not None:
        Source.objects.filter(pk=item.source_id).delete()
        series.forget([item.source_id])
        item.source_id = None
        AnalyticsItem.objects.filter(pk=pk).update(source=None)
    if with_item:
        item._history_user, item._change_reason = by, "deleted"  # type: ignore[attr-defined]
        item.delete()


def _jobs(item: AnalyticsItem) -> JobQuerySet:
    return Job.objects.unfinished().filter(kind=KIND, args__item=item.pk)
