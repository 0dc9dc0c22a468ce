"""kill -9 of a worker that computes an item's day: the work is left to the next, and is done once."""

from __future__ import annotations

import signal

import pytest
from django.utils import timezone

from apps.analytics.mutations import aggregate_on
from apps.devices.models import Device
from apps.readings import store
from apps.readings.models import Invalidation, Rollup, Segment
from tests.analytics.conftest import MakeItem
from tests.analytics.performing import perform
from tests.jobs.conftest import queue as queue
from tests.readings.building import DAY, T0, held, put
from tests.readings.children import child, this_database

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("queue")]

POWER = "status.Pac_total_W"


@pytest.mark.parametrize("step", ["write", "record", "commit", "done"])
def test_a_worker_killed_while_computing_leaves_the_work_to_the_next(
    make: MakeItem, sonnen: Device, step: str
) -> None:
    put(sonnen.source, POWER, {T0: 1000.0})
    store.sweep(now=timezone.now())
    item = make("battery", f"sonnen.{POWER}/1000")
    perform(aggregate_on(item=item))
    item.refresh_from_db()
    assert item.source is not None
    store.sweep(now=timezone.now())
    put(sonnen.source, POWER, {T0 + 60_000: 2000.0})
    assert store.compact(sonnen.source.pk, DAY)
    with child("compute_and_die", step, env=this_database()) as worker:
        assert worker.wait(60) == -signal.SIGKILL
    assert Invalidation.objects.filter(source=item.source, recompute__isnull=False).exists()
    known = {T0: 1.0} if step != "done" else {T0: 1.0, T0 + 60_000: 2.0}
    assert held(item.source, "value") == known

    for _ in range(2):
        store.sweep(now=timezone.now())
    assert not Invalidation.objects.exists()
    assert held(item.source, "value") == {T0: 1.0, T0 + 60_000: 2.0}
    assert Segment.objects.get(source=item.source).revision == 2
    [row] = Rollup.objects.filter(source=item.source)
    assert (row.count, row.sum) == (2, 3.0)
