"""Rolling up history again, as a job that people see, when a calendar or a setting is another."""

from __future__ import annotations

import time
from collections.abc import Collection

from apps.accounts.models import User
from apps.houses.models import House
from apps.jobs import run as jobs
from apps.jobs.run import JobError, Running
from apps.readings import marks, rolling
from apps.readings.models import Invalidation, Series, Source

KIND = "readings.reroll"
WAIT_S = 1.0
"""How long to wait for days that another worker has, or that are to be computed first."""

PATIENCE = 600
"""So many such waits in a row without any day done, and the job leaves the rest to the sweep."""


def zone_changed(house: House, by: User | None) -> None:
    """Have all of a house rolled up again but what is sealed, in the caller's transaction."""
    marked = [marks.zone_changed(pk) for pk in _sources(house.pk)]
    if any(marked):
        jobs.start(kind=KIND, subject=f"{house}, {house.time_zone}", by=by, house=house.pk)


def settings_changed(series: Series, by: User | None) -> int:
    """Have all of a series' source rolled up again but what is sealed, in the caller's transaction.

    Returns how many days that are.
    """
    count = marks.settings_changed(series.source_id)
    if count:
        jobs.start(kind=KIND, subject=f"{series}, settings", by=by, house=series.source.house_id)
    return count


def run(running: Running, *, house: int) -> None:
    """Roll up what is marked of a house. Cancelled, it leaves the rest to the sweep."""
    sources = _sources(house)
    total = left = _left(sources)
    idle = 0
    while left:
        running.progress(total - left, total, "Rolling up hours and days")
        if not sum(rolling.roll(source_id) for source_id in sources):
            idle += 1
            if idle > PATIENCE:
                raise JobError(f"{left} days are still waiting for others; they follow as soon as they can.")
            time.sleep(WAIT_S)
        else:
            idle = 0
        left = _left(sources)
        total = max(total, left)
    running.progress(total, total, "Rolled up")


def _sources(house: int) -> list[int]:
    return list(Source.objects.filter(house=house).order_by("pk").values_list("pk", flat=True))


def _left(sources: Collection[int]) -> int:
    return Invalidation.objects.filter(source__in=sources).count()
