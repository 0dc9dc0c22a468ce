"""kill -9 of who writes, of who compacts and of PostgreSQL: what was acknowledged is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

import pytest

from apps.houses.models import House
from apps.readings import rolling, store
from apps.readings.models import Boundary, Invalidation, Rollup, Source, Tail
from config.processes import wait_until
from config.servers import Lease
from tests.readings.building import DAY, NOW, T0, append, block, held, truth, value_of
from tests.readings.children import FIELDS, ROOT, child, killed, said, this_database

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def source(house_a: House) -> Source:
    return Source.objects.create(house=house_a, name="device")


def assert_held(source: Source, acknowledged: Iterable[int], *, unanswered: int = 1) -> None:
    """All that was acknowledged is stored as it was sent, and at most the upload in flight beside it."""
    known = set(acknowledged)
    for field in FIELDS.split():
        found = held(source, field)
        assert not known - found.keys()
        assert len(found) <= len(known) + unanswered
        assert found == truth(field, found)


def fill(source: Source, uploads: int) -> list[int]:
    stamps = [T0 + 1000 * n for n in range(uploads)]
    for stamp in stamps:
        append(source, block(FIELDS, [stamp], *[[value_of(field, stamp)] for field in FIELDS.split()]))
    return stamps


def test_a_killed_writer_loses_nothing_it_had_acknowledged(source: Source) -> None:
    acknowledged: list[int] = []
    for round_ in range(2):
        with child("write", source.pk, T0 + round_ * 3_600_000, env=this_database()) as writer:
            acknowledged += said(writer, 40) + killed(writer)
        assert len(acknowledged) >= 40 * (round_ + 1)
        assert_held(source, acknowledged, unanswered=round_ + 1)


@pytest.mark.parametrize("step", ["write", "drop_tail", "commit"])
def test_a_compactor_killed_half_way_leaves_all_as_it_was(source: Source, step: str) -> None:
    stamps = fill(source, 6)
    store.compact(source.pk, DAY)
    stamps += [T0 + 60_000]
    append(source, block(FIELDS, stamps[-1:], *[[value_of(field, stamps[-1])] for field in FIELDS.split()]))
    with child("compact_and_die", source.pk, DAY, step, env=this_database()) as compactor:
        assert compactor.wait(30) == -signal.SIGKILL
    assert Tail.objects.count() == 1
    assert_held(source, stamps, unanswered=0)
    assert wait_until(lambda: store.compact(source.pk, DAY), seconds=10)  # its lock ended with its connection
    assert not Tail.objects.exists()
    assert_held(source, stamps, unanswered=0)


def test_compactors_killed_at_any_moment_lose_nothing(source: Source) -> None:
    env = this_database()
    with child("write", source.pk, T0, env=env) as writer:
        acknowledged = said(writer, 5)
        for round_ in range(3):
            with child("compact", source.pk, DAY, env=env) as compactor:
                said(compactor, 8)
                time.sleep(0.003 * round_)  # somewhere else in the loop each time
                killed(compactor)
            acknowledged += said(writer, 10)
        acknowledged += killed(writer)
    assert_held(source, acknowledged)
    assert wait_until(lambda: store.compact(source.pk, DAY), seconds=10)
    assert_held(source, acknowledged)


def test_a_killed_postgresql_loses_nothing_it_had_acknowledged(own_servers: Callable[[], Lease]) -> None:
    lease = own_servers()
    pid = lease.services().postgres_pid
    env = {"DATABASE_URL": lease.services().database_url}
    migrate = [sys.executable, "-m", "django", "migrate"]
    subprocess.run(migrate, cwd=ROOT, env={**os.environ, **env}, check=True, capture_output=True)
    with child("make_source", env=env) as maker:
        (source_id,) = said(maker, 1)
    with (
        child("write", source_id, T0, env=env) as writer,
        child("compact", source_id, DAY, env=env) as compactor,
    ):
        acknowledged = said(writer, 50)
        said(compactor, 10)
        os.kill(pid, signal.SIGKILL)
        acknowledged += said(writer, 10**6)  # until its connection breaks
    assert wait_until(lambda: lease.services().postgres_pid not in {0, pid}, seconds=30)
    with child("read", source_id, T0, T0 + store.DAY, env=env) as reader:
        found = said(reader, 10**6)
    assert not set(acknowledged) - set(found)
    assert len(found) <= len(acknowledged) + 1


@pytest.mark.parametrize("step", ["put_borders", "write", "commit"])
def test_a_worker_killed_while_rolling_up_leaves_the_work_to_the_next(source: Source, step: str) -> None:
    stamps = fill(source, 6)
    store.compact(source.pk, DAY)
    with child("roll_and_die", source.pk, step, env=this_database()) as worker:
        assert worker.wait(30) == -signal.SIGKILL
    assert Invalidation.objects.filter(source=source).count() == 1
    assert not Rollup.objects.exists()
    assert not Boundary.objects.exists()
    assert wait_until(lambda: rolling.roll(source.pk), seconds=10)  # its lock ended with its connection
    assert not Invalidation.objects.exists()
    assert {row.count for row in Rollup.objects.all()} == {len(stamps)}


def test_workers_killed_at_any_moment_while_all_goes_on_lose_nothing(source: Source) -> None:
    env = this_database()
    with child("write", source.pk, T0 - 20_000, env=env) as writer, child("work", env=env) as other:
        acknowledged = said(writer, 5)
        for round_ in range(3):
            with child("work", env=env) as worker:
                said(worker, 4)
                time.sleep(0.01 * round_)  # somewhere else in the loop each time
                killed(worker)
            acknowledged += said(writer, 10)
        acknowledged += killed(writer)
        said(other, 1)
    assert wait_until(lambda: settled(source), seconds=20)
    found = sum(row.count for row in Rollup.objects.filter(series__field="A"))
    assert len(acknowledged) <= found <= len(acknowledged) + 1
    for field in FIELDS.split():
        history = held(source, field, T0 - store.DAY, T0 + store.DAY)
        assert sum(row.sum or 0 for row in Rollup.objects.filter(series__field=field)) == pytest.approx(
            sum(history.values())
        )


def settled(source: Source) -> bool:
    """Whether nothing is left to do, having done some of it."""
    store.sweep(now=NOW + timedelta(days=9))
    return not (Tail.objects.exists() or Invalidation.objects.exists())
