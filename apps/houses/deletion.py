"""Deleting a house: what hangs on it piece by piece, then the house itself.

What hangs on it, higher layers know: they register it in `AppConfig.ready`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.db import transaction

from apps.accounts.models import User
from apps.houses.models import House
from apps.jobs.models import Job
from apps.jobs.run import Running

KIND = "houses.delete_house"

Eraser = Callable[[House], Iterator[tuple[int, int]]]
"""Deletes something of a house in small transactions, yielding after each how many of how many are gone."""

_erasers: dict[str, Eraser] = {}


def register(what: str, eraser: Eraser) -> None:
    """Have `eraser` run before houses are deleted; `what` it deletes is told to people as it goes on."""
    _erasers[what] = eraser


def under_way(house: House) -> bool:
    """Whether a job deletes it, or soon will."""
    return Job.objects.unfinished().filter(kind=KIND, args__house=house.pk).exists()


def run(running: Running, *, house: int, user: int | None) -> None:
    """Delete a house with all that is of it. Cancelled, it stays disabled, with what is left of it."""
    found = House.objects.filter(pk=house).first()
    if found is None:
        return
    for what, eraser in _erasers.items():
        for done, total in eraser(found):
            running.progress(done, total, f"Deleting {what}")
    with transaction.atomic():
        found._history_user = User.objects.filter(pk=user or 0).first()  # type: ignore[attr-defined]
        found.delete()
