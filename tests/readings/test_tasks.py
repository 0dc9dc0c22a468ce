"""The schedule, the tasks, and hints on a real broker."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from celery.exceptions import Retry
from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from apps.readings import locks, tasks
from apps.readings.hints import ROWS, compact_soon
from apps.readings.models import Source, Tail
from config.celery import app
from config.processes import wait_until
from tests.readings.building import DAY, T0, held, put

pytestmark = pytest.mark.django_db(transaction=True)

QUEUE = "celery"


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    """The tests' broker, with an empty queue."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(QUEUE)
    yield client
    client.delete(QUEUE)
    client.close()


def queued(broker: redis.Redis) -> list[tuple[str, str]]:
    heads = [json.loads(message)["headers"] for message in broker.lrange(QUEUE, 0, -1)]
    return [(head["task"], head["argsrepr"]) for head in heads]


@pytest.mark.django_db(transaction=False)
def test_the_sweep_is_scheduled_every_minute() -> None:
    scheduled = PeriodicTask.objects.get(task="readings.sweep")
    assert scheduled.enabled
    assert scheduled.interval.schedule.run_every == timedelta(minutes=1)
    assert scheduled.task in app.tasks


def test_the_sweep_compacts_what_is_due(source: Source) -> None:
    put(source, "A", {T0: 1.0}, at=timezone.now() - timedelta(minutes=11))
    tasks.sweep.run()
    assert not Tail.objects.exists()


def test_a_hint_compacts_its_day_only(source: Source) -> None:
    put(source, "A", {T0 - 1: 1.0, T0: 1.0})
    tasks.compact_day.run(source.pk, DAY)
    assert list(Tail.objects.values_list("day", flat=True)) == [DAY - 1]


@pytest.fixture
def busy(source: Source) -> Iterator[None]:
    """Another worker has the source meanwhile."""
    other = connections.create_connection("default")
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks._SPACE | source.pk])
    yield
    other.close()


@pytest.mark.usefixtures("busy")
def test_a_hint_is_tried_again_while_another_has_the_source(source: Source, broker: redis.Redis) -> None:
    put(source, "A", {T0: 1.0})
    tasks.compact_day.push_request(called_directly=False, args=(source.pk, DAY), kwargs={}, retries=0)
    try:
        with pytest.raises(Retry) as caught:
            tasks.compact_day.run(source.pk, DAY)
    finally:
        tasks.compact_day.pop_request()
    assert caught.value.when == 2
    assert queued(broker) == [("readings.compact_day", f"({source.pk}, {DAY})")]


@pytest.mark.usefixtures("busy")
def test_in_the_end_it_is_left_to_the_sweep(source: Source, broker: redis.Redis) -> None:
    put(source, "A", {T0: 1.0})
    tasks.compact_day.push_request(called_directly=False, args=(source.pk, DAY), kwargs={}, retries=5)
    try:
        tasks.compact_day.run(source.pk, DAY)
    finally:
        tasks.compact_day.pop_request()
    assert queued(broker) == []
    assert Tail.objects.exists()


def test_a_burst_of_uploads_asks_for_compaction_once(source: Source, broker: redis.Redis) -> None:
    for row in range(ROWS + 5):
        put(source, "A", {T0 + row: 1.0})
    assert wait_until(lambda: queued(broker) != [], seconds=10)
    assert queued(broker) == [("readings.compact_day", f"({source.pk}, {DAY})")]


def test_a_hint_is_sent_after_commit_only(source: Source, broker: redis.Redis) -> None:
    with transaction.atomic():
        compact_soon(source.pk, 1)
        transaction.set_rollback(True)
    with transaction.atomic():
        compact_soon(source.pk, 2)
        assert queued(broker) == []
    assert wait_until(lambda: queued(broker) != [], seconds=10)
    assert queued(broker) == [("readings.compact_day", f"({source.pk}, 2)")]


def test_without_a_broker_uploads_neither_wait_nor_fail(
    source: Source, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()

    def refuse(*_: object, **__: object) -> None:
        answer.wait(20)
        raise ConnectionRefusedError("nobody listens")

    monkeypatch.setattr(app, "send_task", refuse)
    with caplog.at_level(logging.WARNING):
        for row in range(ROWS):
            put(source, "A", {T0 + row: 1.0})
        assert len(held(source, "A")) == ROWS
        answer.set()
        assert wait_until(lambda: "nobody listens" in caplog.text, seconds=10)
    assert f"Could not enqueue readings.compact_day({source.pk}, {DAY})" in caplog.text
